//! Going on with an import: a thousand rows a transaction. What was taken is gone from the rows that wait in the same
//! transaction, so whoever goes on after a crash takes each row once.

use std::collections::HashMap;

use super::State;
use super::head::{Column, Head};
use super::lines::cells;
use super::receive::place;
use super::store::imports::{self as store, Counts};
use crate::app::App;
use crate::auth::audit;
use crate::contacts::{self, ContactField, FindBy, Learned, Phone, birthday};
use crate::db::Tx;
use crate::error::{Error, Result, Said, said};
use crate::ids::{ContactId, CorpId, ImportId};
use crate::scope::{Act, Actor};
use secrecy::ExposeSecret as _;

/// What became of a try to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// There may be more.
    Went,
    Done,
    /// It is not under way: stopped, failed, done.
    Ended,
}

/// A row that is not loaded, and why.
pub(super) struct Refusal {
    pub line: i64,
    /// Its column's name; empty: the row as a whole.
    pub column: String,
    pub why: Said,
    pub cells: Vec<String>,
}

/// Takes the next rows of an import, or ends it when there are none.
pub async fn take_part(app: &App, corp: CorpId, id: ImportId) -> Result<Outcome> {
    let act = app.act(Actor::System);
    let tx = app.db.begin().await?;
    let Some(head) = store::hold(&tx, corp, id).await? else {
        return Ok(Outcome::Ended);
    };
    let Some((part, sealed)) = store::next_part(&tx, corp, id).await? else {
        store::end(&tx, corp, id, State::Done, None, act.now).await?;
        tx.commit().await?;
        return Ok(Outcome::Done);
    };
    let rows = app.sealer.open(&place(corp, id), &sealed)?;
    let rows: Vec<(i64, String)> = serde_json::from_str(rows.expose_secret())?;
    let fields = contacts::fields(&tx, corp).await?;
    let reading = Reading {
        app,
        corp,
        id,
        head,
        fields,
        refused: Vec::new(),
    };
    let (counts, refused) = reading.load(&tx, &act, &rows).await?;
    store::refuse(&tx, app, corp, id, refused).await?;
    store::taken(&tx, corp, id, part, counts).await?;
    tx.commit().await?;
    Ok(Outcome::Went)
}

/// Stops an import under way; what is loaded stays, the rows that waited are forgotten.
///
/// # Errors
/// `Conflict` when it has ended.
pub async fn end_import(tx: &Tx, act: &Act<'_>, corp: CorpId, id: ImportId) -> Result<()> {
    if !store::end(tx, corp, id, State::Stopped, None, act.now).await? {
        return Err(Error::conflict(said!(
            "conflict-import-ended",
            "this import has ended already"
        )));
    }
    let nothing = serde_json::json!({});
    audit::append(tx, act, corp, "import.stop", &format!("import:{id}"), &nothing).await
}

/// A row as its cells.
struct Row {
    line: i64,
    cells: Vec<String>,
}

/// What finds a row's contact.
struct Key {
    /// The column's place.
    column: usize,
    by: FindBy,
    text: String,
}

struct Reading<'a> {
    app: &'a App,
    corp: CorpId,
    id: ImportId,
    head: Head,
    fields: Vec<ContactField>,
    refused: Vec<Refusal>,
}

impl Reading<'_> {
    async fn load(
        mut self,
        tx: &Tx,
        act: &Act<'_>,
        lines: &[(i64, String)],
    ) -> Result<(Counts, Vec<Refusal>)> {
        let rows = self.rows(lines);
        let found = self.find(tx, rows).await?;
        let found = self.once_each(tx, found).await?;
        let mut learned = Vec::with_capacity(found.len());
        for (row, key, contact) in found {
            match self.read(&row, &key, contact) {
                Ok(one) => learned.push(one),
                Err((column, why)) => self.refuse(row, Some(column), why),
            }
        }
        let news = contacts::learn(tx, act, self.corp, &learned).await?;
        let counts = Counts {
            loaded: news.len() as i64,
            unchanged: (learned.len() - news.len()) as i64,
            refused: self.refused.len() as i64,
        };
        Ok((counts, self.refused))
    }

    fn refuse(&mut self, row: Row, column: Option<usize>, why: Said) {
        let column = column.map(|column| self.head.names[column].clone());
        self.refused.push(Refusal {
            line: row.line,
            column: column.unwrap_or_default(),
            why,
            cells: row.cells,
        });
    }

    /// The rows that have a cell a column.
    fn rows(&mut self, lines: &[(i64, String)]) -> Vec<Row> {
        let mut rows = Vec::with_capacity(lines.len());
        for ((line, text), cells) in lines.iter().zip(cells(lines, self.head.is_tabbed)) {
            match cells.filter(|cells| cells.len() == self.head.columns.len()) {
                Some(cells) => rows.push(Row { line: *line, cells }),
                None => {
                    let row = Row {
                        line: *line,
                        cells: vec![text.clone()],
                    };
                    let why = said!(
                        "refused-csv-row",
                        "it cannot be read: it has more or fewer columns than the first, or an open quote"
                    );
                    self.refuse(row, None, why);
                }
            }
        }
        rows
    }

    /// Each row with the one contact it names.
    async fn find(&mut self, tx: &Tx, rows: Vec<Row>) -> Result<Vec<(Row, Key, ContactId)>> {
        let mut named = Vec::with_capacity(rows.len());
        for row in rows {
            match self.key(&row) {
                Ok(key) => named.push((row, key)),
                Err((column, why)) => self.refuse(row, column, why),
            }
        }
        let mut known = HashMap::new();
        for by in [FindBy::ExternalUserId, FindBy::Unionid, FindBy::Phone] {
            let texts = named.iter().filter(|(_, key)| key.by == by);
            let texts: Vec<&str> = texts.map(|(_, key)| key.text.as_str()).collect();
            known.insert(by, contacts::find_by(tx, self.corp, by, &texts).await?);
        }
        let mut found = Vec::with_capacity(named.len());
        for (row, key) in named {
            let contacts = known[&key.by].get(&key.text).map_or(&[][..], Vec::as_slice);
            match contacts {
                [contact] => found.push((row, key, *contact)),
                [] => {
                    let why = nobody(&key);
                    self.refuse(row, Some(key.column), why);
                }
                several => {
                    let why = said!(
                        "refused-import-several",
                        "{count} contacts have it; name one by `external_userid`",
                        count = several.len()
                    );
                    self.refuse(row, Some(key.column), why);
                }
            }
        }
        Ok(found)
    }

    fn key(&self, row: &Row) -> Result<Key, (Option<usize>, Said)> {
        for (wanted, by) in [
            (Column::ExternalUserid, FindBy::ExternalUserId),
            (Column::Unionid, FindBy::Unionid),
            (Column::Phone, FindBy::Phone),
        ] {
            let Some(column) = self.head.columns.iter().position(|column| *column == wanted) else {
                continue;
            };
            let cell = &row.cells[column];
            if cell.is_empty() {
                continue;
            }
            let text = match by {
                FindBy::Phone => self.phone(cell).map_err(|why| (Some(column), why))?.blind,
                _ => cell.clone(),
            };
            return Ok(Key { column, by, text });
        }
        Err((
            None,
            said!(
                "refused-import-nobody",
                "it names no contact: the columns that find one are empty"
            ),
        ))
    }

    fn phone(&self, cell: &str) -> Result<Phone, Said> {
        Phone::of(&self.app.sealer, self.corp, cell)
            .ok_or_else(|| said!("refused-import-phone", "it is not a phone number"))
    }

    /// Leaves out rows whose contact the file has named before: which of the two holds could not be told.
    async fn once_each(
        &mut self,
        tx: &Tx,
        found: Vec<(Row, Key, ContactId)>,
    ) -> Result<Vec<(Row, Key, ContactId)>> {
        let ids: Vec<ContactId> = found.iter().map(|(_, _, contact)| *contact).collect();
        let mut seen = store::found(tx, self.corp, self.id, &ids).await?;
        let (mut kept, mut new) = (Vec::with_capacity(found.len()), Vec::new());
        for (row, key, contact) in found {
            match seen.get(&contact) {
                Some(first) => {
                    let why = said!(
                        "refused-import-again",
                        "the contact is in row {first} already",
                        first = *first
                    );
                    self.refuse(row, Some(key.column), why);
                }
                None => {
                    seen.insert(contact, row.line);
                    new.push((contact, row.line));
                    kept.push((row, key, contact));
                }
            }
        }
        store::note_found(tx, self.corp, self.id, new).await?;
        Ok(kept)
    }

    /// What a row says of its contact; an empty cell says nothing.
    fn read(&self, row: &Row, key: &Key, contact: ContactId) -> Result<Learned, (usize, Said)> {
        let mut learned = Learned {
            contact,
            birthday: None,
            phone: None,
            opted_out: None,
            values: Vec::new(),
        };
        for (place, (column, cell)) in self.head.columns.iter().zip(&row.cells).enumerate() {
            if cell.is_empty() || place == key.column {
                continue;
            }
            let at = |why: Said| (place, why);
            match column {
                Column::ExternalUserid | Column::Unionid | Column::Told => {}
                Column::Phone => learned.phone = Some(self.phone(cell).map_err(at)?),
                Column::Birthday => learned.birthday = Some(read_birthday(cell).map_err(at)?),
                Column::OptedOut => learned.opted_out = Some(read_yes(cell).map_err(at)?),
                Column::Field(id) => {
                    let field = self.fields.iter().find(|field| field.id == *id);
                    let field = field.ok_or_else(gone).map_err(at)?;
                    learned.values.push((*id, field.read(cell).map_err(at)?));
                }
            }
        }
        Ok(learned)
    }
}

/// A phone number is told by nothing but the row itself.
fn nobody(key: &Key) -> Said {
    match key.by {
        FindBy::Phone => said!(
            "refused-import-phone-unknown",
            "there is no contact with this phone number"
        ),
        _ => said!("refused-csv-unknown", "there is no `{value}`", value = &key.text),
    }
}

fn read_birthday(cell: &str) -> Result<String, Said> {
    birthday(cell).ok_or_else(|| {
        said!(
            "refused-import-birthday",
            "it is not a birthday; write it like `03-08` or `1990-03-08`"
        )
    })
}

fn read_yes(cell: &str) -> Result<bool, Said> {
    match cell.to_lowercase().as_str() {
        "yes" | "y" | "1" | "true" | "是" => Ok(true),
        "no" | "n" | "0" | "false" | "否" => Ok(false),
        _ => Err(said!("refused-import-yes", "write `yes` or `no`")),
    }
}

fn gone() -> Said {
    said!("refused-import-gone", "the field was deleted meanwhile")
}
