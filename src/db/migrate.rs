//! The list of migrations, in order. Each file is one step that both databases read, and never changes once shipped.

use super::{Conn, Db, run, scalars};
use crate::args;
use crate::error::{Error, Result};
use crate::time::Timestamp;

const MIGRATIONS: &[(&str, &str)] = &[
    ("0001_floor", include_str!("../../migrations/0001_floor.sql")),
    (
        "0002_directory",
        include_str!("../../migrations/0002_directory.sql"),
    ),
    (
        "0003_contacts",
        include_str!("../../migrations/0003_contacts.sql"),
    ),
    (
        "0004_campaigns",
        include_str!("../../migrations/0004_campaigns.sql"),
    ),
    ("0005_orders", include_str!("../../migrations/0005_orders.sql")),
    ("0006_sync", include_str!("../../migrations/0006_sync.sql")),
    (
        "0007_audit_head",
        include_str!("../../migrations/0007_audit_head.sql"),
    ),
    (
        "0008_approval",
        include_str!("../../migrations/0008_approval.sql"),
    ),
    ("0009_groups", include_str!("../../migrations/0009_groups.sql")),
    ("0010_doctor", include_str!("../../migrations/0010_doctor.sql")),
    (
        "0011_store_rule",
        include_str!("../../migrations/0011_store_rule.sql"),
    ),
    ("0012_indexes", include_str!("../../migrations/0012_indexes.sql")),
    (
        "0013_fewer_indexes",
        include_str!("../../migrations/0013_fewer_indexes.sql"),
    ),
    (
        "0014_member_departments",
        include_str!("../../migrations/0014_member_departments.sql"),
    ),
    (
        "0015_audience",
        include_str!("../../migrations/0015_audience.sql"),
    ),
    ("0016_files", include_str!("../../migrations/0016_files.sql")),
    ("0017_marking", include_str!("../../migrations/0017_marking.sql")),
    ("0018_care", include_str!("../../migrations/0018_care.sql")),
    ("0019_persons", include_str!("../../migrations/0019_persons.sql")),
    (
        "0020_field_values",
        include_str!("../../migrations/0020_field_values.sql"),
    ),
    (
        "0021_own_links",
        include_str!("../../migrations/0021_own_links.sql"),
    ),
];

/// Applies what is missing and answers its names. Each migration stands or falls whole.
pub async fn up(db: &Db, now: Timestamp) -> Result<Vec<&'static str>> {
    db.execute_unprepared(
        "create table if not exists migration (name TEXT PRIMARY KEY, applied_at BIGINT NOT NULL)",
    )
    .await
    .or_else(ignore_race)?;
    let mut applied = Vec::new();
    for (name, sql) in MIGRATIONS {
        let tx = db.begin().await?;
        tx.take_time().await?;
        if let Some(lock) = tx.backend().migration_lock() {
            run(&tx, lock, args![]).await?;
        }
        let known: Vec<String> =
            scalars(&tx, "select name from migration where name = $1", args![*name]).await?;
        if known.is_empty() {
            for statement in statements(sql) {
                run(&tx, statement, args![])
                    .await
                    .map_err(|error| Error::internal(format!("migration `{name}`: {error}: {statement}")))?;
            }
            run(
                &tx,
                "insert into migration (name, applied_at) values ($1, $2)",
                args![*name, now],
            )
            .await?;
            applied.push(*name);
        }
        tx.commit().await?;
    }
    Ok(applied)
}

/// Names of migrations this program knows that the database lacks.
pub async fn missing(db: &Db) -> Result<Vec<&'static str>> {
    let known: Vec<String> = scalars(db, "select name from migration", args![])
        .await
        .unwrap_or_default();
    Ok(MIGRATIONS
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !known.iter().any(|have| have == name))
        .collect())
}

/// Names of migrations in the database that this program does not know: a newer one was here.
///
/// # Errors
/// Also when the database has never been migrated.
pub async fn unknown(db: &Db) -> Result<Vec<String>> {
    let known: Vec<String> = scalars(db, "select name from migration order by name", args![]).await?;
    let is_ours = |name: &String| MIGRATIONS.iter().any(|(ours, _)| ours == name);
    Ok(known.into_iter().filter(|name| !is_ours(name)).collect())
}

/// How many migrations this program knows.
pub fn known() -> usize {
    MIGRATIONS.len()
}

/// Two instances may both find the table missing; whoever comes second may go on.
fn ignore_race(error: Error) -> Result<()> {
    let text = error.to_string();
    if text.contains("already exists") || text.contains("duplicate key") {
        Ok(())
    } else {
        Err(error)
    }
}

/// A statement ends with `;` at the end of a line; comments start a line.
fn statements(sql: &str) -> impl Iterator<Item = &str> {
    sql.split(";\n").map(str::trim).filter(|statement| {
        statement
            .lines()
            .any(|line| !line.trim().is_empty() && !line.trim_start().starts_with("--"))
    })
}
