//! Days as numbers, and the day on the corp's clock that an instant falls on, without asking the zone each time.

use chrono::NaiveDate;
use chrono_tz::Tz;

use crate::time::{DAY_MS, Day};

/// Days from the first of these years to the first of the last; what lies outside counts as the first or last day.
const YEARS: std::ops::Range<i32> = 2005..2070;

/// Days since 1970.
pub(super) fn number(day: Day) -> i32 {
    day.since(Day(NaiveDate::default())) as i32
}

pub(super) fn day(number: i32) -> Day {
    Day(NaiveDate::default()).plus(i64::from(number))
}

pub(super) struct Calendar {
    first: i32,
    /// The first instant of each day.
    starts: Vec<i64>,
}

impl Calendar {
    pub fn of(zone: Tz) -> Self {
        let new_year = |year| number(Day(NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default()));
        let (first, last) = (new_year(YEARS.start), new_year(YEARS.end));
        let starts = (first..last).map(|number| day(number).start(zone).0).collect();
        Self { first, starts }
    }

    /// The day between whose first instant and the next day's the instant lies.
    pub fn day_of(&self, at_ms: i64) -> i32 {
        let guess = at_ms.div_euclid(DAY_MS) - i64::from(self.first);
        let last = self.starts.len() - 1;
        let mut place = guess.clamp(0, last as i64) as usize;
        while place > 0 && at_ms < self.starts[place] {
            place -= 1;
        }
        while place < last && at_ms >= self.starts[place + 1] {
            place += 1;
        }
        self.first + place as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Timestamp, zone};

    #[test]
    fn an_instant_is_on_the_day_it_is_between() {
        for name in [
            "Asia/Shanghai",
            "America/New_York",
            "Pacific/Apia",
            "America/Sao_Paulo",
            "Asia/Kathmandu",
        ] {
            let zone = zone(name).unwrap();
            let calendar = Calendar::of(zone);
            for number in (number(Day::parse("2009-12-25").unwrap())..).take(900) {
                let start = day(number).start(zone).0;
                let end = day(number).end(zone).0;
                if start == end {
                    // A day that was left out of the calendar.
                    continue;
                }
                assert_eq!(calendar.day_of(start), number, "{name} {}", day(number));
                assert_eq!(calendar.day_of(end - 1), number, "{name} {}", day(number));
            }
        }
        let at = Timestamp::parse("2026-11-23T23:30:00Z").unwrap();
        let day_of = |zone| day(Calendar::of(zone).day_of(at.0)).to_string();
        assert_eq!(day_of(chrono_tz::Asia::Shanghai), "2026-11-24");
        assert_eq!(day_of(Tz::UTC), "2026-11-23");
    }
}
