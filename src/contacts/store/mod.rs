//! Statements that read contacts, follows and periods; those that write them are in `ledger`.
//!
//! The list shows a contact's tags, last order and spending. Those tables belong to domains further down: this file
//! is the one place that reads them from above (`tag`, `tag_group`, `sale`, `refund`, `click`), and it only reads.

pub(super) mod callbacks;
mod everybody;
pub(super) mod held;
mod history;
pub(super) mod known;
pub(super) mod ledger;
pub(super) mod views;

pub use everybody::everybody;
pub use history::*;

use std::collections::HashMap;

use chrono_tz::Tz;
use sea_orm::FromQueryResult;

use super::*;
use crate::args;
use crate::db::{self, Conn, Filter, id_list, like_escape};
use crate::error::{Error, Result};
use crate::ids::{AssociateId, ContactId, CorpId, ExternalUserId, FollowId, StoreId, TagId};
use crate::money::Fen;
use crate::page::{Page, PageOf};
use crate::scope::{Reach, Scope};
use crate::time::{Clock, Day, Timestamp};

#[derive(FromQueryResult)]
struct ListRow {
    id: ContactId,
    external_userid: String,
    name: String,
    avatar: String,
    gender: i64,
    remark: String,
    associate_id: AssociateId,
    associate_name: String,
    store_id: Option<StoreId>,
    store_name: Option<String>,
    added_at: Timestamp,
}

/// Contacts with a live follow in scope, last added first. Days are those of `zone`.
pub async fn list(
    conn: &impl Conn,
    scope: &Scope,
    filter: &ContactFilter,
    zone: Tz,
    page: &PageOf,
) -> Result<Page<ContactRow>> {
    let mut wanted = wanted(conn, scope, filter, zone);
    // A contact stands once, by the follower in scope that was added last.
    let later = wanted.follow.replace("{f}", "later");
    wanted.all.and_sql(&format!(
        "not exists (select 1 from follow later where later.corp_id = $1 and later.contact_id = f.contact_id
           and (later.added_at > f.added_at or (later.added_at = f.added_at and later.id > f.id)){later})"
    ));
    let mut all = wanted.all;
    let at = format!("f.{}", instant(filter));
    go_on_after(&mut all, &at, page.after()?);
    let limit = all.arg(page.limit() + 1);
    // Only those of the page are looked up in other tables.
    let called = match filter.part() {
        Some(_) => "join contact c on c.corp_id = f.corp_id and c.id = f.contact_id",
        None => "",
    };
    let sql = format!(
        "select c.id, case when f.alias = '' then c.external_userid else f.alias end as external_userid, c.name, c.avatar,
           c.gender, f.remark, f.associate_id, a.name as associate_name,
           f.store_id, s.name as store_name, f.added_at
         from (select f.* from follow f {called}
               where {} order by {at} desc, f.contact_id desc limit {limit}) f
         join contact c on c.corp_id = f.corp_id and c.id = f.contact_id
         join associate a on a.corp_id = f.corp_id and a.id = f.associate_id
         left join store s on s.corp_id = f.corp_id and s.id = f.store_id
         order by f.added_at desc, f.contact_id desc",
        all.sql()
    );
    let rows: Vec<ListRow> = db::all(conn, &sql, all.args).await?;
    let page = Page::cut(rows, page, |row| (row.added_at, row.id));
    let today = filter.today.unwrap_or_else(|| Clock::System.now().day(zone));
    dress(conn, scope, today, page).await
}

/// How many contacts the filter leaves.
pub async fn count(conn: &impl Conn, scope: &Scope, filter: &ContactFilter, zone: Tz) -> Result<i64> {
    let wanted = wanted(conn, scope, filter, zone).all;
    let sql = format!(
        "select count(distinct f.contact_id) from follow f
         join contact c on c.corp_id = f.corp_id and c.id = f.contact_id where {}",
        wanted.sql()
    );
    db::count(conn, &sql, wanted.args).await
}

/// Everybody's live follows in the order of the list, after this one.
pub async fn last_added(
    conn: &impl Conn,
    corp: CorpId,
    after: Option<(Timestamp, ContactId)>,
    limit: i64,
) -> Result<Vec<(Timestamp, ContactId)>> {
    let mut all = Filter::new("f.corp_id", corp);
    go_on_after(&mut all, "f.added_at", after);
    let limit = all.arg(limit);
    let sql = format!(
        "select f.added_at, f.contact_id from follow f where {} and f.state = 'active'
         order by f.added_at desc, f.contact_id desc limit {limit}",
        all.sql()
    );
    let rows = db::rows(conn, &sql, all.args).await?;
    rows.iter()
        .map(|row| Ok((db::column(row, 0)?, db::column(row, 1)?)))
        .collect()
}

/// How the instant of the list is written. The few that are asked about are found by their ids, not by walking through
/// everybody of a time: of a sum no index knows.
fn instant(filter: &ContactFilter) -> &'static str {
    match filter.among {
        Some(_) => "added_at + 0",
        None => "added_at",
    }
}

/// The part of the list after this one. The first condition leads by the index, where `instant` has one; the other tells
/// those of an instant apart.
fn go_on_after(all: &mut Filter, instant: &str, after: Option<(Timestamp, ContactId)>) {
    if let Some((at, id)) = after {
        let (at, id) = (all.arg(at), all.arg(id));
        all.and_sql(&format!(
            "{instant} <= {at} and ({instant} < {at} or f.contact_id < {id})"
        ));
    }
}

/// The filter as conditions on `follow f` and `contact c`.
struct Wanted {
    all: Filter,
    /// What is asked of the follow, with `{f}` for its name: asked again of the follows it is compared with.
    follow: String,
}

fn wanted(conn: &impl Conn, scope: &Scope, filter: &ContactFilter, zone: Tz) -> Wanted {
    let mut all = Filter::new("f.corp_id", scope.corp);
    let follow = follow_conditions(conn, scope, filter, &mut all);
    all.and_sql(&format!("true{}", follow.replace("{f}", "f")));
    if let Some(among) = &filter.among {
        let place = all.arg(id_list(among.iter().map(|contact| contact.0)));
        all.and_sql(&conn.backend().in_ids("f.contact_id", &place));
    }
    if let Some(external) = &filter.external_userid {
        let known =
            "select k.contact_id from known_contact k where k.corp_id = $1 and k.external_userid = {}";
        all.and(&format!("f.contact_id in ({known})"), external.clone());
    }
    let sold = "select 1 from sale s where s.corp_id = $1 and s.contact_id = f.contact_id";
    // The last order falls between two days: one on or after the first, none after the last.
    if filter.ordered_from.is_some() || filter.ordered_to.is_some() {
        let from = filter
            .ordered_from
            .map(|day| format!(" and s.paid_at >= {}", all.arg(day.start(zone))));
        all.and_sql(&format!("exists ({sold}{})", from.unwrap_or_default()));
    }
    if let Some(day) = filter.ordered_to {
        all.and(
            &format!("not exists ({sold} and s.paid_at >= {{}})"),
            day.end(zone),
        );
    }
    if let Some(day) = filter.quiet_since {
        all.and(
            &format!("not exists ({sold} and s.paid_at >= {{}})"),
            day.start(zone),
        );
    }
    if let Some(day) = filter.clicked_from {
        all.and(
            "exists (select 1 from click k where k.corp_id = $1 and k.contact_id = f.contact_id and k.kind = 'person'
               and k.at >= {})",
            day.start(zone),
        );
    }
    Wanted { all, follow }
}

fn follow_conditions(conn: &impl Conn, scope: &Scope, filter: &ContactFilter, all: &mut Filter) -> String {
    let instant = instant(filter);
    let mut follow = String::from(" and {f}.state = 'active'");
    let mut ask = |condition: String| {
        follow.push_str(" and ");
        follow.push_str(&condition);
    };
    match &scope.reach {
        Reach::Whole => {}
        Reach::Stores(stores) => {
            let place = all.arg(id_list(stores.iter().map(|store| store.0)));
            ask(conn.backend().in_ids("{f}.store_id", &place));
        }
        Reach::Own(associate) => ask(format!("{{f}}.associate_id = {}", all.arg(*associate))),
    }
    if let Some(store) = filter.store {
        ask(format!("{{f}}.store_id = {}", all.arg(store)));
    }
    if let Some(associate) = filter.associate {
        ask(format!("{{f}}.associate_id = {}", all.arg(associate)));
    }
    if let Some(tag) = filter.tag {
        ask(format!("{{f}}.tags like {}", all.arg(format!("% {tag} %"))));
    }
    // A day is that of the pair's store; the instants of any zone's day lie between these, and lead by the index.
    if let Some(day) = filter.added_from {
        let (day, from) = (all.arg(day), all.arg(day.plus(-1).start(Tz::UTC)));
        ask(format!("{{f}}.added_day >= {day} and {{f}}.{instant} >= {from}"));
    }
    if let Some(day) = filter.added_to {
        let (day, until) = (all.arg(day), all.arg(day.plus(1).end(Tz::UTC)));
        ask(format!("{{f}}.added_day <= {day} and {{f}}.{instant} < {until}"));
    }
    if let Some(text) = filter.part() {
        let place = all.arg(format!("%{}%", like_escape(text)));
        ask(format!(
            "(lower({{f}}.remark) like lower({place}) escape '\\' or lower(c.name) like lower({place}) escape '\\')"
        ));
    }
    follow
}

/// Adds to the rows of a page what other tables know of them.
async fn dress(conn: &impl Conn, scope: &Scope, today: Day, page: Page<ListRow>) -> Result<Page<ContactRow>> {
    let ids: Vec<ContactId> = page.items.iter().map(|row| row.id).collect();
    let mut tags: HashMap<ContactId, Vec<TagId>> = HashMap::new();
    for pair in pairs(conn, scope, &ids).await? {
        let of_contact = tags.entry(pair.contact_id).or_default();
        of_contact.extend(pair.tag_ids());
        of_contact.sort_unstable();
        of_contact.dedup();
    }
    let names = tag_names(conn, scope.corp, tags.values().flatten().copied()).await?;
    let bought = bought(conn, scope.corp, &ids, Some(today)).await?;
    Ok(page.map(|row| {
        let bought = bought.get(&row.id).copied().unwrap_or_default();
        let tags = tags.get(&row.id).map(Vec::as_slice).unwrap_or_default();
        ContactRow {
            id: row.id,
            external_userid: row.external_userid,
            name: row.name,
            avatar: row.avatar,
            gender: row.gender,
            remark: row.remark,
            associate_id: row.associate_id,
            associate_name: row.associate_name,
            store_id: row.store_id,
            store_name: row.store_name,
            added_at: row.added_at,
            tags: named(tags, &names),
            last_order_at: bought.last_at,
            spent_365_fen: bought.spent,
        }
    }))
}

fn named(tags: &[TagId], names: &HashMap<TagId, TagName>) -> Vec<TagName> {
    tags.iter().filter_map(|tag| names.get(tag).cloned()).collect()
}

async fn tag_names(
    conn: &impl Conn,
    corp: CorpId,
    tags: impl IntoIterator<Item = TagId>,
) -> Result<HashMap<TagId, TagName>> {
    let ids: std::collections::BTreeSet<i64> = tags.into_iter().map(|tag| tag.0).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let wanted = conn.backend().in_ids("t.id", "$2");
    let sql = format!(
        "select t.id, t.name, g.name from tag t join tag_group g on g.corp_id = t.corp_id and g.id = t.group_id
         where t.corp_id = $1 and t.deleted_at is null and {wanted}"
    );
    let rows = db::rows(conn, &sql, args![corp, id_list(ids)]).await?;
    let mut names = HashMap::new();
    for row in &rows {
        let id: TagId = db::column(row, 0)?;
        let name = TagName {
            id,
            name: db::column(row, 1)?,
            group_name: db::column(row, 2)?,
        };
        names.insert(id, name);
    }
    Ok(names)
}

#[derive(Clone, Copy, Default)]
struct Bought {
    last_at: Option<Timestamp>,
    orders: i64,
    spent: Fen,
}

/// Last order ever; orders and net sales of the 365 days up to today.
async fn bought(
    conn: &impl Conn,
    corp: CorpId,
    contacts: &[ContactId],
    today: Option<Day>,
) -> Result<HashMap<ContactId, Bought>> {
    if contacts.is_empty() {
        return Ok(HashMap::new());
    }
    let ids = id_list(contacts.iter().map(|contact| contact.0));
    let since = today
        .unwrap_or_else(|| Clock::System.now().day(chrono_tz::Asia::Shanghai))
        .plus(-364);
    let wanted = conn.backend().in_ids("s.contact_id", "$2");
    let sql = format!(
        "select s.contact_id, max(s.paid_at),
           cast(sum(case when s.day >= $3 then 1 else 0 end) as bigint),
           cast(sum(case when s.day >= $3 then s.paid_fen else 0 end) as bigint)
         from sale s where s.corp_id = $1 and {wanted} group by s.contact_id"
    );
    let mut bought = HashMap::new();
    for row in &db::rows(conn, &sql, args![corp, ids.clone(), since]).await? {
        let of_contact = Bought {
            last_at: db::column(row, 1)?,
            orders: db::column(row, 2)?,
            spent: db::column(row, 3)?,
        };
        bought.insert(db::column::<ContactId>(row, 0)?, of_contact);
    }
    // The day is no condition: SQLite would take it for the way in, and go through every refund of a year.
    let sql = format!(
        "select s.contact_id, cast(sum(case when r.day >= $3 then r.refund_fen else 0 end) as bigint)
         from sale s join refund r on r.corp_id = s.corp_id and r.order_no = s.order_no
         where s.corp_id = $1 and {wanted} group by s.contact_id"
    );
    for row in &db::rows(conn, &sql, args![corp, ids, since]).await? {
        let returned: i64 = db::column(row, 1)?;
        if let Some(of_contact) = bought.get_mut(&db::column::<ContactId>(row, 0)?) {
            of_contact.spent = Fen(of_contact.spent.0 - returned);
        }
    }
    Ok(bought)
}

#[derive(FromQueryResult)]
struct CardRow {
    id: ContactId,
    external_userid: String,
    name: String,
    avatar: String,
    gender: i64,
    birthday: Option<String>,
    phone_last4: Option<String>,
    opted_out_at: Option<Timestamp>,
}

#[derive(FromQueryResult)]
struct CardFollow {
    id: FollowId,
    associate_id: AssociateId,
    associate_name: String,
    store_id: Option<StoreId>,
    store_name: Option<String>,
    state: String,
    remark: String,
    description: String,
    add_way: i64,
    channel: String,
    added_at: Timestamp,
    tags: String,
}

/// A contact in scope; follows outside the scope are left out.
pub async fn find(conn: &impl Conn, scope: &Scope, id: ContactId) -> Result<ContactCard> {
    let mut filter = Filter::new("c.corp_id", scope.corp);
    filter.and("c.id = {}", id);
    scope.narrow_contacts(&mut filter, conn.backend(), "c.id");
    let sql = format!(
        "select c.id, c.external_userid, c.name, c.avatar, c.gender, c.birthday, c.phone_last4, c.opted_out_at
         from contact c where {}",
        filter.sql()
    );
    let card: CardRow = db::find(conn, &sql, filter.args).await?;
    // Each knows the person by the id of the own pair.
    let mut external_userid = card.external_userid;
    if !scope.is_whole()
        && let Some(pair) = pairs(conn, scope, &[id]).await?.pop()
    {
        external_userid = pair.external_userid.0;
    }
    let follows = follows_of_card(conn, scope, id).await?;
    let bought = bought(conn, scope.corp, &[id], None).await?;
    let bought = bought.get(&id).copied().unwrap_or_default();
    Ok(ContactCard {
        id: card.id,
        external_userid,
        name: card.name,
        avatar: card.avatar,
        gender: card.gender,
        birthday: card.birthday,
        phone_last4: card.phone_last4,
        opted_out: card.opted_out_at.is_some(),
        own_fields: known::own_values(conn, scope.corp, id).await?,
        follows,
        orders_365: bought.orders,
        spent_365_fen: bought.spent,
        last_order_at: bought.last_at,
    })
}

async fn follows_of_card(conn: &impl Conn, scope: &Scope, id: ContactId) -> Result<Vec<FollowRow>> {
    let mut filter = Filter::new("f.corp_id", scope.corp);
    filter.and("f.contact_id = {}", id);
    scope.narrow(&mut filter, conn.backend(), "f");
    let sql = format!(
        "select f.id, f.associate_id, a.name as associate_name, f.store_id, s.name as store_name, f.state, f.remark,
           f.description, f.add_way, f.channel, f.added_at, f.tags
         from follow f
         join associate a on a.corp_id = f.corp_id and a.id = f.associate_id
         left join store s on s.corp_id = f.corp_id and s.id = f.store_id
         where {} order by case when f.state = 'active' then 0 else 1 end, f.added_at desc, f.id desc",
        filter.sql()
    );
    let rows: Vec<CardFollow> = db::all(conn, &sql, filter.args).await?;
    let names = tag_names(conn, scope.corp, rows.iter().flat_map(|row| tag_ids(&row.tags))).await?;
    Ok(rows
        .into_iter()
        .map(|row| FollowRow {
            id: row.id,
            associate_id: row.associate_id,
            associate_name: row.associate_name,
            store_id: row.store_id,
            store_name: row.store_name,
            state: row.state,
            remark: row.remark,
            description: row.description,
            add_way: row.add_way,
            channel: row.channel,
            added_at: row.added_at,
            tags: named(&tag_ids(&row.tags), &names),
        })
        .collect())
}

/// The live pairs of these contacts in scope.
pub async fn pairs(conn: &impl Conn, scope: &Scope, contacts: &[ContactId]) -> Result<Vec<Pair>> {
    let mut filter = Filter::new("f.corp_id", scope.corp);
    let ids = filter.arg(id_list(contacts.iter().map(|contact| contact.0)));
    filter.and_sql(&conn.backend().in_ids("f.contact_id", &ids));
    filter.and_sql("f.state = 'active'");
    scope.narrow(&mut filter, conn.backend(), "f");
    let sql = format!(
        "select f.id as follow_id, f.contact_id,
           case when f.alias = '' then c.external_userid else f.alias end as external_userid,
           f.associate_id, a.userid, f.store_id, f.tags
         from follow f
         join contact c on c.corp_id = f.corp_id and c.id = f.contact_id
         join associate a on a.corp_id = f.corp_id and a.id = f.associate_id
         where {} order by f.contact_id, f.added_at, f.id",
        filter.sql()
    );
    db::all(conn, &sql, filter.args).await
}

/// Ids one statement looks up by text.
const LOOK_UP: usize = 500;

/// Whom the platform means by an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whose {
    pub contact: ContactId,
    /// The id itself, where the contact has another of its own; else empty. As in the pairs that it names.
    pub alias: String,
}

/// Whom the platform means by these ids, whole corp.
pub async fn whose(
    conn: &impl Conn,
    corp: CorpId,
    external: &[ExternalUserId],
) -> Result<HashMap<ExternalUserId, Whose>> {
    let mut found = HashMap::with_capacity(external.len());
    for chunk in external.chunks(LOOK_UP) {
        let mut filter = Filter::new("corp_id", corp);
        let places: Vec<String> = chunk.iter().map(|id| filter.arg(id.clone())).collect();
        filter.and_sql(&format!("external_userid in ({})", places.join(", ")));
        let sql = format!(
            "select external_userid, contact_id, alias from known_contact where {}",
            filter.sql()
        );
        for row in &db::rows(conn, &sql, filter.args).await? {
            let whose = Whose {
                contact: db::column(row, 1)?,
                alias: db::column(row, 2)?,
            };
            found.insert(db::column(row, 0)?, whose);
        }
    }
    Ok(found)
}

/// Ids of contacts by the platform's ids, whole corp.
pub async fn ids_of(
    conn: &impl Conn,
    corp: CorpId,
    external: &[ExternalUserId],
) -> Result<HashMap<ExternalUserId, ContactId>> {
    let whose = whose(conn, corp, external).await?;
    Ok(whose.into_iter().map(|(id, whose)| (id, whose.contact)).collect())
}

/// Who a contact is now that was merged into another; `None`: it was not.
pub async fn kept_of(conn: &impl Conn, corp: CorpId, merged: ContactId) -> Result<Option<ContactId>> {
    let sql = "select contact_id from merged_contact where corp_id = $1 and id = $2";
    db::scalar(conn, sql, args![corp, merged]).await
}

/// Every id by which the platform knows a contact.
pub async fn external_ids(conn: &impl Conn, corp: CorpId, contact: ContactId) -> Result<Vec<String>> {
    let sql = "select external_userid from known_contact where corp_id = $1 and contact_id = $2";
    db::scalars(conn, sql, args![corp, contact]).await
}

/// A contact by unionid, whole corp: the join to the mini-store.
pub async fn find_by_unionid(conn: &impl Conn, corp: CorpId, unionid: &str) -> Result<Option<ContactId>> {
    let sql = "select id from contact where corp_id = $1 and unionid = $2 order by id limit 1";
    db::scalar(conn, sql, args![corp, unionid]).await
}

/// A contact by phone number fingerprint ([`crate::seal::Sealer::blind`] of [`phone_digits`]).
pub async fn find_by_phone(conn: &impl Conn, corp: CorpId, blind: &str) -> Result<Option<ContactId>> {
    let sql = "select id from contact where corp_id = $1 and phone_blind = $2
               union all
               select contact_id from merged_contact where corp_id = $1 and phone_blind = $2 order by id limit 1";
    db::scalar(conn, sql, args![corp, blind]).await
}

/// The pair of the caller, an associate, with a contact; of two with one person, that added last.
pub(super) async fn own_pair(conn: &impl Conn, scope: &Scope, contact: ContactId) -> Result<Pair> {
    if !matches!(scope.reach, Reach::Own(_)) {
        return Err(Error::Forbidden(
            "only the associate who follows the contact may change this".into(),
        ));
    }
    pairs(conn, scope, &[contact]).await?.pop().ok_or(Error::NotFound)
}
