//! Time: UTC milliseconds, business days in a zone, and a clock that is given, not taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{
    DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Timelike, Utc,
};
use chrono_tz::Tz;

pub const SECOND_MS: i64 = 1_000;
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// An instant: milliseconds since 1970 in UTC. RFC 3339 in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, sea_orm::DeriveValueType)]
pub struct Timestamp(pub i64);

impl Timestamp {
    pub fn from_seconds(seconds: i64) -> Self {
        Self(seconds * SECOND_MS)
    }

    pub fn seconds(self) -> i64 {
        self.0.div_euclid(SECOND_MS)
    }

    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0 + ms)
    }

    /// The business day this instant falls on.
    pub fn day(self, zone: Tz) -> Day {
        Day(self.local(zone).date_naive())
    }

    pub fn local(self, zone: Tz) -> DateTime<Tz> {
        self.utc().with_timezone(&zone)
    }

    /// Hour of the day, 0–23, on the zone's clock.
    pub fn hour(self, zone: Tz) -> u32 {
        self.local(zone).hour()
    }

    fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// Reads RFC 3339 with an offset.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|at| Self(at.timestamp_millis()))
    }

    /// Reads the `Date` header of an HTTP answer.
    pub fn of_header(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc2822(text)
            .ok()
            .map(|at| Self(at.timestamp_millis()))
    }

    /// RFC 3339 with the zone's offset: `2026-11-23T10:00:00+08:00`.
    pub fn rfc3339(self, zone: Tz) -> String {
        self.local(zone)
            .to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false)
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.utc().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`{text}` is not a time; write RFC 3339 with an offset, as in `2026-12-01T10:00:00+08:00`"
            ))
        })
    }
}

/// A business day; `YYYY-MM-DD` in JSON and in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub NaiveDate);

impl Day {
    pub fn parse(text: &str) -> Option<Self> {
        // chrono also reads `2026-1-2`; the contract is ten characters.
        if text.len() != 10 {
            return None;
        }
        NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(Self)
    }

    pub fn plus(self, days: i64) -> Self {
        let moved = if days >= 0 {
            self.0.checked_add_days(Days::new(days as u64))
        } else {
            self.0.checked_sub_days(Days::new(days.unsigned_abs()))
        };
        Self(moved.unwrap_or(self.0))
    }

    /// Days from `earlier` to this one.
    pub fn since(self, earlier: Day) -> i64 {
        (self.0 - earlier.0).num_days()
    }

    /// The first instant of this day in the zone.
    pub fn start(self, zone: Tz) -> Timestamp {
        resolve_local(self.0.and_time(NaiveTime::MIN), zone)
    }

    /// The first instant after this day in the zone.
    pub fn end(self, zone: Tz) -> Timestamp {
        self.plus(1).start(zone)
    }

    /// 0 = Monday … 6 = Sunday.
    pub fn weekday(self) -> u32 {
        self.0.weekday().num_days_from_monday()
    }

    pub fn first_of_week(self) -> Self {
        self.plus(-i64::from(self.weekday()))
    }

    pub fn first_of_month(self) -> Self {
        Self(self.0.with_day(1).expect("every month has a first day"))
    }

    /// Days in this day's month.
    pub fn days_in_month(self) -> i64 {
        let first = self.first_of_month();
        let next = first.plus(32).first_of_month();
        next.since(first)
    }

    /// Every day from this one to `last`, both in.
    pub fn through(self, last: Day) -> impl Iterator<Item = Day> + Clone {
        (0..=last.since(self)).map(move |offset| self.plus(offset))
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%d"))
    }
}

impl serde::Serialize for Day {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Day {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not a day; write `2026-11-23`")))
    }
}

impl From<Day> for sea_orm::Value {
    fn from(day: Day) -> Self {
        day.to_string().into()
    }
}

impl sea_orm::TryGetable for Day {
    fn try_get_by<I: sea_orm::ColIdx>(
        row: &sea_orm::QueryResult,
        index: I,
    ) -> Result<Self, sea_orm::TryGetError> {
        let text = String::try_get_by(row, index)?;
        Day::parse(&text).ok_or_else(|| {
            sea_orm::TryGetError::DbErr(sea_orm::DbErr::Type(format!("`{text}` is not a day")))
        })
    }
}

impl sea_orm::sea_query::Nullable for Day {
    fn null() -> sea_orm::Value {
        sea_orm::Value::String(None)
    }
}

/// The instant a wall-clock time means in a zone: in a gap the next valid one, in a fold the first.
pub fn resolve_local(local: NaiveDateTime, zone: Tz) -> Timestamp {
    for minutes in 0..=24 * 60 {
        match zone.from_local_datetime(&(local + chrono::Duration::minutes(minutes))) {
            LocalResult::Single(at) => return Timestamp(at.timestamp_millis()),
            LocalResult::Ambiguous(first, _) => return Timestamp(first.timestamp_millis()),
            LocalResult::None => {}
        }
    }
    Timestamp(local.and_utc().timestamp_millis())
}

/// Reads an IANA zone name.
pub fn zone(name: &str) -> Option<Tz> {
    name.parse().ok()
}

/// Where `now` comes from.
#[derive(Clone)]
pub enum Clock {
    System,
    /// Stands still until it is moved.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    pub fn fixed(at: Timestamp) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(at.0)))
    }

    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp(Utc::now().timestamp_millis()),
            Self::Fixed(at) => Timestamp(at.load(Ordering::Acquire)),
        }
    }

    /// Moves a fixed clock on; the system's clock cannot be moved.
    pub fn advance(&self, ms: i64) {
        if let Self::Fixed(at) = self {
            at.fetch_add(ms, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_starts_at_local_midnight() {
        let shanghai = zone("Asia/Shanghai").unwrap();
        let day = Day::parse("2026-11-23").unwrap();
        assert_eq!(
            day.start(shanghai),
            Timestamp::parse("2026-11-23T00:00:00+08:00").unwrap()
        );
        assert_eq!(day.end(shanghai).plus_ms(-1).day(shanghai), day);
        assert_eq!(day.weekday(), 0);
    }

    #[test]
    fn gaps_take_the_next_valid_time_and_folds_the_first() {
        let cases = [
            ("Europe/London", "2026-03-29T01:30:00", "2026-03-29T01:00:00Z"),
            ("Europe/London", "2026-10-25T01:30:00", "2026-10-25T00:30:00Z"),
            ("America/New_York", "2026-03-08T02:30:00", "2026-03-08T07:00:00Z"),
            ("Pacific/Apia", "2011-12-30T12:00:00", "2011-12-30T10:00:00Z"),
            ("Asia/Kathmandu", "2026-01-01T00:00:00", "2025-12-31T18:15:00Z"),
        ];
        for (name, local, meant) in cases {
            let local = NaiveDateTime::parse_from_str(local, "%Y-%m-%dT%H:%M:%S").unwrap();
            assert_eq!(
                resolve_local(local, zone(name).unwrap()),
                Timestamp::parse(meant).unwrap(),
                "{name}"
            );
        }
    }

    #[test]
    fn days_are_read_strictly() {
        for text in ["2026-1-2", "2026-02-30", "20260102", "2026-13-01", ""] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
        assert_eq!(Day::parse("2026-02-10").unwrap().days_in_month(), 28);
    }
}
