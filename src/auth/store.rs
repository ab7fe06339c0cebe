//! Statements on operators, sessions, sign-in attempts, keys and the audit chain.

use std::collections::HashMap;

use sea_orm::FromQueryResult;

use crate::args;
use crate::db::{self, Conn, Tx, id_list};
use crate::error::Result;
use crate::ids::{ApiKeyId, AssociateId, CorpId, OperatorId, RegionId, StoreId};
use crate::scope::Actor;
use crate::time::Timestamp;

/// What sign-in needs to know of an operator.
#[derive(FromQueryResult)]
pub(super) struct Account {
    pub corp_id: CorpId,
    pub id: OperatorId,
    pub password_hash: Option<String>,
    pub auth_epoch: i64,
}

/// A member who left or is disabled on the platform signs in by nothing.
const ACCOUNT: &str = "select o.corp_id, o.id, o.password_hash, o.auth_epoch from operator o
     join corp on corp.id = o.corp_id and corp.status = 'active'
     where o.status = 'active' and not exists
       (select 1 from associate a where a.corp_id = o.corp_id and a.id = o.associate_id and a.status in ('left', 'disabled'))";

pub(super) async fn account_by_login(conn: &impl Conn, login: &str) -> Result<Option<Account>> {
    db::first(conn, &format!("{ACCOUNT} and o.login = $1"), args![login]).await
}

/// By platform member; one who left or is disabled has none.
pub(super) async fn account_by_userid(
    conn: &impl Conn,
    corp: CorpId,
    userid: &str,
) -> Result<Option<Account>> {
    let sql = format!(
        "{ACCOUNT} and o.corp_id = $1 and o.associate_id =
           (select a.id from associate a where a.corp_id = $1 and a.userid = $2
             and a.status not in ('left', 'disabled'))"
    );
    db::first(conn, &sql, args![corp, userid]).await
}

/// A session with the operator behind it, as both are now.
#[derive(FromQueryResult)]
pub(super) struct SessionRow {
    pub corp_id: CorpId,
    pub corp_name: String,
    pub zone: String,
    pub operator_id: OperatorId,
    pub session_epoch: i64,
    pub auth_epoch: i64,
    pub csrf: String,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub name: String,
    pub role: String,
    pub associate_id: Option<AssociateId>,
    pub store_id: Option<StoreId>,
    pub store_name: Option<String>,
    pub region_id: Option<RegionId>,
    /// The member left, or is disabled on the platform.
    pub is_shut_out: bool,
}

/// Where somebody stands in the chain.
pub(super) struct Place {
    pub associate_id: Option<AssociateId>,
    pub store_id: Option<StoreId>,
    pub region_id: Option<RegionId>,
}

impl SessionRow {
    pub fn place(&self) -> Place {
        Place {
            associate_id: self.associate_id,
            store_id: self.store_id,
            region_id: self.region_id,
        }
    }
}

/// An operator as they are now.
#[derive(FromQueryResult)]
pub(super) struct Standing {
    pub role: String,
    associate_id: Option<AssociateId>,
    store_id: Option<StoreId>,
    region_id: Option<RegionId>,
}

impl Standing {
    pub fn place(&self) -> Place {
        Place {
            associate_id: self.associate_id,
            store_id: self.store_id,
            region_id: self.region_id,
        }
    }
}

/// An operator who may sign in; `None` for one who is shut, left or is disabled on the platform.
pub(super) async fn standing(conn: &impl Conn, corp: CorpId, id: OperatorId) -> Result<Option<Standing>> {
    let sql = "select o.role, o.associate_id, coalesce(a.store_id, o.store_id) as store_id, o.region_id
               from operator o left join associate a on a.corp_id = o.corp_id and a.id = o.associate_id
               where o.corp_id = $1 and o.id = $2 and o.status = 'active'
                 and coalesce(a.status, '') not in ('left', 'disabled')";
    db::first(conn, sql, args![corp, id]).await
}

/// What operators and keys are called.
pub async fn actor_names(conn: &impl Conn, corp: CorpId, actors: &[Actor]) -> Result<HashMap<Actor, String>> {
    let mut operators = Vec::new();
    let mut keys = Vec::new();
    for actor in actors {
        match actor {
            Actor::Operator(id) => operators.push(id.0),
            Actor::ApiKey(id) => keys.push(id.0),
            _ => {}
        }
    }
    let mut names = HashMap::new();
    for (table, ids) in [("operator", operators), ("api_key", keys)] {
        let sql = format!(
            "select id, name from {table} where corp_id = $1 and {}",
            conn.backend().in_ids("id", "$2")
        );
        for row in &db::rows(conn, &sql, args![corp, id_list(ids)]).await? {
            let id: i64 = db::column(row, 0)?;
            let actor = match table {
                "operator" => Actor::Operator(OperatorId(id)),
                _ => Actor::ApiKey(ApiKeyId(id)),
            };
            names.insert(actor, db::column(row, 1)?);
        }
    }
    Ok(names)
}

/// A session that was not ended, of an operator and a corp that are active.
pub(super) async fn session(conn: &impl Conn, token_hash: &str) -> Result<Option<SessionRow>> {
    db::first(
        conn,
        "select s.corp_id, corp.name as corp_name, corp.zone, s.operator_id, s.auth_epoch as session_epoch, o.auth_epoch,
                s.csrf, s.created_at, s.last_seen_at, o.name, o.role, o.associate_id, o.region_id,
                coalesce(a.store_id, o.store_id) as store_id, st.name as store_name,
                case when a.status in ('left', 'disabled') then true else false end as is_shut_out
         from session s
         join operator o on o.corp_id = s.corp_id and o.id = s.operator_id and o.status = 'active'
         join corp on corp.id = s.corp_id and corp.status = 'active'
         left join associate a on a.corp_id = o.corp_id and a.id = o.associate_id
         left join store st on st.corp_id = o.corp_id and st.id = coalesce(a.store_id, o.store_id)
         where s.token_hash = $1 and s.ended_at is null",
        args![token_hash],
    )
    .await
}

pub(super) async fn add_session(
    tx: &Tx,
    token_hash: &str,
    account: &Account,
    csrf: &str,
    now: Timestamp,
) -> Result<()> {
    db::run(
        tx,
        "insert into session (token_hash, corp_id, operator_id, auth_epoch, csrf, created_at, last_seen_at)
         values ($1, $2, $3, $4, $5, $6, $6)",
        args![
            token_hash,
            account.corp_id,
            account.id,
            account.auth_epoch,
            csrf,
            now
        ],
    )
    .await?;
    Ok(())
}

pub(super) async fn touch_session(tx: &Tx, token_hash: &str, now: Timestamp) -> Result<()> {
    db::run(
        tx,
        "update session set last_seen_at = $2 where token_hash = $1",
        args![token_hash, now],
    )
    .await?;
    Ok(())
}

pub(super) async fn end_session(tx: &Tx, token_hash: &str, now: Timestamp) -> Result<()> {
    let sql = "update session set ended_at = $2 where token_hash = $1 and ended_at is null";
    db::run(tx, sql, args![token_hash, now]).await?;
    Ok(())
}

/// Sessions begun before `before`, and those that ended.
pub(super) async fn sweep_sessions(tx: &Tx, corp: CorpId, before: Timestamp) -> Result<()> {
    let sql = "delete from session where corp_id = $1 and (created_at < $2 or ended_at is not null)";
    db::run(tx, sql, args![corp, before]).await?;
    Ok(())
}

/// Ends the sessions of a corp's operators whose member is disabled; answers whose.
pub(super) async fn end_disabled(tx: &Tx, corp: CorpId, now: Timestamp) -> Result<Vec<OperatorId>> {
    let rows = db::rows(
        tx,
        "update session set ended_at = $2 where corp_id = $1 and ended_at is null and operator_id in
           (select o.id from operator o join associate a on a.corp_id = o.corp_id and a.id = o.associate_id
             where o.corp_id = $1 and a.status = 'disabled')
         returning operator_id",
        args![corp, now],
    )
    .await?;
    let mut ended = rows
        .iter()
        .map(|row| Ok(OperatorId(db::column(row, 0)?)))
        .collect::<Result<Vec<_>>>()?;
    ended.sort_unstable();
    ended.dedup();
    Ok(ended)
}

pub(super) async fn insert_operator(
    tx: &Tx,
    corp: CorpId,
    id: OperatorId,
    new: &super::NewOperator,
    login: &str,
    password_hash: Option<String>,
    now: Timestamp,
) -> Result<()> {
    db::run(
        tx,
        "insert into operator (corp_id, id, login, name, role, password_hash, associate_id, store_id, region_id, auth_epoch, status, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, 'active', $10)",
        args![
            corp, id, login, new.name.trim(), new.role.as_str(), password_hash, new.associate, new.store, new.region, now
        ],
    )
    .await?;
    Ok(())
}

/// Raises the epoch of an associate's operator and shuts the account; answers whether there was one.
pub(super) async fn shut_operator(tx: &Tx, corp: CorpId, associate: AssociateId) -> Result<bool> {
    let shut = db::run(
        tx,
        "update operator set status = 'shut', auth_epoch = auth_epoch + 1
         where corp_id = $1 and associate_id = $2 and status = 'active'",
        args![corp, associate],
    )
    .await?;
    Ok(shut > 0)
}

pub(super) struct Attempt<'a> {
    pub state_hash: &'a str,
    pub browser_hash: &'a str,
    pub corp: CorpId,
    pub return_to: &'a str,
    pub now: Timestamp,
}

pub(super) async fn add_attempt(tx: &Tx, attempt: Attempt<'_>) -> Result<()> {
    let Attempt {
        state_hash,
        browser_hash,
        corp,
        return_to,
        now,
    } = attempt;
    db::run(
        tx,
        "insert into oauth_attempt (state_hash, browser_hash, corp_id, return_to, created_at) values ($1, $2, $3, $4, $5)",
        args![state_hash, browser_hash, corp, return_to, now],
    )
    .await?;
    Ok(())
}

/// Sign-ins begun before `before`: they can be finished no more.
pub(super) async fn sweep_attempts(tx: &Tx, corp: CorpId, before: Timestamp) -> Result<()> {
    let sql = "delete from oauth_attempt where corp_id = $1 and created_at < $2";
    db::run(tx, sql, args![corp, before]).await?;
    Ok(())
}

/// Uses up a sign-in that began in this browser since `since`; a second use finds nothing.
pub(super) async fn use_attempt(
    tx: &Tx,
    state_hash: &str,
    browser_hash: &str,
    since: Timestamp,
    now: Timestamp,
) -> Result<Option<(CorpId, String)>> {
    let rows = db::rows(
        tx,
        "update oauth_attempt set used_at = $4
         where state_hash = $1 and browser_hash = $2 and created_at >= $3 and used_at is null
         returning corp_id, return_to",
        args![state_hash, browser_hash, since, now],
    )
    .await?;
    rows.first()
        .map(|row| Ok((db::column(row, 0)?, db::column(row, 1)?)))
        .transpose()
}

#[derive(FromQueryResult)]
pub(super) struct KeyRow {
    pub corp_id: CorpId,
    pub id: ApiKeyId,
    pub zone: String,
    pub scopes: String,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

pub(super) async fn key(conn: &impl Conn, key_hash: &str) -> Result<Option<KeyRow>> {
    db::first(
        conn,
        "select k.corp_id, k.id, corp.zone, k.scopes, k.expires_at, k.last_used_at
         from api_key k join corp on corp.id = k.corp_id and corp.status = 'active'
         where k.key_hash = $1 and k.revoked_at is null",
        args![key_hash],
    )
    .await
}

pub(super) struct KeyToAdd<'a> {
    pub corp: CorpId,
    pub id: ApiKeyId,
    pub name: &'a str,
    pub key_hash: &'a str,
    pub scopes: &'a str,
    pub expires_at: Option<Timestamp>,
    pub now: Timestamp,
}

pub(super) async fn insert_key(tx: &Tx, key: KeyToAdd<'_>) -> Result<()> {
    let KeyToAdd {
        corp,
        id,
        name,
        key_hash,
        scopes,
        expires_at,
        now,
    } = key;
    db::run(
        tx,
        "insert into api_key (corp_id, id, name, key_hash, scopes, expires_at, created_at) values ($1, $2, $3, $4, $5, $6, $7)",
        args![corp, id, name, key_hash, scopes, expires_at, now],
    )
    .await?;
    Ok(())
}

/// Whether a key may still be used.
pub(super) async fn is_key_live(
    conn: &impl Conn,
    corp: CorpId,
    id: ApiKeyId,
    now: Timestamp,
) -> Result<bool> {
    let sql = "select count(*) from api_key where corp_id = $1 and id = $2 and revoked_at is null
               and (expires_at is null or expires_at > $3)";
    Ok(db::count(conn, sql, args![corp, id, now]).await? > 0)
}

pub(super) async fn touch_key(tx: &Tx, corp: CorpId, id: ApiKeyId, now: Timestamp) -> Result<()> {
    let sql = "update api_key set last_used_at = $3 where corp_id = $1 and id = $2";
    db::run(tx, sql, args![corp, id, now]).await?;
    Ok(())
}

/// The end of an audit chain; `mac` is empty until a keyed entry seals what was there before.
#[derive(Default, FromQueryResult)]
pub(super) struct AuditHead {
    pub seq: i64,
    pub mac: String,
    pub unkeyed_to: i64,
}

/// The end of the audit chain. Locks the corp's row first, so entries come one after another.
pub(super) async fn audit_head(tx: &Tx, corp: CorpId) -> Result<Option<AuditHead>> {
    db::run(tx, "update corp set status = status where id = $1", args![corp]).await?;
    read_audit_head(tx, corp).await
}

pub(super) async fn read_audit_head(conn: &impl Conn, corp: CorpId) -> Result<Option<AuditHead>> {
    let sql = "select seq, mac, unkeyed_to from audit_head where corp_id = $1";
    db::first(conn, sql, args![corp]).await
}

pub(super) async fn put_audit_head(tx: &Tx, corp: CorpId, head: &AuditHead) -> Result<()> {
    db::run(
        tx,
        "insert into audit_head (corp_id, seq, mac, unkeyed_to) values ($1, $2, $3, $4)
         on conflict (corp_id) do update set seq = excluded.seq, mac = excluded.mac",
        args![corp, head.seq, head.mac.as_str(), head.unkeyed_to],
    )
    .await?;
    Ok(())
}

#[derive(Debug, Clone, FromQueryResult)]
pub(super) struct AuditRow {
    pub seq: i64,
    pub at: Timestamp,
    pub actor: String,
    pub action: String,
    pub subject: String,
    pub detail: String,
    pub hash: String,
}

pub(super) async fn insert_audit(tx: &Tx, corp: CorpId, row: AuditRow) -> Result<()> {
    db::run(
        tx,
        "insert into audit_entry (corp_id, seq, at, actor, action, subject, detail, hash) values ($1, $2, $3, $4, $5, $6, $7, $8)",
        args![corp, row.seq, row.at, row.actor, row.action, row.subject, row.detail, row.hash],
    )
    .await?;
    Ok(())
}

/// Entries after `seq`, in order, at most `limit`.
pub(super) async fn audit_times(
    conn: &impl Conn,
    corp: CorpId,
    actor: &str,
    action: &str,
    since: Timestamp,
) -> Result<Vec<Timestamp>> {
    // The action as a text of its own: an index of one action serves only who names it.
    let sql = format!(
        "select at from audit_entry where corp_id = $1 and actor = $2 and at > $3 and action = '{}' order by at, seq",
        action.replace('\'', "''")
    );
    db::scalars(conn, &sql, args![corp, actor, since]).await
}

pub(super) async fn audit_after(
    conn: &impl Conn,
    corp: CorpId,
    seq: i64,
    limit: i64,
) -> Result<Vec<AuditRow>> {
    db::all(
        conn,
        "select seq, at, actor, action, subject, detail, hash from audit_entry
         where corp_id = $1 and seq > $2 order by seq limit $3",
        args![corp, seq, limit],
    )
    .await
}
