//! The journal: one entity a line, the last line of an entity wins, compacted when it is opened.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::world::{App, Corp, Kind, World};

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
        let lines = read(path).with_context(|| format!("read the journal `{}`", path.display()))?;
        let compacted = path.with_extension("new");
        write(&compacted, &lines).with_context(|| format!("write `{}`", compacted.display()))?;
        std::fs::rename(&compacted, path)?;
        let mut world = World::default();
        for ((corp, kind, id), value) in lines {
            let place = world
                .corps
                .entry(corp)
                .or_insert_with(|| Corp::new(App::default(), seed));
            place
                .restore(kind, &id, value)
                .with_context(|| format!("the journal's {kind:?} `{id}`"))?;
        }
        // Putting pairs back marks them as changed, which they are not.
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
            let value = corp.value(kind, &id);
            let line = Line {
                corp: corpid.clone(),
                kind,
                id,
                value,
            };
            lines.push(serde_json::to_string(&line).expect("plain data is JSON"));
        }
    }
    lines
}

type Lines = BTreeMap<(String, Kind, String), Value>;

fn read(path: &Path) -> anyhow::Result<Lines> {
    let mut lines = Lines::new();
    if !path.exists() {
        return Ok(lines);
    }
    let mut reader = BufReader::new(File::open(path)?);
    let mut text = String::new();
    let mut number = 0;
    while reader.read_line(&mut text)? > 0 {
        number += 1;
        match serde_json::from_str::<Line>(&text) {
            Ok(Line {
                corp,
                kind,
                id,
                value: Some(value),
            }) => drop(lines.insert((corp, kind, id), value)),
            Ok(Line {
                corp,
                kind,
                id,
                value: None,
            }) => drop(lines.remove(&(corp, kind, id))),
            // A process that was killed leaves half a line, and nothing after it.
            Err(_) if !text.ends_with('\n') => break,
            Err(error) => anyhow::bail!("line {number}: {error}"),
        }
        text.clear();
    }
    Ok(lines)
}

fn write(path: &PathBuf, lines: &Lines) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for ((corp, kind, id), value) in lines {
        let line = Line {
            corp: corp.clone(),
            kind: *kind,
            id: id.clone(),
            value: Some(value.clone()),
        };
        serde_json::to_writer(&mut file, &line)?;
        file.write_all(b"\n")?;
    }
    file.flush()?;
    Ok(())
}
