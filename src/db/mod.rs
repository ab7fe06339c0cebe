//! The database: connect, transactions, a few ways to run a statement.
//!
//! One SQL text serves both backends: `$1` placeholders, `BIGINT`, `TEXT`, `BOOLEAN`, `on conflict … do update`.
//! What really differs is a named function in [`dialect`]. Reads take `&impl Conn`; what must stand or fall
//! together takes `&Tx`.

mod aside;
pub mod changes;
pub mod dialect;
mod filter;
pub mod group;
mod halves;
mod knock;
mod long;
pub mod migrate;
pub mod node;
mod rows;

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use futures_util::future::join;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, FromQueryResult,
    QueryResult, SqliteTransactionMode, Statement, StreamTrait, TransactionOptions, TransactionTrait,
    TryGetable, Value,
};
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

pub use aside::Aside;
pub use dialect::{Backend, refusal};
pub use filter::{Filter, like_escape};
pub use halves::{Halves, is_not_taken, not_taken};
pub use knock::{Closed, knock};
use long::{Deadline, Long, Seat};
pub use rows::{Insert, Inserts, insert_many};

/// Statement arguments: `args![corp, name, now]`.
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$(sea_orm::Value::from($value)),*] };
}

/// Steps of SQLite's machine between two looks at the clock: about a millisecond.
const PROGRESS: i32 = 10_000;

/// Pages of the file that a SQLite connection keeps, in KiB. The writer needs the inner pages of every index at hand;
/// what readers do not keep, the system's file cache does, once for all of them.
const WRITER_CACHE: u32 = 65_536;
const READER_CACHE: u32 = 4_096;

/// Statements a SQLite connection remembers; the same insert comes in a few sizes.
const STATEMENTS: usize = 400;

/// How long PostgreSQL works on a statement before it gives up. SQLite knows no such limit; what may take long there
/// goes through [`Db::at_length`].
const STATEMENT: Duration = Duration::from_secs(30);

/// The whole database. On SQLite reads have their own connections and there is one writer, so a write waits
/// in line instead of failing; on PostgreSQL both are one pool.
#[derive(Clone)]
pub struct Db {
    read: DatabaseConnection,
    write: DatabaseConnection,
    long: Long,
    /// One more seat, for questions whose answers are kept.
    aside: Long,
    /// SQLite's file.
    file: Option<Arc<Path>>,
}

/// A transaction that may write. Dropped without [`Tx::commit`], it leaves nothing behind.
pub struct Tx {
    inner: DatabaseTransaction,
    notes: changes::Notes,
}

/// Reads that all see the same moment, whatever is committed meanwhile.
pub struct Snapshot {
    inner: DatabaseTransaction,
}

/// Whatever can run a statement: the database or a transaction.
pub trait Conn: Sync {
    type Raw: ConnectionTrait + StreamTrait;
    fn raw(&self) -> &Self::Raw;

    fn backend(&self) -> Backend {
        Backend::of(ConnectionTrait::get_database_backend(self.raw()))
    }
}

impl Conn for Db {
    type Raw = DatabaseConnection;
    fn raw(&self) -> &DatabaseConnection {
        &self.read
    }
}

impl Conn for Tx {
    type Raw = DatabaseTransaction;
    fn raw(&self) -> &DatabaseTransaction {
        &self.inner
    }
}

impl Conn for Snapshot {
    type Raw = DatabaseTransaction;
    fn raw(&self) -> &DatabaseTransaction {
        &self.inner
    }
}

impl Db {
    /// Opens `sqlite://path`, `sqlite::memory:` or `postgres://…`.
    ///
    /// # Errors
    /// Names the setting and what the database said; never the password.
    pub async fn connect(url: &str) -> Result<Self> {
        if url.starts_with("sqlite:") {
            Self::connect_sqlite(url).await
        } else {
            Self::connect_postgres(url, None).await
        }
    }

    async fn connect_sqlite(url: &str) -> Result<Self> {
        let memory = is_in_memory(url);
        let file = file_of(url);
        if let Some(file) = &file {
            make_private(file);
        }
        let options = |connections: u32, cache_kib: u32| {
            let mut options = ConnectOptions::new(url);
            options
                .max_connections(connections)
                .min_connections(1)
                .sqlx_logging(false)
                .record_stmt_in_spans(false);
            options
                .test_before_acquire(false)
                .acquire_timeout(Duration::from_secs(30));
            options.map_sqlx_sqlite_opts(move |sqlite| {
                sqlite
                    .create_if_missing(true)
                    .busy_timeout(Duration::from_secs(10))
                    .foreign_keys(true)
                    .pragma("journal_mode", "WAL")
                    // An acknowledged callback or click must outlive a power cut, so every commit is synced.
                    .pragma("synchronous", "FULL")
                    .pragma("cache_size", format!("-{cache_kib}"))
                    .pragma("temp_store", "memory")
                    // Pages of indexes change again and again while much is written: each is copied back once in 128 MB
                    // of log, not every 4 MB, and nobody waits for the copying so often.
                    .pragma("wal_autocheckpoint", "32000")
                    // Without a limit, samples of every index are kept as well: values that outlive their rows, and
                    // whenever an argument changes, each statement is planned anew by them.
                    .analysis_limit(1_000)
                    .statement_cache_capacity(STATEMENTS)
            });
            options
        };
        let write = Database::connect(options(1, WRITER_CACHE))
            .await
            .map_err(|error| unreachable_database(&error))?;
        // Each connection to `:memory:` is a database of its own.
        let read = if memory {
            write.clone()
        } else {
            Database::connect(options(6, READER_CACHE)).await?
        };
        let mut seats = Vec::new();
        for _ in 0..long::SEATS + 1 {
            let deadline = Deadline::none();
            let connection = if memory {
                write.clone()
            } else {
                let mut options = options(1, READER_CACHE);
                let watched = deadline.clone();
                options.map_sqlx_sqlite_pool_opts(move |pool| {
                    let watched = watched.clone();
                    pool.after_connect(move |connection, _| {
                        let watched = watched.clone();
                        Box::pin(async move {
                            let mut handle = connection.lock_handle().await?;
                            handle.set_progress_handler(PROGRESS, move || watched.is_ahead());
                            Ok(())
                        })
                    })
                });
                Database::connect(options).await?
            };
            seats.push(Seat { connection, deadline });
        }
        let aside = Long::new(seats.split_off(long::SEATS));
        Ok(Self {
            read,
            write,
            long: Long::new(seats),
            aside,
            file: file.map(Arc::from),
        })
    }

    /// `schema` is searched first, and made if it is not there: the tests give each world its own.
    pub async fn connect_postgres(url: &str, schema: Option<&str>) -> Result<Self> {
        // What the driver says of an address it cannot read holds the password.
        if url.parse::<sea_orm::sqlx::postgres::PgConnectOptions>().is_err() {
            return Err(Error::internal(
                "`DIANYU_DATABASE_URL` cannot be read as an address; special characters of user and password must be \
                 percent-encoded (`#` is `%23`)",
            ));
        }
        let options = |connections: u32, statement: Duration| {
            let mut options = ConnectOptions::new(url);
            options
                .max_connections(connections)
                .sqlx_logging(false)
                .record_stmt_in_spans(false)
                .connect_timeout(Duration::from_secs(5))
                .acquire_timeout(Duration::from_secs(10))
                .test_before_acquire_if_idle_for(Duration::from_secs(30))
                .statement_timeout(statement);
            if let Some(schema) = schema {
                options.set_schema_search_path(schema.to_owned());
            }
            options
        };
        let mut many = options(if schema.is_some() { 6 } else { 20 }, STATEMENT);
        many.min_connections(1);
        let pool = match Database::connect(many).await {
            Ok(pool) => pool,
            Err(error) => {
                knock(url).await?;
                return Err(unreachable_database(&error));
            }
        };
        if let Some(schema) = schema {
            pool.execute_unprepared(&format!("create schema if not exists \"{schema}\""))
                .await?;
        }
        let mut seats = Vec::new();
        for seat in 0..=long::SEATS {
            // One connection each: what still runs there keeps the next one waiting.
            let limit = if seat < long::SEATS {
                long::LIMIT
            } else {
                long::ASIDE_LIMIT
            };
            let mut one = options(1, limit);
            one.min_connections(0).connect_lazy(true);
            seats.push(Seat {
                connection: Database::connect(one).await?,
                deadline: Deadline::none(),
            });
        }
        Ok(Self {
            read: pool.clone(),
            write: pool,
            aside: Long::new(seats.split_off(long::SEATS)),
            long: Long::new(seats),
            file: None,
        })
    }

    /// Begins a transaction that may write.
    pub async fn begin(&self) -> Result<Tx> {
        let options = TransactionOptions {
            // A deferred transaction that reads first and writes later fails at once when another wrote between.
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that opens a write transaction"
        )]
        let inner = self.write.begin_with_options(options).await?;
        Ok(Tx {
            inner,
            notes: changes::Notes::default(),
        })
    }

    /// Begins reads that see one moment: that of the first of them.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        let (isolation_level, access_mode) = self.backend().one_moment();
        let options = TransactionOptions {
            isolation_level,
            access_mode,
            sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred),
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that opens a read transaction"
        )]
        let inner = self.read.begin_with_options(options).await?;
        Ok(Snapshot { inner })
    }

    /// Where SQLite keeps everything; `None`: in memory, or on PostgreSQL.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Fails when the database does not answer.
    pub async fn ping(&self) -> Result<()> {
        self.read.execute_unprepared("select 1").await?;
        Ok(())
    }

    /// Lets the database look at what its tables hold, so that it chooses its indexes well: after many rows came. One
    /// table after another, so that nobody who writes waits long; all rows of each, for the first few tell lies.
    pub async fn look_at_tables(&self) -> Result<()> {
        let names = self.backend().tables_to_look_at();
        for name in scalars::<String>(self, names, vec![]).await? {
            self.execute_unprepared(&format!("analyze \"{name}\"")).await?;
        }
        Ok(())
    }

    /// Runs a statement outside any transaction, on the writing connection.
    pub(crate) async fn execute_unprepared(&self, sql: &str) -> Result<()> {
        self.write.execute_unprepared(sql).await?;
        Ok(())
    }

    pub async fn close(self) {
        self.long.close().await;
        self.aside.close().await;
        let _ = self.read.close().await;
        let _ = self.write.close().await;
    }
}

impl Tx {
    /// Lets the statements of this transaction take as long as they need: a migration, a seeded chain.
    pub async fn take_time(&self) -> Result<()> {
        match self.backend().no_time_limit() {
            Some(sql) => Ok(self.inner.execute_unprepared(sql).await.map(|_| ())?),
            None => Ok(()),
        }
    }

    pub async fn commit(self) -> Result<()> {
        changes::write(&self).await?;
        Ok(self.inner.commit().await?)
    }

    pub async fn rollback(self) -> Result<()> {
        Ok(self.inner.rollback().await?)
    }
}

fn is_in_memory(url: &str) -> bool {
    url.contains(":memory:")
}

/// The file of a SQLite database; `None`: it is in memory, or another database.
pub fn file_of(url: &str) -> Option<PathBuf> {
    if !url.starts_with("sqlite:") || is_in_memory(url) {
        return None;
    }
    let options = url.parse::<sea_orm::sqlx::sqlite::SqliteConnectOptions>().ok()?;
    Some(options.get_filename().to_path_buf())
}

/// Makes a new database file its owner's only; SQLite gives the files beside it the same mode. What goes wrong here
/// goes wrong again, with a reason, when the file is opened.
fn make_private(file: &Path) {
    let _ = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
}

fn unreachable_database(error: &sea_orm::DbErr) -> Error {
    Error::internal(format!(
        "the database does not answer ({error}); check `DIANYU_DATABASE_URL` and that the server runs"
    ))
}

fn statement(conn: &impl Conn, sql: &str, args: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(ConnectionTrait::get_database_backend(conn.raw()), sql, args)
}

/// Every row.
pub async fn all<T: FromQueryResult>(conn: &impl Conn, sql: &str, args: Vec<Value>) -> Result<Vec<T>> {
    let rows = conn.raw().query_all_raw(statement(conn, sql, args)).await?;
    rows.iter()
        .map(|row| Ok(T::from_query_result(row, "")?))
        .collect()
}

/// The first row, if there is one.
pub async fn first<T: FromQueryResult>(conn: &impl Conn, sql: &str, args: Vec<Value>) -> Result<Option<T>> {
    let row = conn.raw().query_one_raw(statement(conn, sql, args)).await?;
    row.map(|row| Ok(T::from_query_result(&row, "")?)).transpose()
}

/// The first row, or [`Error::NotFound`].
pub async fn find<T: FromQueryResult>(conn: &impl Conn, sql: &str, args: Vec<Value>) -> Result<T> {
    first(conn, sql, args).await?.ok_or(Error::NotFound)
}

/// Every row of `select {columns} {from}` in one piece: for thousands of them, each of which would else be handed over
/// for itself, which on SQLite wakes whoever waits and takes longer than to read it. `T` is read from a list of the
/// columns' values, so it has their order.
pub async fn many<T: DeserializeOwned>(
    conn: &impl Conn,
    columns: &str,
    from: &str,
    args: Vec<Value>,
) -> Result<Vec<T>> {
    many_in_parts(conn, columns, from, vec![args]).await
}

/// The same, one part of the rows for each list of arguments: while the database reads a part, what it said of the one
/// before is made into rows.
pub async fn many_in_parts<T: DeserializeOwned>(
    conn: &impl Conn,
    columns: &str,
    from: &str,
    parts: Vec<Vec<Value>>,
) -> Result<Vec<T>> {
    let sql = format!("{} {from}", conn.backend().in_one(columns));
    let (mut rows, mut said) = (Vec::new(), None::<String>);
    for args in parts {
        // The database is asked first: the other never waits.
        let ask = scalar::<Option<String>>(conn, &sql, args);
        let (answer, made) = join(ask, async { make_rows(said.take(), &mut rows) }).await;
        made?;
        said = answer?.flatten();
    }
    make_rows(said, &mut rows)?;
    Ok(rows)
}

fn make_rows<T: DeserializeOwned>(said: Option<String>, rows: &mut Vec<T>) -> Result<()> {
    if let Some(said) = said {
        rows.append(&mut serde_json::from_str(&said)?);
    }
    Ok(())
}

/// Every row as plain rows, for tuples: read them with [`column`].
pub async fn rows(conn: &impl Conn, sql: &str, args: Vec<Value>) -> Result<Vec<QueryResult>> {
    Ok(conn.raw().query_all_raw(statement(conn, sql, args)).await?)
}

/// A column of a row, by position from 0.
pub fn column<T: TryGetable>(row: &QueryResult, index: usize) -> Result<T> {
    Ok(row.try_get_by_index(index)?)
}

/// The first column of the first row, if there is a row.
pub async fn scalar<T: TryGetable>(conn: &impl Conn, sql: &str, args: Vec<Value>) -> Result<Option<T>> {
    let row = conn.raw().query_one_raw(statement(conn, sql, args)).await?;
    row.map(|row| column(&row, 0)).transpose()
}

/// The first column of every row.
pub async fn scalars<T: TryGetable>(conn: &impl Conn, sql: &str, args: Vec<Value>) -> Result<Vec<T>> {
    rows(conn, sql, args)
        .await?
        .iter()
        .map(|row| column(row, 0))
        .collect()
}

/// Hands every row to `take` as it comes: for more rows than fit in memory.
pub async fn each(
    conn: &impl Conn,
    sql: &str,
    args: Vec<Value>,
    mut take: impl FnMut(&QueryResult) -> Result<()>,
) -> Result<()> {
    let mut stream = pin!(conn.raw().stream_raw(statement(conn, sql, args)).await?);
    while let Some(row) = stream.try_next().await? {
        take(&row)?;
    }
    Ok(())
}

/// A count: `select count(*) …`; 0 when there is no row.
pub async fn count(conn: &impl Conn, sql: &str, args: Vec<Value>) -> Result<i64> {
    Ok(scalar::<i64>(conn, sql, args).await?.unwrap_or(0))
}

/// Runs a change and answers how many rows it touched.
pub async fn run(tx: &Tx, sql: &str, args: Vec<Value>) -> Result<u64> {
    Ok(tx
        .inner
        .execute_raw(statement(tx, sql, args))
        .await?
        .rows_affected())
}

/// Runs one change that needs nothing beside it: a transaction of its own, in one exchange with the database.
pub async fn run_alone(db: &Db, sql: &str, args: Vec<Value>) -> Result<u64> {
    let changed = db.write.execute_raw(statement(db, sql, args)).await?;
    Ok(changed.rows_affected())
}

/// A list of ids as one argument, for [`dialect::in_ids`].
pub fn id_list(ids: impl IntoIterator<Item = i64>) -> String {
    let mut text = String::from("[");
    for (index, id) in ids.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&id.to_string());
    }
    text.push(']');
    text
}

/// A list of texts as one argument, for [`dialect::Backend::in_texts`].
pub fn text_list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let texts: Vec<&str> = texts.into_iter().collect();
    serde_json::to_string(&texts).expect("texts are JSON")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[tokio::test]
    async fn a_new_database_is_its_owners_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new.sqlite");
        let db = Db::connect(&format!("sqlite://{}", path.display()))
            .await
            .unwrap();
        db.execute_unprepared("create table t (a TEXT)").await.unwrap();
        let mut seen = 0;
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap();
            let mode = file.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{:?}", file.file_name());
            seen += 1;
        }
        assert!(seen >= 2, "the database and its log");
    }
}
