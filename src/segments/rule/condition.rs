//! A rule as SQL. Each leaf is a set of contact ids that does not depend on the row at hand, so the database makes
//! it once and only looks people up in it.

use chrono_tz::Tz;

use crate::db::{Backend, Filter, like_escape};
use crate::ids::TagId;
use crate::segments::{Clicked, Gender, Messaged, Ordered, OwnField, Rfm, Rule, Stage};
use crate::time::{Day, Timestamp};

/// The rule as one SQL condition on `contact_id` (a column such as `c.id`), arguments added to `filter`, whose first
/// argument is the corp.
pub fn condition(
    rule: &Rule,
    _backend: Backend,
    filter: &mut Filter,
    contact_id: &str,
    now: Timestamp,
    zone: Tz,
) -> String {
    let mut writer = Writer {
        filter,
        contact_id,
        among: None,
        today: now.day(zone),
        zone,
    };
    writer.rule(rule)
}

/// The same among few contacts: `among` is a condition on a contact id, `{}`, that narrows what is counted as well.
/// Not for `rfm`, whose fifths are of everybody.
pub fn condition_among(
    rule: &Rule,
    filter: &mut Filter,
    contact_id: &str,
    among: &str,
    today: Day,
    zone: Tz,
) -> String {
    let mut writer = Writer {
        filter,
        contact_id,
        among: Some(among),
        today,
        zone,
    };
    writer.rule(rule)
}

/// Days after which a person without an order or a click is no longer active, cooling, dormant.
pub const ACTIVE_DAYS: i64 = 30;
pub const COOLING_DAYS: i64 = 90;
pub const DORMANT_DAYS: i64 = 365;
/// The year that recency, frequency and money look back on.
const RFM_DAYS: i64 = 365;

struct Writer<'a> {
    filter: &'a mut Filter,
    contact_id: &'a str,
    among: Option<&'a str>,
    today: Day,
    zone: Tz,
}

impl Writer<'_> {
    fn rule(&mut self, rule: &Rule) -> String {
        match rule {
            Rule::All(parts) => self.group(parts, " and "),
            Rule::Any(parts) => self.group(parts, " or "),
            Rule::Not(part) => format!("not {}", self.rule(part)),
            Rule::Tag(tag) => self.tag(*tag),
            Rule::Store(store) => self.followed("f.store_id = {}", *store),
            Rule::Region(region) => self.followed(
                "f.store_id in (select s.id from store s where s.corp_id = $1 and s.region_id = {})",
                *region,
            ),
            Rule::Associate(associate) => self.followed("f.associate_id = {}", *associate),
            Rule::Channel(channel) => self.followed("f.channel = {}", channel.as_str()),
            Rule::Added(within) => self.added(within.within_days - 1),
            Rule::Ordered(ordered) => self.ordered(ordered),
            Rule::Clicked(clicked) => self.clicked(clicked),
            Rule::Messaged(messaged) => self.messaged(messaged),
            Rule::Stage(stage) => self.stage(*stage),
            Rule::Rfm(rfm) => self.rfm(rfm),
            Rule::Gender(gender) => self.gender(*gender),
            Rule::Birthday(within) => self.birthday(within.within_days),
            Rule::Field(asked) => self.own_field(asked),
        }
    }

    fn group(&mut self, parts: &[Rule], joint: &str) -> String {
        let parts: Vec<String> = parts.iter().map(|part| self.rule(part)).collect();
        format!("({})", parts.join(joint))
    }

    /// Narrows a list of contacts that is counted.
    fn among(&self, contact_id: &str) -> String {
        self.among.map_or_else(String::new, |among| {
            format!(" and {}", among.replace("{}", contact_id))
        })
    }

    fn found_in(&self, select: &str) -> String {
        format!("({} in ({select}))", self.contact_id)
    }

    /// By a live follow; `{}` in the condition stands for the value.
    fn followed(&mut self, condition: &str, value: impl Into<sea_orm::Value>) -> String {
        let place = self.filter.arg(value);
        let among = self.among("f.contact_id");
        self.found_in(&format!(
            "select f.contact_id from follow f where f.corp_id = $1 and f.state = 'active' and {}{among}",
            condition.replace("{}", &place)
        ))
    }

    fn tag(&mut self, tag: TagId) -> String {
        let pattern = format!("% {} %", like_escape(&tag.to_string()));
        self.followed("f.tags like {}", pattern)
    }

    /// Added today or on one of the `days` before.
    fn added(&mut self, days: i64) -> String {
        let day = self.today.plus(-days);
        // The day is that of the pair's store; its instants lie after this one in any zone, which leads by the index.
        let from = self.filter.arg(day.plus(-1).start(Tz::UTC));
        self.followed(&format!("f.added_at >= {from} and f.added_day >= {{}}"), day)
    }

    /// Places of the first instant of the day so many days ago and of the end of today.
    fn span(&mut self, days_ago: i64) -> (String, String) {
        let from = self.today.plus(-days_ago).start(self.zone);
        let until = self.today.end(self.zone);
        (self.filter.arg(from), self.filter.arg(until))
    }

    /// Orders within the days, those holding a line of the category if one is named; net is paid less whatever was
    /// refunded of these orders.
    fn ordered(&mut self, ordered: &Ordered) -> String {
        let (from, until) = self.span(ordered.within_days - 1);
        let category = match &ordered.category {
            Some(category) => format!(
                " and exists (select 1 from sale_line l where l.corp_id = $1 and l.order_id = s.id and l.category = {})",
                self.filter.arg(category.as_str())
            ),
            None => String::new(),
        };
        let mut having = format!("count(*) >= {}", self.filter.arg(ordered.at_least.unwrap_or(1)));
        if let Some(least) = ordered.net_fen_at_least {
            having.push_str(&format!(" and {NET} >= {}", self.filter.arg(least)));
        }
        let among = self.among("s.contact_id");
        self.found_in(&format!(
            "select s.contact_id from sale s where s.corp_id = $1 and s.contact_id is not null
              and s.paid_at >= {from} and s.paid_at < {until}{category}{among}
              group by s.contact_id having {having}"
        ))
    }

    fn clicked(&mut self, clicked: &Clicked) -> String {
        let (from, until) = self.span(clicked.within_days - 1);
        let link = match clicked.link {
            Some(link) => format!(" and k.link_id = {}", self.filter.arg(link)),
            None => String::new(),
        };
        let among = self.among("k.contact_id");
        self.found_in(&format!(
            "{CLICKERS} and k.at >= {from} and k.at < {until}{link}{among}"
        ))
    }

    fn messaged(&mut self, messaged: &Messaged) -> String {
        let (from, until) = self.span(messaged.within_days - 1);
        let among = self.among("d.contact_id");
        let sent = format!(
            "select d.contact_id from delivery d where d.corp_id = $1 and d.state = 'sent'
              and d.sent_at >= {from} and d.sent_at < {until}{among} group by d.contact_id having count(*)"
        );
        // Nobody with no message at all is in the set, so `at most` asks who is not beyond it.
        let mut parts = Vec::new();
        if let Some(least) = messaged.at_least {
            let place = self.filter.arg(least);
            parts.push(self.found_in(&format!("{sent} >= {place}")));
        }
        if let Some(most) = messaged.at_most {
            let place = self.filter.arg(most);
            parts.push(format!("not {}", self.found_in(&format!("{sent} > {place}"))));
        }
        format!("({})", parts.join(" and "))
    }

    /// Ordered or clicked since so many days ago; `None`: ever.
    fn stirred(&mut self, days_ago: Option<i64>) -> String {
        let mut ordered = format!("{BUYERS}{}", self.among("s.contact_id"));
        let mut clicked = format!("{CLICKERS}{}", self.among("k.contact_id"));
        if let Some(days_ago) = days_ago {
            let (from, _) = self.span(days_ago);
            ordered.push_str(&format!(" and s.paid_at >= {from}"));
            clicked.push_str(&format!(" and k.at >= {from}"));
        }
        format!("({} or {})", self.found_in(&ordered), self.found_in(&clicked))
    }

    /// By the last order or click; who has neither, by the day added.
    fn stage(&mut self, stage: Stage) -> String {
        match stage {
            Stage::New => format!("(not {} and {})", self.stirred(None), self.added(ACTIVE_DAYS)),
            Stage::Active => self.stirred(Some(ACTIVE_DAYS)),
            Stage::Cooling => self.quiet_between(ACTIVE_DAYS, COOLING_DAYS),
            Stage::Dormant => self.quiet_between(COOLING_DAYS, DORMANT_DAYS),
            Stage::Lost => format!(
                "(not {} and ({} or not {}))",
                self.stirred(Some(DORMANT_DAYS)),
                self.stirred(None),
                self.added(DORMANT_DAYS)
            ),
        }
    }

    /// Quiet for more than `over` and at most `up_to` days.
    fn quiet_between(&mut self, over: i64, up_to: i64) -> String {
        format!(
            "(not {} and ({} or (not {} and {} and not {})))",
            self.stirred(Some(over)),
            self.stirred(Some(up_to)),
            self.stirred(None),
            self.added(up_to),
            self.added(over)
        )
    }

    /// Fifths of everybody who bought within a year: 5 is the most recent, the most often, the most.
    fn rfm(&mut self, rfm: &Rfm) -> String {
        let (from, until) = year(self.today, self.zone);
        let (from, until) = (self.filter.arg(from), self.filter.arg(until));
        let mut wanted = Vec::new();
        for (column, scores) in [("r", &rfm.r), ("f", &rfm.f), ("m", &rfm.m)] {
            if !scores.is_empty() {
                let places: Vec<String> = scores.iter().map(|score| self.filter.arg(*score)).collect();
                wanted.push(format!("fifth.{column} in ({})", places.join(",")));
            }
        }
        self.found_in(&format!(
            "select fifth.contact_id from ({}) fifth where {}",
            fifths(&buyers(&from, &until, "")),
            wanted.join(" and ")
        ))
    }

    fn gender(&mut self, gender: Gender) -> String {
        let number: i64 = match gender {
            Gender::Unknown => 0,
            Gender::Male => 1,
            Gender::Female => 2,
        };
        let place = self.filter.arg(number);
        self.found_in(&format!(
            "select g.id from contact g where g.corp_id = $1 and g.gender = {place}"
        ))
    }

    /// Today or on one of the days to come: a birthday is something to get ready for.
    fn birthday(&mut self, within_days: i64) -> String {
        let born = "select b.id from contact b where b.corp_id = $1 and b.birthday is not null";
        if within_days > 365 {
            return self.found_in(born);
        }
        let (first, last) = birthday_span(self.today, within_days);
        // Over the end of the year the later half comes first.
        let joint = if first <= last { "and" } else { "or" };
        let (first, last) = (self.filter.arg(first), self.filter.arg(last));
        self.found_in(&format!(
            "{born} and (b.birthday >= {first} {joint} b.birthday <= {last})"
        ))
    }

    fn own_field(&mut self, asked: &OwnField) -> String {
        let field = self.filter.arg(asked.id);
        let mut select = format!(
            "select v.contact_id from contact_value v where v.corp_id = $1 and v.field_id = {field}{}",
            self.among("v.contact_id")
        );
        if !asked.is.is_empty() {
            let values = asked.is.iter();
            let places: Vec<String> = values.map(|value| self.filter.arg(value.as_str())).collect();
            select.push_str(&format!(" and v.value in ({})", places.join(",")));
        }
        for (limit, sign) in [(&asked.from, ">="), (&asked.to, "<=")] {
            let Some(limit) = limit else { continue };
            let place = self.filter.arg(limit.as_str());
            select.push_str(&match Day::parse(limit) {
                Some(_) => format!(" and v.value {sign} {place}"),
                // In whatever order a database looks at conditions, it reads no other field's value as a number.
                None => format!(
                    " and case when v.field_id = {field} then cast(v.value as numeric) end {sign} cast({place} as numeric)"
                ),
            });
        }
        self.found_in(&select)
    }
}

/// The first instant of the year that RFM looks back on, and the end of its last day, today.
pub fn year(today: Day, zone: Tz) -> (Timestamp, Timestamp) {
    (today.plus(1 - RFM_DAYS).start(zone), today.end(zone))
}

/// Who bought between two places of instants, and what their scores are by; `among` narrows whom.
pub fn buyers(from: &str, until: &str, among: &str) -> String {
    format!(
        "select s.contact_id, max(s.paid_at) as last_at, count(distinct s.day) as days, {NET} as net
           from sale s where s.corp_id = $1 and s.contact_id is not null
            and s.paid_at >= {from} and s.paid_at < {until}{among}
          group by s.contact_id"
    )
}

/// Buyers with their scores.
pub fn fifths(buyers: &str) -> String {
    format!(
        "select t.contact_id, t.last_at, t.days, t.net,
                ntile(5) over (order by t.last_at, t.contact_id) as r,
                ntile(5) over (order by t.days, t.contact_id) as f,
                ntile(5) over (order by t.net, t.contact_id) as m
           from ({buyers}) t"
    )
}

const NET: &str = "cast(sum(s.paid_fen - coalesce((select sum(r.refund_fen) from refund r
   where r.corp_id = $1 and r.order_id = s.id), 0)) as bigint)";
const BUYERS: &str = "select s.contact_id from sale s where s.corp_id = $1 and s.contact_id is not null";
const CLICKERS: &str = "select k.contact_id from click k where k.corp_id = $1 and k.contact_id is not null
   and k.kind = 'person'";

/// First and last `MM-DD` of so many days from today; who was born on a leap day celebrates on the 28th in other years.
pub fn birthday_span(today: Day, within_days: i64) -> (String, String) {
    let last_day = today.plus(within_days - 1);
    let first = today.0.format("%m-%d").to_string();
    let mut last = last_day.0.format("%m-%d").to_string();
    if last == "02-28" && !last_day.0.leap_year() {
        last = "02-29".to_owned();
    }
    (first, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn birthdays_go_over_the_ends_of_months_and_years() {
        for (today, days, first, last) in [
            ("2026-11-23", 1, "11-23", "11-23"),
            ("2026-11-23", 10, "11-23", "12-02"),
            ("2026-12-28", 7, "12-28", "01-03"),
            ("2026-02-26", 3, "02-26", "02-29"),
            ("2028-02-26", 3, "02-26", "02-28"),
            ("2028-02-26", 4, "02-26", "02-29"),
        ] {
            let span = birthday_span(Day::parse(today).unwrap(), days);
            assert_eq!(span, (first.to_owned(), last.to_owned()), "{today} {days}");
        }
    }
}
