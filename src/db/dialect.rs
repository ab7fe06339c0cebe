//! The only place that names a backend: each real difference is one function.

use sea_orm::sqlx::error::{DatabaseError, ErrorKind};
use sea_orm::{AccessMode, DbBackend, DbErr, IsolationLevel, RuntimeErr};

use crate::error::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    pub(super) fn of(backend: DbBackend) -> Self {
        match backend {
            DbBackend::Postgres => Self::Postgres,
            _ => Self::Sqlite,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }

    /// Asks for the database's own version.
    pub fn version(self) -> &'static str {
        match self {
            Self::Sqlite => "select sqlite_version()",
            Self::Postgres => "select current_setting('server_version')",
        }
    }

    /// Asks what the role we come with may do: `role`, `schema`, `may_create`, `is_read_only`, `closed_tables` (of a
    /// few that every version has). SQLite knows no roles.
    pub fn powers(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some(
                "select quote_ident(cast(current_user as text)) as role,
                   coalesce(quote_ident(cast(current_schema() as text)),
                     trim(split_part(replace(current_setting('search_path'), '\"$user\", ', ''), ',', 1))) as schema,
                   coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) as may_create,
                   current_setting('transaction_read_only') = 'on' as is_read_only,
                   (select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
                    where n.nspname = current_schema() and c.relkind = 'r'
                      and c.relname in ('migration', 'corp', 'job', 'contact', 'inbox')
                      and not (has_table_privilege(c.oid, 'SELECT') and has_table_privilege(c.oid, 'INSERT')
                        and has_table_privilege(c.oid, 'UPDATE') and has_table_privilege(c.oid, 'DELETE'))) as closed_tables",
            ),
        }
    }

    /// Ends a select inside a claim: workers step over rows that another is claiming. SQLite has one writer.
    pub fn skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " for update skip locked",
        }
    }

    /// `column` is one of the ids in the argument at `place`, a JSON list from [`super::id_list`]. One bind
    /// whatever the number of ids.
    pub fn in_ids(self, column: &str, place: &str) -> String {
        match self {
            Self::Sqlite => format!("{column} in (select value from json_each({place}))"),
            Self::Postgres => format!(
                "{column} in (select cast(value as bigint) from json_array_elements_text(cast({place} as json)))"
            ),
        }
    }

    /// The same for texts, a JSON list from [`super::text_list`].
    pub fn in_texts(self, column: &str, place: &str) -> String {
        match self {
            Self::Sqlite => format!("{column} in (select value from json_each({place}))"),
            Self::Postgres => {
                format!("{column} in (select value from json_array_elements_text(cast({place} as json)))")
            }
        }
    }

    /// As [`Self::in_ids`], where thousands are sought by an index: PostgreSQL goes through it in its order, which takes
    /// a quarter less than in that of a hash.
    pub fn sought_ids(self, column: &str, place: &str) -> String {
        match self {
            Self::Sqlite => self.in_ids(column, place),
            Self::Postgres => format!(
                "{column} in (select distinct cast(value as bigint) as id
                   from json_array_elements_text(cast({place} as json)) order by id)"
            ),
        }
    }

    /// The same for texts.
    pub fn sought_texts(self, column: &str, place: &str) -> String {
        match self {
            Self::Sqlite => self.in_texts(column, place),
            Self::Postgres => format!(
                "{column} in (select distinct value from json_array_elements_text(cast({place} as json)) order by value)"
            ),
        }
    }

    /// The members of the JSON list at `place` as rows, each in a column `value`: many rows as one argument of a
    /// statement that never changes. `value ->> 0` takes the first part of a member.
    pub fn each(self, place: &str) -> String {
        match self {
            Self::Sqlite => format!("json_each({place})"),
            Self::Postgres => format!("jsonb_array_elements(cast({place} as jsonb))"),
        }
    }

    /// Selects these columns of every row, as one JSON list of lists; nothing where there is no row.
    pub fn in_one(self, columns: &str) -> String {
        match self {
            Self::Sqlite => format!("select json_group_array(json_array({columns}))"),
            Self::Postgres => format!("select cast(json_agg(json_build_array({columns})) as text)"),
        }
    }

    /// Names the tables the planner has to be shown. Without figures about them SQLite takes the wrong index as soon
    /// as two would do; PostgreSQL looks by itself, but only after a minute, and takes a table for empty until then.
    pub(super) fn tables_to_look_at(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "select name from sqlite_master where type = 'table' and name not like 'sqlite%' order by name"
            }
            Self::Postgres => {
                "select cast(tablename as text) from pg_tables where schemaname = current_schema() order by tablename"
            }
        }
    }

    /// Asks for the indexes of the table named at `$1`, each with the statement that makes it; primary keys are none.
    pub(super) fn indexes_of(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "select name, sql as definition from sqlite_master
                 where type = 'index' and tbl_name = $1 and sql is not null order by name"
            }
            Self::Postgres => {
                "select cast(i.indexname as text) as name, i.indexdef as definition from pg_indexes i
                 where i.schemaname = current_schema() and i.tablename = $1
                   and not exists (select 1 from pg_constraint c join pg_namespace n on n.oid = c.connamespace
                     where n.nspname = i.schemaname and c.conname = i.indexname)
                 order by i.indexname"
            }
        }
    }

    /// Milliseconds since 1970 on the database's own clock: what leases are judged by.
    pub fn now_ms(self) -> &'static str {
        match self {
            Self::Sqlite => "cast(unixepoch('subsec') * 1000 as bigint)",
            Self::Postgres => "cast(extract(epoch from clock_timestamp()) * 1000 as bigint)",
        }
    }

    /// The mark of a change of corp `$1`, as its row is written. SQLite has one writer, so marks are counted in the
    /// order of the commits; PostgreSQL's transactions end in any order, so a mark is the transaction.
    pub(super) fn change_mark(self) -> &'static str {
        match self {
            Self::Sqlite => COUNTED_MARK,
            Self::Postgres => "cast(cast(pg_current_xact_id() as text) as bigint)",
        }
    }

    /// The mark below which every change of corp `$1` is committed or never will be, as this statement sees it.
    pub(super) fn changes_end(self) -> &'static str {
        match self {
            Self::Sqlite => COUNTED_MARK,
            Self::Postgres => "cast(cast(pg_snapshot_xmin(pg_current_snapshot()) as text) as bigint)",
        }
    }

    /// Taken with a corp's id by whoever adds to its figures, until the transaction ends: any number at once.
    pub fn share_figures(self) -> Option<&'static str> {
        match self {
            // `begin immediate` is the lock.
            Self::Sqlite => None,
            Self::Postgres => Some(
                "select pg_advisory_xact_lock_shared(hashtextextended(current_schema() || '.figures', $1))",
            ),
        }
    }

    /// Taken with a corp's id by whoever counts its figures anew: waits for all who have added, and whoever would
    /// add waits.
    pub fn hold_figures(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => {
                Some("select pg_advisory_xact_lock(hashtextextended(current_schema() || '.figures', $1))")
            }
        }
    }

    /// Begins a read transaction in which every statement sees the same moment. On SQLite any does.
    pub(super) fn one_moment(self) -> (Option<IsolationLevel>, Option<AccessMode>) {
        match self {
            Self::Sqlite => (None, None),
            Self::Postgres => (Some(IsolationLevel::RepeatableRead), Some(AccessMode::ReadOnly)),
        }
    }

    /// Lifts the limit on a statement's time until the transaction ends.
    pub(super) fn no_time_limit(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("set local statement_timeout = 0"),
        }
    }

    /// Held until the transaction ends, so that instances that start together migrate one after another.
    pub(super) fn migration_lock(self) -> Option<&'static str> {
        match self {
            // `begin immediate` is the lock.
            Self::Sqlite => None,
            Self::Postgres => Some("select pg_advisory_xact_lock(7310982345)"),
        }
    }
}

/// One more than the last mark of corp `$1` that is there, or was.
const COUNTED_MARK: &str = "(select coalesce(max(m.mark),
    (select f.mark from contact_change_floor f where f.corp_id = $1), 0) + 1
    from contact_change m where m.corp_id = $1)";

/// Why the database does not take a row: against a rule of its table, too long, out of range. `None` for every other
/// error: one that any row would have met.
pub fn refusal(error: &Error) -> Option<String> {
    let Error::Internal(inner) = error else {
        return None;
    };
    let (DbErr::Exec(RuntimeErr::SqlxError(raw)) | DbErr::Query(RuntimeErr::SqlxError(raw))) =
        inner.downcast_ref::<DbErr>()?
    else {
        return None;
    };
    let told = raw.as_database_error()?;
    is_about_a_row(told).then(|| told.message().to_owned())
}

fn is_about_a_row(told: &dyn DatabaseError) -> bool {
    if !matches!(told.kind(), ErrorKind::Other) {
        return true;
    }
    let code = told.code().unwrap_or_default();
    match code.parse::<i64>() {
        // SQLite: too big, a rule of the table, a wrong type. Its codes are short, those of PostgreSQL have five places.
        Ok(number) if code.len() < 5 => [18, 19, 20].contains(&(number & 0xff)),
        // PostgreSQL: data, rules of the table, too long for an index.
        _ => ["22", "23", "54"].iter().any(|class| code.starts_with(class)),
    }
}
