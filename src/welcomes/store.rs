//! Statements on `welcome` and `welcome_sent`.

use sea_orm::FromQueryResult;

use super::{AppliesTo, Outcome, Welcome};
use crate::args;
use crate::db::{self, Conn, Tx};
use crate::directory;
use crate::error::{Error, Result};
use crate::ids::{AssociateId, ContactId, CorpId, StoreId, WelcomeId};
use crate::links::content::Content;
use crate::scope::{Act, Scope};
use crate::time::Timestamp;

/// Longest channel state the platform carries, in bytes.
const MAX_CHANNEL: usize = 64;

#[derive(FromQueryResult)]
struct Row {
    id: WelcomeId,
    applies_to: String,
    text: String,
    attachments: String,
    updated_at: Timestamp,
}

impl TryFrom<Row> for Welcome {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let applies_to = AppliesTo::parse(&row.applies_to).ok_or_else(|| {
            Error::internal(format!("`{}` is not what a welcome applies to", row.applies_to))
        })?;
        let content = Content {
            text: row.text,
            attachments: serde_json::from_str(&row.attachments)?,
        };
        Ok(Self {
            id: row.id,
            applies_to,
            content,
            updated_at: row.updated_at,
        })
    }
}

const WELCOME: &str = "select id, applies_to, text, attachments, updated_at from welcome where corp_id = $1";

pub async fn list(conn: &impl Conn, scope: &Scope) -> Result<Vec<Welcome>> {
    let rows: Vec<Row> = db::all(conn, &format!("{WELCOME} order by id"), args![scope.corp]).await?;
    rows.into_iter().map(Welcome::try_from).collect()
}

pub async fn find(conn: &impl Conn, scope: &Scope, id: WelcomeId) -> Result<Welcome> {
    let row: Row = db::find(conn, &format!("{WELCOME} and id = $2"), args![scope.corp, id]).await?;
    Welcome::try_from(row)
}

/// The nearest that fits.
pub(super) async fn nearest(
    conn: &impl Conn,
    corp: CorpId,
    channel: &str,
    store: Option<StoreId>,
) -> Result<Option<Welcome>> {
    let wanted = [
        AppliesTo::Corp.to_string(),
        store.map_or_else(String::new, |store| AppliesTo::Store(store).to_string()),
        AppliesTo::Channel(channel.to_owned()).to_string(),
    ];
    let [corp_wide, of_store, of_channel] = wanted;
    let sql = format!("{WELCOME} and applies_to in ($2, $3, $4)");
    let rows: Vec<Row> = db::all(conn, &sql, args![corp, corp_wide, of_store, of_channel]).await?;
    let welcomes = rows
        .into_iter()
        .map(Welcome::try_from)
        .collect::<Result<Vec<Welcome>>>()?;
    let fitting = welcomes.into_iter().filter_map(|welcome| {
        let nearness = welcome.applies_to.nearness(channel, store)?;
        Some((nearness, welcome))
    });
    Ok(fitting
        .max_by_key(|(nearness, _)| *nearness)
        .map(|(_, welcome)| welcome))
}

/// # Errors
/// `Invalid` for an unknown store, a channel that is empty or too long, a second welcome for the same, or content
/// the platform would refuse.
pub async fn create(
    tx: &Tx,
    act: &Act<'_>,
    scope: &Scope,
    applies_to: AppliesTo,
    content: &Content,
) -> Result<WelcomeId> {
    checked(content)?;
    match &applies_to {
        AppliesTo::Store(store) => {
            let unknown = || Error::invalid("/applies_to/store_id", format!("there is no store `{store}`"));
            directory::find_store(tx, scope, *store)
                .await
                .map_err(|_| unknown())?;
        }
        AppliesTo::Channel(state) if state.is_empty() || state.len() > MAX_CHANNEL => {
            let message = format!("a channel is 1 to {MAX_CHANNEL} bytes long, not {}", state.len());
            return Err(Error::invalid("/applies_to/channel", message));
        }
        AppliesTo::Channel(_) | AppliesTo::Corp => {}
    }
    let id = WelcomeId::new(act.ids, act.now);
    db::run(
        tx,
        "insert into welcome (corp_id, id, applies_to, text, attachments, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $6)",
        args![
            scope.corp,
            id,
            applies_to.to_string(),
            content.text.clone(),
            serde_json::to_string(&content.attachments)?,
            act.now
        ],
    )
    .await
    .map_err(|error| {
        error.on_conflict(
            "/applies_to",
            format!("`{applies_to}` has a welcome already; change that one"),
        )
    })?;
    Ok(id)
}

fn checked(content: &Content) -> Result<()> {
    let mut problems = content.problems("");
    if content.text.trim().is_empty() && content.attachments.is_empty() {
        problems.push(crate::error::Problem::new(
            "/text",
            "a welcome says something; write a text or attach a page",
        ));
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(problems))
    }
}

pub async fn change(tx: &Tx, act: &Act<'_>, scope: &Scope, id: WelcomeId, content: &Content) -> Result<()> {
    checked(content)?;
    let changed = db::run(
        tx,
        "update welcome set text = $3, attachments = $4, updated_at = $5 where corp_id = $1 and id = $2",
        args![
            scope.corp,
            id,
            content.text.clone(),
            serde_json::to_string(&content.attachments)?,
            act.now
        ],
    )
    .await?;
    if changed == 0 {
        Err(Error::NotFound)
    } else {
        Ok(())
    }
}

pub async fn delete(tx: &Tx, scope: &Scope, id: WelcomeId) -> Result<()> {
    let gone = db::run(
        tx,
        "delete from welcome where corp_id = $1 and id = $2",
        args![scope.corp, id],
    )
    .await?;
    if gone == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// One use of a welcome code, by its fingerprint.
pub(super) struct Use<'a> {
    pub code_hash: &'a str,
    pub contact: Option<ContactId>,
    pub associate: Option<AssociateId>,
    pub welcome: WelcomeId,
    pub at: Timestamp,
}

/// Notes that a code is about to be used. `false`: it was before.
pub(super) async fn intend(tx: &Tx, corp: CorpId, code: &Use<'_>) -> Result<bool> {
    let noted = db::run(
        tx,
        "insert into welcome_sent (corp_id, code_hash, contact_id, associate_id, welcome_id, state, reason, at)
         values ($1, $2, $3, $4, $5, 'sending', null, $6) on conflict (corp_id, code_hash) do nothing",
        args![
            corp,
            code.code_hash,
            code.contact,
            code.associate,
            code.welcome,
            code.at
        ],
    )
    .await?;
    Ok(noted == 1)
}

pub(super) async fn record(
    tx: &Tx,
    corp: CorpId,
    code_hash: &str,
    outcome: &Outcome,
    at: Timestamp,
) -> Result<()> {
    let (state, reason) = match outcome {
        Outcome::Sent => ("sent", None),
        Outcome::Late => ("late", None),
        Outcome::NoneSet => ("none_set", None),
        Outcome::Failed { reason } => ("failed", Some(reason.clone())),
    };
    let sql =
        "update welcome_sent set state = $3, reason = $4, at = $5 where corp_id = $1 and code_hash = $2";
    db::run(tx, sql, args![corp, code_hash, state, reason, at]).await?;
    Ok(())
}

/// What became of a code that was used before.
pub(super) async fn outcome(conn: &impl Conn, corp: CorpId, code_hash: &str) -> Result<Outcome> {
    let sql = "select state, reason from welcome_sent where corp_id = $1 and code_hash = $2";
    let rows = db::rows(conn, sql, args![corp, code_hash]).await?;
    let row = rows.first().ok_or(Error::NotFound)?;
    let (state, reason): (String, Option<String>) = (db::column(row, 0)?, db::column(row, 1)?);
    Ok(match state.as_str() {
        "sent" => Outcome::Sent,
        "late" => Outcome::Late,
        "none_set" => Outcome::NoneSet,
        _ => Outcome::Failed {
            reason: reason.unwrap_or_else(|| "begun before, outcome not known; never sent twice".into()),
        },
    })
}

/// A welcome that was sent before we knew the contact.
#[derive(FromQueryResult)]
pub(super) struct Unnamed {
    pub associate_id: Option<AssociateId>,
    pub at: Timestamp,
}

/// Gives a sent welcome its contact. `None`: it has one, or was not sent.
pub(super) async fn name_contact(
    tx: &Tx,
    corp: CorpId,
    code_hash: &str,
    contact: ContactId,
) -> Result<Option<Unnamed>> {
    let sql = "update welcome_sent set contact_id = $3
               where corp_id = $1 and code_hash = $2 and contact_id is null and state = 'sent'
               returning associate_id, at";
    db::first(tx, sql, args![corp, code_hash, contact]).await
}
