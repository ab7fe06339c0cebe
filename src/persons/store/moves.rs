//! Rows that change hands: each table that says whose its rows are, once.

use crate::args;
use crate::db::{self, Conn as _, Filter, Tx, text_list};
use crate::error::{Error, Result};
use crate::ids::{ContactId, CorpId, MergeId};

/// A table with a `contact_id`.
struct Place {
    table: &'static str,
    /// What tells a contact's row from others there: an expression over the columns of `{}`.
    key: &'static str,
    /// Whether a contact has at most one row with a key. One that the kept contact has already stays where it is.
    is_of_contact: bool,
}

const fn by_id(table: &'static str) -> Place {
    Place {
        table,
        key: "cast({}.id as text)",
        is_of_contact: false,
    }
}

const fn of_contact(table: &'static str, key: &'static str) -> Place {
    Place {
        table,
        key,
        is_of_contact: true,
    }
}

/// Pairs, periods, credits and quota are moved by statements of their own, below. What a file found, whom a marking
/// refused and who was welcomed is not looked up by contact: it stays.
const PLACES: [Place; 11] = [
    // Whoever was merged into the merged one is the kept one now.
    by_id("merged_contact"),
    by_id("sale"),
    by_id("click"),
    by_id("link"),
    by_id("tag_change"),
    by_id("timeline"),
    by_id("follow_up"),
    of_contact("binding", "cast({}.from_at as text)"),
    of_contact("delivery", "cast({}.campaign_id as text)"),
    of_contact("contact_value", "cast({}.field_id as text)"),
    of_contact(
        "moment_interaction",
        "cast({}.moment_id as text) || ' ' || cast({}.associate_id as text) || ' ' || {}.kind || ' ' || cast({}.at as text)",
    ),
];

/// A merge's contacts and what is noted of their rows.
pub struct Moved {
    pub corp: CorpId,
    pub merge: MergeId,
    pub kept: ContactId,
    pub merged: ContactId,
}

impl Moved {
    /// Everything of the merged contact, whom the platform knows by `external`, becomes the kept one's.
    /// Answers how many rows that were.
    pub async fn take_over(&self, tx: &Tx, external: &str) -> Result<u64> {
        let mut taken = 0;
        for place in &PLACES {
            taken += self.take(tx, place).await?;
        }
        let credits =
            "update credit set contact_id = $3 where corp_id = $1 and contact_id = $2 and order_id in
             (select cast(r.row_key as bigint) from contact_merge_row r
              where r.corp_id = $1 and r.merge_id = $4 and r.place = 'sale')";
        taken += db::run(tx, credits, args![self.corp, self.merged, self.kept, self.merge]).await?;
        for table in ["follow", "follow_period"] {
            let sql = format!(
                "update {table} set contact_id = $3, alias = case when alias = '' then $4 else alias end
                 where corp_id = $1 and contact_id = $2"
            );
            taken += db::run(tx, &sql, args![self.corp, self.merged, self.kept, external]).await?;
        }
        Ok(taken + self.take_quota(tx).await?)
    }

    async fn take(&self, tx: &Tx, place: &Place) -> Result<u64> {
        let table = place.table;
        let key = |of: &str| place.key.replace("{}", of);
        let mut filter = Filter::new("t.corp_id", self.corp);
        filter.and("t.contact_id = {}", self.merged);
        if place.is_of_contact {
            let own = format!(
                "not exists (select 1 from {table} own where own.corp_id = $1 and own.contact_id = {{}} and {} = {})",
                key("own"),
                key("t")
            );
            filter.and(&own, self.kept);
        }
        let merge = filter.arg(self.merge);
        let note = format!(
            "insert into contact_merge_row (corp_id, merge_id, place, row_key)
             select t.corp_id, {merge}, '{table}', {} from {table} t where {} on conflict do nothing",
            key("t"),
            filter.sql()
        );
        db::run(tx, &note, filter.args).await?;
        self.pass(tx, place, self.merged, self.kept).await
    }

    /// The rows that are noted go from one contact to the other.
    async fn pass(&self, tx: &Tx, place: &Place, from: ContactId, to: ContactId) -> Result<u64> {
        let table = place.table;
        let sql = format!(
            "update {table} set contact_id = $3 where corp_id = $1 and contact_id = $2 and {} in
               (select r.row_key from contact_merge_row r
                where r.corp_id = $1 and r.merge_id = $4 and r.place = '{table}')",
            place.key.replace("{}", table)
        );
        db::run(tx, &sql, args![self.corp, from, to, self.merge]).await
    }

    /// What both have used of a window is used. Noted as `used had|new window`.
    async fn take_quota(&self, tx: &Tx) -> Result<u64> {
        let note = "insert into contact_merge_row (corp_id, merge_id, place, row_key)
             select q.corp_id, $3, 'quota_use', cast(q.used as text) || case when exists (select 1 from quota_use own
                 where own.corp_id = q.corp_id and own.contact_id = $4 and own.window_key = q.window_key)
               then ' had ' else ' new ' end || q.window_key
             from quota_use q where q.corp_id = $1 and q.contact_id = $2
             on conflict do nothing";
        db::run(tx, note, args![self.corp, self.merged, self.merge, self.kept]).await?;
        let add = "insert into quota_use (corp_id, contact_id, window_key, used)
             select q.corp_id, $3, q.window_key, q.used from quota_use q where q.corp_id = $1 and q.contact_id = $2
             on conflict (corp_id, contact_id, window_key) do update set used = quota_use.used + excluded.used";
        db::run(tx, add, args![self.corp, self.merged, self.kept]).await?;
        let gone = "delete from quota_use where corp_id = $1 and contact_id = $2";
        db::run(tx, gone, args![self.corp, self.merged]).await
    }

    /// Everything that was taken goes back, and whatever came since by an id of the merged contact.
    pub async fn give_back(&self, tx: &Tx, external: &str) -> Result<()> {
        let names = "select m.external_userid from merged_contact m where m.corp_id = $1 and (m.id = $2
               or cast(m.id as text) in (select r.row_key from contact_merge_row r
                 where r.corp_id = $1 and r.merge_id = $3 and r.place = 'merged_contact'))";
        let names: Vec<String> = db::scalars(tx, names, args![self.corp, self.merged, self.merge]).await?;
        let names = text_list(names.iter().map(String::as_str));
        for table in ["follow", "follow_period"] {
            let sql = format!(
                "update {table} set contact_id = $3, alias = case when alias = $4 then '' else alias end
                 where corp_id = $1 and contact_id = $2 and {}",
                tx.backend().in_texts("alias", "$5")
            );
            let args = args![self.corp, self.kept, self.merged, external, names.clone()];
            db::run(tx, &sql, args).await?;
        }
        let credits =
            "update credit set contact_id = $3 where corp_id = $1 and contact_id = $2 and order_id in
             (select s.id from contact_merge_row r
              join sale s on s.corp_id = r.corp_id and s.id = cast(r.row_key as bigint) and s.contact_id = $2
              where r.corp_id = $1 and r.merge_id = $4 and r.place = 'sale')";
        db::run(tx, credits, args![self.corp, self.kept, self.merged, self.merge]).await?;
        for place in &PLACES {
            self.pass(tx, place, self.kept, self.merged).await?;
        }
        self.give_quota_back(tx).await?;
        let forget = "delete from contact_merge_row where corp_id = $1 and merge_id = $2";
        db::run(tx, forget, args![self.corp, self.merge]).await?;
        Ok(())
    }

    async fn give_quota_back(&self, tx: &Tx) -> Result<()> {
        let noted = "select row_key from contact_merge_row where corp_id = $1 and merge_id = $2 and place = 'quota_use'";
        let noted: Vec<String> = db::scalars(tx, noted, args![self.corp, self.merge]).await?;
        for line in &noted {
            let unreadable = || Error::internal(format!("a merge noted quota as `{line}`"));
            let mut parts = line.splitn(3, ' ');
            let used: i64 = parts
                .next()
                .and_then(|used| used.parse().ok())
                .ok_or_else(unreadable)?;
            let is_new = parts.next().ok_or_else(unreadable)? == "new";
            let window = parts.next().ok_or_else(unreadable)?;
            let less = "update quota_use set used = case when used > $4 then used - $4 else 0 end
                 where corp_id = $1 and contact_id = $2 and window_key = $3";
            db::run(tx, less, args![self.corp, self.kept, window, used]).await?;
            if is_new {
                let gone = "delete from quota_use where corp_id = $1 and contact_id = $2 and window_key = $3 and used = 0";
                db::run(tx, gone, args![self.corp, self.kept, window]).await?;
            }
            let again =
                "insert into quota_use (corp_id, contact_id, window_key, used) values ($1, $2, $3, $4)
                 on conflict (corp_id, contact_id, window_key) do update set used = quota_use.used + excluded.used";
            db::run(tx, again, args![self.corp, self.merged, window, used]).await?;
        }
        Ok(())
    }

    /// A pair that somebody wrote for the merged contact while they were merged, and that the kept one has by now: the
    /// kept one's stands, and the stretch of the other ends where it began.
    pub async fn leave_known(&self, tx: &Tx, external: &str) -> Result<u64> {
        let known = |table: &str| {
            format!(
                "corp_id = $1 and contact_id = $2 and exists (select 1 from follow own where own.corp_id = $1
                   and own.contact_id = $3 and own.associate_id = {table}.associate_id and own.alias = $4)"
            )
        };
        let args = || args![self.corp, self.merged, self.kept, external];
        let ended = format!(
            "update follow_period set until_at = from_at, until_day = from_day, until_cause = 'system'
             where {} and until_at is null",
            known("follow_period")
        );
        db::run(tx, &ended, args()).await?;
        let gone = format!("delete from follow where {}", known("follow"));
        db::run(tx, &gone, args()).await
    }
}
