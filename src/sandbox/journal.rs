//! The journal: one entity a line, the last line of an entity wins, compacted when it is opened. Of a crowd it holds the
//! number it grew from, and then only what changed.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::apps::App;
use super::index::fold;
use super::world::{Corp, Kind, World};

#[derive(Serialize, Deserialize)]
struct Line {
    corp: String,
    kind: Kind,
    id: String,
    /// Absent when the entity is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
}

pub struct Journal {
    file: Mutex<BufWriter<File>>,
}

impl Journal {
    /// Opens the journal, gives back the world in it, and rewrites it without what was overwritten.
    ///
    /// # Errors
    /// When the file cannot be read or written, or holds something else than a journal.
    pub fn open(path: &Path, seed: u64) -> anyhow::Result<(Self, World)> {
        let mut world = World::new(seed);
        let keys =
            read(path, &mut world, seed).with_context(|| format!("read the journal `{}`", path.display()))?;
        let compacted = path.with_extension("new");
        write(&compacted, &world, keys).with_context(|| format!("write `{}`", compacted.display()))?;
        std::fs::rename(&compacted, path)?;
        // Putting things back marks them as changed, which they are not.
        world.corps.values_mut().for_each(|corp| corp.changed.clear());
        let file = OpenOptions::new().append(true).open(path)?;
        Ok((
            Self {
                file: Mutex::new(BufWriter::new(file)),
            },
            world,
        ))
    }

    /// Writes the lines that `take` gives. They are taken while the file is held, so the file keeps the world's order.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn append_with(&self, take: impl FnOnce() -> Vec<String>) -> anyhow::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        for line in take() {
            file.write_all(line.as_bytes())?;
            file.write_all(b"\n")?;
        }
        file.flush().context("write the journal")
    }
}

/// Lines for everything that has changed; nothing counts as changed afterwards.
pub fn take_changes(world: &mut World) -> Vec<String> {
    let mut lines = Vec::new();
    for (corpid, corp) in &mut world.corps {
        for (kind, id) in std::mem::take(&mut corp.changed) {
            lines.push(line(corpid, corp, kind, id));
        }
    }
    lines
}

/// An entity as it stands.
fn line(corpid: &str, corp: &Corp, kind: Kind, id: String) -> String {
    let line = Line {
        corp: corpid.to_owned(),
        kind,
        value: corp.value(kind, &id),
        id,
    };
    serde_json::to_string(&line).expect("plain data is JSON")
}

/// Corp, kind and id of what the journal speaks of.
type Keys = BTreeSet<(String, Kind, String)>;

/// Puts the journal's entities into the world, line by line, so that no second world stands beside it.
fn read(path: &Path, world: &mut World, seed: u64) -> anyhow::Result<Keys> {
    let mut keys = Keys::new();
    if !path.exists() {
        return Ok(keys);
    }
    let mut reader = BufReader::new(File::open(path)?);
    let mut text = String::new();
    let mut number = 0;
    while reader.read_line(&mut text)? > 0 {
        number += 1;
        let line = match serde_json::from_str::<Line>(&text) {
            Ok(line) => line,
            // A process that was killed leaves half a line, and nothing after it.
            Err(_) if !text.ends_with('\n') => break,
            Err(error) => anyhow::bail!("line {number}: {error}"),
        };
        let corp = world
            .corps
            .entry(line.corp.clone())
            .or_insert_with(|| Corp::new(App::default(), seed ^ fold(&line.corp)));
        match line.value {
            None => corp.forget(line.kind, &line.id),
            Some(value) => corp
                .restore(line.kind, &line.id, value)
                .with_context(|| format!("the journal's {:?} `{}`", line.kind, line.id))?,
        }
        // What counts as changed here is what the file says already.
        corp.changed.clear();
        keys.insert((line.corp, line.kind, line.id));
        text.clear();
    }
    Ok(keys)
}

/// One line an entity. Where a crowd was grown, what is gone needs its line too.
fn write(path: &PathBuf, world: &World, keys: Keys) -> anyhow::Result<()> {
    // It holds secrets and people: its owner's only.
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    let mut file = BufWriter::new(file);
    for (corpid, kind, id) in keys {
        let Some(corp) = world.corps.get(&corpid) else {
            continue;
        };
        if corp.crowd.is_none() && corp.value(kind, &id).is_none() {
            continue;
        }
        file.write_all(line(&corpid, corp, kind, id).as_bytes())?;
        file.write_all(b"\n")?;
    }
    file.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_journal_is_its_owners_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("platform.jsonl");
        Journal::open(&path, 1).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
