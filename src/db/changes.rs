//! Which contacts changed: noted by every statement that writes a fact about them, one row a transaction and kind of
//! fact, written as it commits. Whoever keeps something worked out from contacts reads them and looks again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::{Conn, Tx, column, id_list, rows, run, scalar};
use crate::args;
use crate::error::{Error, Result};
use crate::ids::CorpId;

/// A kind of fact about a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// Gender, birthday, and what is known in fields of the corp's own.
    Person,
    /// Who follows, in which store, since when, by which channel, with which tags.
    Follow,
    /// Orders and what was refunded of them.
    Order,
    Click,
    /// Messages that arrived.
    Message,
    /// Which tags, stores and regions there are, of no contact: see [`Tx::note_named`].
    Named,
}

impl Fact {
    pub const ALL: [Self; 6] = [
        Self::Person,
        Self::Follow,
        Self::Order,
        Self::Click,
        Self::Message,
        Self::Named,
    ];

    /// Those of contacts.
    pub fn of_contacts() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|fact| *fact != Self::Named)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Follow => "follow",
            Self::Order => "order",
            Self::Click => "click",
            Self::Message => "message",
            Self::Named => "named",
        }
    }

    fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fact| fact.as_str() == text)
    }
}

/// The kind of a row that says that any contact may have changed.
const ALL: &str = "all";
/// More contacts than this are said to be all of them: whoever reads begins anew sooner than it looks at each.
const MOST: usize = 200_000;

/// Whose facts of each kind; `None`: anything of anybody.
type Noted = Option<BTreeMap<Fact, BTreeSet<i64>>>;

/// What a transaction has changed so far.
#[derive(Default)]
pub(super) struct Notes(Mutex<BTreeMap<CorpId, Noted>>);

impl Tx {
    /// Notes whose facts this transaction changes. Call it with every statement that does.
    pub fn note(&self, corp: CorpId, fact: Fact, contacts: impl IntoIterator<Item = i64>) {
        let mut notes = self.notes.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_corp = notes.entry(corp).or_insert_with(|| Some(BTreeMap::new()));
        if let Some(facts) = of_corp {
            let noted = facts.entry(fact).or_default();
            noted.extend(contacts);
            if noted.len() > MOST {
                *of_corp = None;
            }
        }
    }

    /// Notes that a tag, a store or a region came, went or belongs elsewhere.
    pub fn note_named(&self, corp: CorpId) {
        self.note(corp, Fact::Named, [0]);
    }

    /// Notes that anything may have changed about anybody: rows written past the verbs, such as a seeded chain.
    pub fn note_all(&self, corp: CorpId) {
        let mut notes = self.notes.0.lock().unwrap_or_else(PoisonError::into_inner);
        notes.insert(corp, None);
    }
}

/// Writes down what was noted.
pub(super) async fn write(tx: &Tx) -> Result<()> {
    let noted = std::mem::take(&mut *tx.notes.0.lock().unwrap_or_else(PoisonError::into_inner));
    let backend = tx.backend();
    let sql = format!(
        "insert into contact_change (corp_id, mark, kind, at, contacts)
         values ($1, {}, $2, {}, cast($3 as text))",
        backend.change_mark(),
        backend.now_ms()
    );
    for (corp, facts) in noted {
        let Some(facts) = facts else {
            run(tx, &sql, args![corp, ALL, None::<String>]).await?;
            continue;
        };
        for (fact, contacts) in facts.into_iter().filter(|(_, contacts)| !contacts.is_empty()) {
            run(tx, &sql, args![corp, fact.as_str(), id_list(contacts)]).await?;
        }
    }
    Ok(())
}

/// One row: a transaction's change of one kind of fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub mark: i64,
    /// `None`: anything may have changed about anybody.
    pub what: Option<(Fact, Vec<i64>)>,
}

impl Change {
    /// What tells it from others of the corp.
    pub fn key(&self) -> (i64, Option<Fact>) {
        (self.mark, self.what.as_ref().map(|(fact, _)| *fact))
    }
}

/// The changes from a mark on.
#[derive(Debug)]
pub struct Changes {
    /// Whatever is committed later has this mark or a higher one.
    pub until: i64,
    /// Below it changes were deleted.
    pub floor: i64,
    /// The mark of the last change there is; 0: none.
    pub last: i64,
    /// Some may lie at `until` or above: committed, while an older transaction has not ended.
    pub list: Vec<Change>,
}

/// The changes with this mark or a higher one.
pub async fn since(conn: &impl Conn, corp: CorpId, mark: i64) -> Result<Changes> {
    let sql = format!(
        "select e.until, e.floor, e.last, c.mark, c.kind, c.contacts
           from (select {} as until,
                   coalesce((select max(l.mark) from contact_change l where l.corp_id = $1), 0) as last,
                   coalesce((select f.mark from contact_change_floor f where f.corp_id = $1), 0) as floor) e
           left join contact_change c on c.corp_id = $1 and c.mark >= $2
          order by c.mark, c.kind",
        conn.backend().changes_end()
    );
    let found = rows(conn, &sql, args![corp, mark]).await?;
    let mut changes = Changes {
        until: 0,
        floor: 0,
        last: 0,
        list: Vec::with_capacity(found.len()),
    };
    for row in &found {
        changes.until = column(row, 0)?;
        changes.floor = column(row, 1)?;
        changes.last = column(row, 2)?;
        let (mark, kind): (Option<i64>, Option<String>) = (column(row, 3)?, column(row, 4)?);
        if let (Some(mark), Some(kind)) = (mark, kind) {
            let contacts: Option<String> = column(row, 5)?;
            changes.list.push(Change {
                mark,
                what: read(&kind, contacts.as_deref())?,
            });
        }
    }
    Ok(changes)
}

/// A kind that a newer version wrote may be about anything.
fn read(kind: &str, contacts: Option<&str>) -> Result<Option<(Fact, Vec<i64>)>> {
    let (Some(fact), Some(contacts)) = (Fact::of(kind), contacts) else {
        return Ok(None);
    };
    let ids: Vec<i64> = serde_json::from_str(contacts).map_err(Error::internal)?;
    Ok(Some((fact, ids)))
}

/// Whether there is a change with this mark.
pub async fn is_there(conn: &impl Conn, corp: CorpId, mark: i64) -> Result<bool> {
    let sql = "select 1 from contact_change where corp_id = $1 and mark = $2 limit 1";
    Ok(!rows(conn, sql, args![corp, mark]).await?.is_empty())
}

/// Deletes changes that are older than so many milliseconds. The last one always stays: marks are counted from it.
pub async fn sweep(tx: &Tx, corp: CorpId, age_ms: i64) -> Result<()> {
    let kept = format!(
        "select min(c.mark) from contact_change c where c.corp_id = $1
           and (c.at >= {} - $2 or c.mark = (select max(l.mark) from contact_change l where l.corp_id = $1))",
        tx.backend().now_ms()
    );
    let Some(floor) = scalar::<Option<i64>>(tx, &kept, args![corp, age_ms])
        .await?
        .flatten()
    else {
        return Ok(());
    };
    let gone = "delete from contact_change where corp_id = $1 and mark < $2";
    if run(tx, gone, args![corp, floor]).await? > 0 {
        run(
            tx,
            "insert into contact_change_floor (corp_id, mark) values ($1, $2)
             on conflict (corp_id) do update set mark = excluded.mark",
            args![corp, floor],
        )
        .await?;
    }
    Ok(())
}
