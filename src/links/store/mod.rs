//! Statements on `link`, and what a link led to: reads of `click`, and of `credit` and `adjustment` as they are.

pub(super) mod clicks;

use sea_orm::FromQueryResult;
use serde_json::json;

use super::{Click, Link, LinkTarget, NewLink, Resolved, target};
use crate::args;
use crate::auth::audit;
use crate::db::{self, Backend, Conn, Filter, Tx};
use crate::error::{Error, Problem, Result, said};
use crate::ids::{
    AssociateId, CampaignId, ClickId, ContactId, CorpId, LinkId, MomentId, StoreId, random_base62,
};
use crate::money::Fen;
use crate::page::{Page, PageOf};
use crate::scope::{Act, Reach, Scope};
use crate::time::{Day, Timestamp, zone};

/// Characters of a code: guessing one of many shared links, or the one link of one contact, must be hopeless.
const SHARED_CODE: usize = 11;
const CONTACT_CODE: usize = 17;
/// Characters of a title.
pub const MAX_TITLE: usize = 60;

#[derive(Debug, Clone, Default)]
pub struct LinkFilter {
    pub store: Option<StoreId>,
    pub associate: Option<AssociateId>,
    pub campaign: Option<CampaignId>,
    /// Only links people made themselves, not those of a campaign or moment.
    pub own_only: bool,
}

const LINK: &str = "select l.id, l.code, l.title, l.target, l.store_id, l.associate_id, a.name as associate_name,
       l.campaign_id, l.moment_id, l.contact_id, l.created_at, l.closed_at,
       (select count(*) from click k where k.corp_id = l.corp_id and k.link_id = l.id and k.kind = 'person') as clicks,
       (select count(distinct k.contact_id) from click k where k.corp_id = l.corp_id and k.link_id = l.id
          and k.kind = 'person') as people,
       (select count(distinct c.order_id) from credit c where c.corp_id = l.corp_id and c.link_id = l.id) as orders,
       coalesce((select cast(sum(c.paid_fen) as bigint) from credit c
          where c.corp_id = l.corp_id and c.link_id = l.id), 0)
       - coalesce((select cast(sum(j.refund_fen) as bigint) from credit c
          join adjustment j on j.corp_id = c.corp_id and j.order_id = c.order_id and j.part = c.part
          where c.corp_id = l.corp_id and c.link_id = l.id), 0) as net_fen
  from link l left join associate a on a.corp_id = l.corp_id and a.id = l.associate_id";

/// Links in scope, newest first.
pub async fn list(conn: &impl Conn, scope: &Scope, filter: &LinkFilter, page: &PageOf) -> Result<Page<Link>> {
    let mut narrowed = in_scope(scope, conn.backend());
    if let Some(store) = filter.store {
        narrowed.and("l.store_id = {}", store);
    }
    if let Some(associate) = filter.associate {
        narrowed.and("l.associate_id = {}", associate);
    }
    if let Some(campaign) = filter.campaign {
        narrowed.and("l.campaign_id = {}", campaign);
    }
    if filter.own_only {
        narrowed.and_sql("l.campaign_id is null and l.moment_id is null");
    }
    if let Some(after) = page.after::<i64>()? {
        narrowed.and("l.id < {}", after);
    }
    let limit = narrowed.arg(page.limit() + 1);
    let sql = format!("{LINK} where {} order by l.id desc limit {limit}", narrowed.sql());
    let rows = db::all::<LinkRow>(conn, &sql, narrowed.args).await?;
    let links = rows.into_iter().map(Link::try_from).collect::<Result<_>>()?;
    Ok(Page::cut(links, page, |link: &Link| link.id.0))
}

/// A link by what people tell it by.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Titled {
    pub id: LinkId,
    pub title: String,
    pub associate_name: Option<String>,
    pub created_at: Timestamp,
}

/// The newest links in scope that people made themselves, by their titles.
pub async fn newest_titled(conn: &impl Conn, scope: &Scope, most: i64) -> Result<Vec<Titled>> {
    let mut own = in_scope(scope, conn.backend());
    own.and_sql("l.campaign_id is null and l.moment_id is null");
    let limit = own.arg(most);
    titled(conn, own, &format!("limit {limit}")).await
}

/// Those of some links that are in scope, by their titles.
pub async fn titled_by_id(conn: &impl Conn, scope: &Scope, ids: &[LinkId]) -> Result<Vec<Titled>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut named = in_scope(scope, conn.backend());
    let place = named.arg(db::id_list(ids.iter().map(|id| id.0)));
    named.and_sql(&conn.backend().in_ids("l.id", &place));
    titled(conn, named, "").await
}

async fn titled(conn: &impl Conn, which: Filter, limit: &str) -> Result<Vec<Titled>> {
    let sql = format!(
        "select l.id, l.title, a.name as associate_name, l.created_at
           from link l left join associate a on a.corp_id = l.corp_id and a.id = l.associate_id
          where {} order by l.id desc {limit}",
        which.sql()
    );
    db::all(conn, &sql, which.args).await
}

pub async fn find(conn: &impl Conn, scope: &Scope, id: LinkId) -> Result<Link> {
    let mut narrowed = in_scope(scope, conn.backend());
    narrowed.and("l.id = {}", id);
    let sql = format!("{LINK} where {}", narrowed.sql());
    db::find::<LinkRow>(conn, &sql, narrowed.args).await?.try_into()
}

fn in_scope(scope: &Scope, backend: Backend) -> Filter {
    let mut filter = Filter::new("l.corp_id", scope.corp);
    scope.narrow(&mut filter, backend, "l");
    filter
}

/// Makes links; answers them in order with their codes.
///
/// # Errors
/// `Invalid` when a target is not `https` (or `http` on loopback), not on an allowed host, or not a plain URL, and
/// for a store, an associate, a campaign, a moment or a contact that is not in scope.
pub async fn create(
    tx: &Tx,
    act: &Act<'_>,
    scope: &Scope,
    corp: &crate::directory::Corp,
    new: Vec<NewLink>,
) -> Result<Vec<(LinkId, String)>> {
    let mut problems = Vec::new();
    let is_single = new.len() == 1;
    for (index, link) in new.iter().enumerate() {
        let at = if is_single {
            String::new()
        } else {
            format!("/{index}")
        };
        problems.extend(title_problem(&link.title, &at));
        problems.extend(target::problems(
            &link.target,
            &corp.link_hosts,
            &format!("{at}/target"),
        ));
        problems.extend(owner_problems(tx, scope, link, &at).await?);
    }
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    issue(tx, act, scope.corp, new).await
}

/// Writes links whose parts the caller has checked already: those of a campaign's batches, of a moment.
pub async fn issue(tx: &Tx, act: &Act<'_>, corp: CorpId, new: Vec<NewLink>) -> Result<Vec<(LinkId, String)>> {
    let mut made = Vec::with_capacity(new.len());
    let mut rows = Vec::with_capacity(new.len());
    for link in new {
        let id = LinkId::new(act.ids, act.now);
        let code = random_base62(if link.contact.is_some() {
            CONTACT_CODE
        } else {
            SHARED_CODE
        });
        rows.push(args![
            corp,
            id,
            code.clone(),
            link.title,
            serde_json::to_string(&link.target)?,
            link.store,
            link.associate,
            link.campaign,
            link.moment,
            link.contact,
            act.by.to_string(),
            act.now
        ]);
        made.push((id, code));
    }
    db::insert_many(
        tx,
        "insert into link (corp_id, id, code, title, target, store_id, associate_id, campaign_id, moment_id,
           contact_id, created_by, created_at)",
        rows,
        "",
    )
    .await?;
    Ok(made)
}

/// Takes back links that nobody has been given yet.
pub async fn withdraw(tx: &Tx, corp: CorpId, links: &[LinkId]) -> Result<()> {
    let sql = format!(
        "delete from link where corp_id = $1 and {}",
        tx.backend().in_ids("id", "$2")
    );
    db::run(
        tx,
        &sql,
        args![corp, db::id_list(links.iter().map(|link| link.0))],
    )
    .await?;
    Ok(())
}

fn title_problem(title: &str, at: &str) -> Option<Problem> {
    let length = title.trim().chars().count();
    (length == 0 || length > MAX_TITLE).then(|| {
        Problem::new(
            format!("{at}/title"),
            said!(
                "refused-title-length",
                "a title has 1 to {most} characters, this one {length}",
                most = MAX_TITLE,
                length = length
            ),
        )
    })
}

/// A link speaks for a store or an associate, so it may only name those its maker sees.
async fn owner_problems(tx: &Tx, scope: &Scope, link: &NewLink, at: &str) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    let mut refuse = |field: &str, id: i64| {
        problems.push(Problem::new(
            format!("{at}/{field}"),
            said!(
                "refused-link-owner",
                "there is no `{id}` in your reach",
                id = id.to_string()
            ),
        ));
    };
    if let Some(store) = link.store
        && !sees_store(tx, scope, store).await?
    {
        refuse("store_id", store.0);
    }
    if let Some(associate) = link.associate
        && !sees_associate(tx, scope, associate).await?
    {
        refuse("associate_id", associate.0);
    }
    if let Some(campaign) = link.campaign
        && !has(
            tx,
            "select 1 from campaign where corp_id = $1 and id = $2",
            args![scope.corp, campaign],
        )
        .await?
    {
        refuse("campaign_id", campaign.0);
    }
    if let Some(moment) = link.moment
        && !has(
            tx,
            "select 1 from moment where corp_id = $1 and id = $2",
            args![scope.corp, moment],
        )
        .await?
    {
        refuse("moment_id", moment.0);
    }
    if let Some(contact) = link.contact
        && visible(tx, scope, &[contact]).await?.is_empty()
    {
        refuse("contact_id", contact.0);
    }
    Ok(problems)
}

async fn has(conn: &impl Conn, sql: &str, args: Vec<sea_orm::Value>) -> Result<bool> {
    Ok(!db::rows(conn, sql, args).await?.is_empty())
}

async fn sees_store(conn: &impl Conn, scope: &Scope, store: StoreId) -> Result<bool> {
    let known = "select 1 from store where corp_id = $1 and id = $2";
    match &scope.reach {
        Reach::Whole => has(conn, known, args![scope.corp, store]).await,
        Reach::Stores(stores) => Ok(stores.contains(&store)),
        // An associate's links are their store's as well.
        Reach::Own(associate) => {
            let own = "select 1 from associate where corp_id = $1 and id = $2 and store_id = $3";
            has(conn, own, args![scope.corp, *associate, store]).await
        }
    }
}

async fn sees_associate(conn: &impl Conn, scope: &Scope, associate: AssociateId) -> Result<bool> {
    let mut filter = Filter::new("a.corp_id", scope.corp);
    filter.and("a.id = {}", associate);
    match &scope.reach {
        Reach::Whole => {}
        Reach::Stores(stores) => {
            let place = filter.arg(db::id_list(stores.iter().map(|store| store.0)));
            filter.and_sql(&conn.backend().in_ids("a.store_id", &place));
        }
        Reach::Own(own) => {
            filter.and("a.id = {}", *own);
        }
    }
    let sql = format!("select 1 from associate a where {}", filter.sql());
    has(conn, &sql, filter.args).await
}

/// Those of the contacts that the scope may see.
async fn visible(conn: &impl Conn, scope: &Scope, contacts: &[ContactId]) -> Result<Vec<ContactId>> {
    let backend = conn.backend();
    let mut filter = Filter::new("c.corp_id", scope.corp);
    let place = filter.arg(db::id_list(contacts.iter().map(|contact| contact.0)));
    filter.and_sql(&backend.in_ids("c.id", &place));
    scope.narrow_contacts(&mut filter, backend, "c.id");
    let sql = format!("select c.id from contact c where {}", filter.sql());
    db::scalars(conn, &sql, filter.args).await
}

/// Renames a link, or closes it: a closed link answers as if it were not there.
///
/// # Errors
/// `Forbidden` for the link of a campaign or a moment, unless all of the corp is in scope: others made it, and customers
/// of other stores hold it.
pub async fn change(
    tx: &Tx,
    act: &Act<'_>,
    scope: &Scope,
    id: LinkId,
    title: Option<&str>,
    close: bool,
) -> Result<()> {
    let link = find(tx, scope, id).await?;
    if (link.campaign_id.is_some() || link.moment_id.is_some()) && !scope.is_whole() {
        return Err(Error::Forbidden(
            "the link of a campaign or a moment is changed by headquarters".into(),
        ));
    }
    let subject = format!("link:{id}");
    if let Some(title) = title {
        if let Some(problem) = title_problem(title, "") {
            return Err(Error::Invalid(vec![problem]));
        }
        let sql = "update link set title = $3 where corp_id = $1 and id = $2";
        db::run(tx, sql, args![scope.corp, id, title.trim()]).await?;
        audit::append(tx, act, scope.corp, "link.rename", &subject, &json!({})).await?;
    }
    if close {
        let sql = "update link set closed_at = $3 where corp_id = $1 and id = $2 and closed_at is null";
        let closed = db::run(tx, sql, args![scope.corp, id, act.now]).await?;
        if closed > 0 {
            audit::append(tx, act, scope.corp, "link.close", &subject, &json!({})).await?;
        }
    }
    Ok(())
}

/// Clicks on a link, last first. A person is named only to those who may see them.
pub async fn clicks(conn: &impl Conn, scope: &Scope, id: LinkId, page: &PageOf) -> Result<Page<Click>> {
    find(conn, scope, id).await?;
    let mut filter = Filter::new("k.corp_id", scope.corp);
    filter.and("k.link_id = {}", id);
    if let Some((at, click)) = page.after::<(i64, i64)>()? {
        let (at, click) = (filter.arg(at), filter.arg(click));
        filter.and_sql(&format!("(k.at < {at} or (k.at = {at} and k.id < {click}))"));
    }
    let limit = filter.arg(page.limit() + 1);
    let sql = format!(
        "select k.id, k.link_id, k.at, k.contact_id, k.kind from click k where {} order by k.at desc, k.id desc limit {limit}",
        filter.sql()
    );
    let rows = db::all::<ClickRow>(conn, &sql, filter.args).await?;
    let named: Vec<ContactId> = rows.iter().filter_map(|row| row.contact_id).collect();
    let visible = visible(conn, scope, &named).await?;
    let clicks = rows
        .into_iter()
        .map(|row| Click {
            id: row.id,
            link_id: row.link_id,
            at: row.at,
            contact_id: row.contact_id.filter(|contact| visible.contains(contact)),
            kind: row.kind,
        })
        .collect();
    Ok(Page::cut(clicks, page, |click: &Click| (click.at.0, click.id.0)))
}

/// By code, for the redirect. No session, no scope: the code is the key. A closed link is not there.
pub async fn resolve(conn: &impl Conn, code: &str) -> Result<Resolved> {
    let sql =
        "select l.corp_id, coalesce(s.zone, c.zone) as zone, l.id, l.target, l.store_id, l.associate_id,
                      l.campaign_id, l.moment_id, l.contact_id
                 from link l join corp c on c.id = l.corp_id
                 left join store s on s.corp_id = l.corp_id and s.id = l.store_id
                where l.code = $1 and l.closed_at is null";
    let row = db::find::<ResolvedRow>(conn, sql, args![code]).await?;
    Ok(Resolved {
        corp: row.corp_id,
        zone: zone(&row.zone).unwrap_or(chrono_tz::Asia::Shanghai),
        link: row.id,
        target: serde_json::from_str(&row.target)?,
        store: row.store_id,
        associate: row.associate_id,
        campaign: row.campaign_id,
        moment: row.moment_id,
        contact: row.contact_id,
    })
}

#[derive(FromQueryResult)]
struct LinkRow {
    id: LinkId,
    code: String,
    title: String,
    target: String,
    store_id: Option<StoreId>,
    associate_id: Option<AssociateId>,
    associate_name: Option<String>,
    campaign_id: Option<CampaignId>,
    moment_id: Option<MomentId>,
    contact_id: Option<ContactId>,
    created_at: Timestamp,
    closed_at: Option<Timestamp>,
    clicks: i64,
    people: i64,
    orders: i64,
    net_fen: Fen,
}

impl TryFrom<LinkRow> for Link {
    type Error = Error;
    fn try_from(row: LinkRow) -> Result<Self> {
        let target: LinkTarget = serde_json::from_str(&row.target)?;
        Ok(Self {
            id: row.id,
            code: row.code,
            title: row.title,
            target,
            store_id: row.store_id,
            associate_id: row.associate_id,
            associate_name: row.associate_name,
            campaign_id: row.campaign_id,
            moment_id: row.moment_id,
            contact_id: row.contact_id,
            created_at: row.created_at,
            closed_at: row.closed_at,
            clicks: row.clicks,
            people: row.people,
            orders: row.orders,
            net_fen: row.net_fen,
        })
    }
}

#[derive(FromQueryResult)]
struct ClickRow {
    id: ClickId,
    link_id: LinkId,
    at: Timestamp,
    contact_id: Option<ContactId>,
    kind: String,
}

#[derive(FromQueryResult)]
struct ResolvedRow {
    corp_id: CorpId,
    zone: String,
    id: LinkId,
    target: String,
    store_id: Option<StoreId>,
    associate_id: Option<AssociateId>,
    campaign_id: Option<CampaignId>,
    moment_id: Option<MomentId>,
    contact_id: Option<ContactId>,
}

/// Counted clicks of every day from `from` to `to`; days without one are there with 0.
///
/// # Errors
/// `NotFound` for a link out of scope.
pub async fn clicks_by_day(
    conn: &impl Conn,
    scope: &Scope,
    id: LinkId,
    from: Day,
    to: Day,
) -> Result<Vec<(Day, i64)>> {
    find(conn, scope, id).await?;
    let sql = "select day, count(*) from click
        where corp_id = $1 and link_id = $2 and kind = 'person' and day >= $3 and day <= $4
        group by day";
    let mut counted = std::collections::HashMap::new();
    for row in db::rows(conn, sql, args![scope.corp, id, from, to]).await? {
        counted.insert(db::column::<Day>(&row, 0)?, db::column::<i64>(&row, 1)?);
    }
    Ok(from
        .through(to)
        .map(|day| (day, counted.get(&day).copied().unwrap_or(0)))
        .collect())
}
