//! Taking a file in: it is stored as it comes, never held whole, and nothing is done with it before its last byte.

use std::pin::pin;

use futures_util::{Stream, StreamExt as _};

use super::head::{self, Head};
use super::jobs::Load;
use super::lines::Lines;
use super::store::imports as store;
use super::text::Text;
use crate::app::App;
use crate::auth::audit;
use crate::contacts::{self, ContactField};
use crate::db::Tx;
use crate::error::{Error, Result, said};
use crate::ids::{CorpId, ImportId};
use crate::job;
use crate::scope::Act;

/// Of one file.
pub const MOST_BYTES: usize = 64 * 1024 * 1024;
pub const MOST_ROWS: i64 = 500_000;
/// Rows taken in one transaction.
pub(super) const PART_ROWS: usize = 1_000;
const MAX_NAME: usize = 100;

/// Stores a file that comes in pieces. It waits for [`start`]; [`let_go`] forgets it.
///
/// # Errors
/// `Invalid` for a file that is no table of ours; nothing of it stays.
pub async fn receive<B, E>(
    app: &App,
    act: &Act<'_>,
    corp: CorpId,
    name: &str,
    pieces: impl Stream<Item = Result<B, E>> + Send,
) -> Result<ImportId>
where
    B: AsRef<[u8]> + Send,
    E: Send,
{
    let id = ImportId::new(act.ids, act.now);
    let tx = app.db.begin().await?;
    let name: String = name.trim().chars().take(MAX_NAME).collect();
    store::insert(&tx, corp, id, &name, act).await?;
    tx.commit().await?;
    let fields = contacts::fields(&app.db, corp).await?;
    let taking = Taking {
        app,
        corp,
        id,
        fields,
        head: None,
        waiting: Vec::new(),
        part: 0,
        total: 0,
    };
    match taking.all(pieces).await {
        Ok(()) => Ok(id),
        Err(error) => {
            let_go(app, corp, id).await?;
            Err(error)
        }
    }
}

/// Begins with a file that was received.
pub async fn start(tx: &Tx, act: &Act<'_>, corp: CorpId, id: ImportId) -> Result<()> {
    let total = store::start(tx, corp, id).await?.ok_or(Error::NotFound)?;
    job::enqueue(tx, act.ids, act.now, corp, &Load { import: id }, act.now).await?;
    let detail = serde_json::json!({ "rows": total });
    audit::append(tx, act, corp, "import.start", &format!("import:{id}"), &detail).await
}

/// Forgets a file that nothing was done with.
pub async fn let_go(app: &App, corp: CorpId, id: ImportId) -> Result<()> {
    let tx = app.db.begin().await?;
    store::forget(&tx, corp, id).await?;
    tx.commit().await
}

struct Taking<'a> {
    app: &'a App,
    corp: CorpId,
    id: ImportId,
    fields: Vec<ContactField>,
    head: Option<Head>,
    /// Rows of the next part.
    waiting: Vec<(i64, String)>,
    part: i64,
    total: i64,
}

impl Taking<'_> {
    async fn all<B: AsRef<[u8]>, E>(mut self, pieces: impl Stream<Item = Result<B, E>>) -> Result<()> {
        let (mut text, mut lines, mut bytes) = (Text::default(), Lines::default(), 0);
        let mut pieces = pin!(pieces);
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|_| broken())?;
            bytes += piece.as_ref().len();
            if bytes > MOST_BYTES {
                return Err(too_large());
            }
            lines.push(&text.push(piece.as_ref())?);
            while let Some((number, line)) = lines.next()? {
                self.line(number, line).await?;
            }
        }
        lines.push(&text.end()?);
        while let Some((number, line)) = lines.next()? {
            self.line(number, line).await?;
        }
        if let Some((number, line)) = lines.last() {
            self.line(number, line).await?;
        }
        self.put_part().await?;
        self.end().await
    }

    async fn line(&mut self, number: i64, line: String) -> Result<()> {
        if line.trim().is_empty() {
            return Ok(());
        }
        if self.head.is_none() {
            self.head = Some(head::read(&line, &self.fields)?);
            return Ok(());
        }
        self.total += 1;
        if self.total > MOST_ROWS {
            return Err(Error::invalid(
                "/file",
                said!(
                    "refused-csv-long",
                    "a file has at most {most} rows",
                    most = MOST_ROWS
                ),
            ));
        }
        self.waiting.push((number, line));
        if self.waiting.len() == PART_ROWS {
            self.put_part().await?;
        }
        Ok(())
    }

    async fn put_part(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let rows = serde_json::to_string(&std::mem::take(&mut self.waiting))?;
        let sealed = self.app.sealer.seal(&place(self.corp, self.id), &rows);
        let tx = self.app.db.begin().await?;
        store::put_part(&tx, self.corp, self.id, self.part, &sealed).await?;
        tx.commit().await?;
        self.part += 1;
        Ok(())
    }

    async fn end(self) -> Result<()> {
        let Some(head) = self.head.filter(|_| self.total > 0) else {
            return Err(Error::invalid(
                "/file",
                said!(
                    "refused-import-empty",
                    "there is nothing in it: the first row names the columns, the others are contacts"
                ),
            ));
        };
        let tx = self.app.db.begin().await?;
        store::received(&tx, self.corp, self.id, &head, self.total).await?;
        tx.commit().await
    }
}

/// Where rows of an import are sealed for.
pub(super) fn place(corp: CorpId, id: ImportId) -> String {
    format!("{corp}|import|rows|{id}")
}

fn broken() -> Error {
    Error::invalid(
        "/file",
        said!(
            "refused-import-broken",
            "the file broke off on its way; send it again"
        ),
    )
}

fn too_large() -> Error {
    Error::invalid(
        "/file",
        said!(
            "refused-import-large",
            "a file has at most {most} MB; divide it",
            most = MOST_BYTES / 1024 / 1024
        ),
    )
}
