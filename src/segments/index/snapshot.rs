//! An index on disk, so that a start need not read the database: ids and bits, no names. A file that is damaged, short,
//! of another corp, zone or version, or older than the changes that are kept, is passed by.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use chrono_tz::Tz;
use tokio::task::JoinHandle;

use super::bits::Bits;
use super::facts::{self, Facts, Family, Loaded};
use super::file::{Source, read_i64, read_text, read_u32, write_i64, write_text, write_u32};
use super::{Audiences, Index, Known, store};
use crate::app::App;
use crate::config::Config;
use crate::db::{self, changes};
use crate::ids::CorpId;

const MAGIC: &[u8; 8] = b"DYAUDNCE";
/// Of what follows; another one is passed by.
const VERSION: u32 = 6;
const BEGINNING: usize = MAGIC.len() + 4;
/// What a file begins with, then the parts of the facts: each has its length and its checksum at the end of the file,
/// so that several are read at once.
const SECTIONS: usize = 1 + facts::PARTS;
/// Bytes at the end: a length and a checksum a section, and the checksum of these.
const TAIL: usize = SECTIONS * 12 + 4;
/// Sections read at once.
const READERS: usize = 2;
const BUFFER: usize = 1 << 18;
const ENDING: &str = "index";

/// Tells which version of what a file is.
fn beginning() -> [u8; BEGINNING] {
    let mut bytes = [0; BEGINNING];
    let (magic, version) = bytes.split_at_mut(MAGIC.len());
    magic.copy_from_slice(MAGIC);
    version.copy_from_slice(&VERSION.to_le_bytes());
    bytes
}

/// What a file is about, and up to where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Head {
    corp: i64,
    zone: String,
    mark: i64,
    last: i64,
    contacts: u32,
}

fn path(app: &App, corp: CorpId) -> Option<PathBuf> {
    let folder = folder(app.config.data_dir.as_deref(), app.db.file())?;
    Some(folder.join(format!("{corp}.{ENDING}")))
}

fn folder(data_dir: Option<&Path>, database: Option<&Path>) -> Option<PathBuf> {
    match (data_dir, database) {
        (Some(folder), _) => Some(folder.join("audience")),
        (None, Some(file)) => {
            let mut name = file.file_name()?.to_owned();
            name.push("-audience");
            Some(file.with_file_name(name))
        }
        (None, None) => None,
    }
}

type Reading = JoinHandle<io::Result<(Head, Facts)>>;

/// Files that are being read before anybody asks for them.
#[derive(Default)]
pub struct Ahead(HashMap<CorpId, Reading>);

/// Begins to read the indexes on disk, so that a start need not wait for the database first.
pub fn read_ahead(config: &Config) -> Ahead {
    let folder = folder(
        config.data_dir.as_deref(),
        db::file_of(&config.database_url).as_deref(),
    );
    let files = folder.and_then(|folder| fs::read_dir(folder).ok());
    let readings = files.into_iter().flatten().flatten().filter_map(|file| {
        let path = file.path();
        let is_index = path.extension().is_some_and(|ending| ending == ENDING);
        let corp = path.file_stem()?.to_str()?.parse().ok().filter(|_| is_index)?;
        let reading = tokio::task::spawn_blocking(move || read(&path));
        Some((CorpId(corp), reading))
    });
    Ahead(readings.collect())
}

impl Ahead {
    fn take(&mut self, corp: CorpId) -> Option<Reading> {
        self.0.remove(&corp)
    }

    /// Lets go of what is of other corps.
    pub(super) fn keep(&mut self, corps: &[CorpId]) {
        self.0.retain(|corp, _| corps.contains(corp));
    }
}

/// Writes the index down, whole or not at all. What goes wrong is logged: the next start builds anew.
pub(super) async fn save(app: &App, index: &Arc<Index>) {
    let Some(path) = path(app, index.corp) else {
        return;
    };
    let began = Instant::now();
    let saved = index.off(move |index| write(&path, index)).await;
    match saved.map_err(io::Error::other).flatten() {
        Ok(bytes) => {
            let ms = began.elapsed().as_millis() as u64;
            tracing::debug!(corp = %index.corp, bytes, duration_ms = ms, "the audience index is on disk");
        }
        Err(error) => {
            tracing::warn!(corp = %index.corp, %error, "the audience index could not be written to disk");
        }
    }
}

fn write(path: &Path, index: &Index) -> io::Result<u64> {
    let folder = path.parent().ok_or_else(|| io::Error::other("no folder"))?;
    fs::create_dir_all(folder)?;
    let temporary = path.with_extension(format!("{}.new", crate::ids::random_base62(8)));
    let outcome = write_to(&temporary, index).and_then(|bytes| {
        fs::rename(&temporary, path)?;
        File::open(folder)?.sync_all()?;
        Ok(bytes)
    });
    if outcome.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    outcome
}

fn write_to(path: &Path, index: &Index) -> io::Result<u64> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let mut to = Summed {
        inner: BufWriter::with_capacity(BUFFER, file),
        sum: crc32fast::Hasher::new(),
        len: 0,
    };
    let mut ordinals = Vec::new();
    let (head, most) = {
        let mut held = index.write();
        held.unsaved = 0;
        let most = held.facts.ordinals.len();
        held.facts.ordinals.save(&mut ordinals)?;
        let head = Head {
            corp: index.corp.0,
            zone: index.zone.name().to_owned(),
            mark: held.mark,
            last: held.last,
            contacts: most,
        };
        (head, most)
    };
    let mut tail = Vec::with_capacity(TAIL);
    write_head(&mut to, &head)?;
    to.end_section(&mut tail)?;
    to.write_all(&ordinals)?;
    drop(ordinals);
    for part in 0..facts::PARTS {
        write_part(&mut to, index, part, most)?;
        to.end_section(&mut tail)?;
    }
    let sum = crc32fast::hash(&tail);
    write_u32(&mut tail, sum)?;
    let mut inner = to.inner;
    inner.write_all(&tail)?;
    let file = inner.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

/// Writes a part bitmap after bitmap, each for itself, so that nobody waits long. Changes may come in between: they lie at the
/// mark or above it, and are read again after this file. Who came since has a number from `most` on.
fn write_part(to: &mut impl Write, index: &Index, part: usize, most: u32) -> io::Result<()> {
    let number = |to: &mut Vec<u8>, key: &i64| write_i64(to, *key);
    let day = |to: &mut Vec<u8>, key: &i32| write_i64(to, i64::from(*key));
    let text = |to: &mut Vec<u8>, key: &String| write_text(to, key);
    match part {
        0 => {
            // The ordinals stand before it.
            let mut bytes = Vec::new();
            let live = &mut index.write().facts.live;
            live.settle();
            live.save(&mut bytes, most)?;
            to.write_all(&bytes)
        }
        1 => write_family(to, index, most, |facts| &mut facts.tags, number),
        2 => write_family(to, index, most, |facts| &mut facts.stores, number),
        3 => {
            write_family(to, index, most, |facts| &mut facts.channels, text)?;
            write_family(to, index, most, |facts| &mut facts.added, day)?;
            write_family(to, index, most, |facts| &mut facts.genders, number)?;
            write_family(to, index, most, |facts| &mut facts.birthdays, text)
        }
        4 => {
            let associates = index.read().facts.associates.copy(most);
            associates.save(to)
        }
        5 => write_several(to, index, most),
        _ => {
            write_family(to, index, most, |facts| &mut facts.ordered, day)?;
            write_family(to, index, most, |facts| &mut facts.clicked, day)
        }
    }
}

fn write_family<K: Ord + Clone>(
    to: &mut impl Write,
    index: &Index,
    most: u32,
    family: impl Fn(&mut Facts) -> &mut Family<K>,
    write_key: impl Fn(&mut Vec<u8>, &K) -> io::Result<()>,
) -> io::Result<()> {
    let keys: Vec<K> = family(&mut index.write().facts).keys().cloned().collect();
    write_u32(to, keys.len() as u32)?;
    let mut bytes = Vec::new();
    for key in keys {
        bytes.clear();
        write_key(&mut bytes, &key)?;
        let mut held = index.write();
        match family(&mut held.facts).get_mut(&key) {
            Some(bits) => {
                bits.settle();
                bits.save(&mut bytes, most)?;
            }
            None => Bits::new().save(&mut bytes, most)?,
        }
        drop(held);
        to.write_all(&bytes)?;
    }
    Ok(())
}

fn write_several(to: &mut impl Write, index: &Index, most: u32) -> io::Result<()> {
    let mut bytes = Vec::new();
    let pieces = {
        let several = &index.read().facts.associates.several;
        several.who().save(&mut bytes, most)?;
        several.pieces()
    };
    // Of others nothing is written down, whatever comes meanwhile.
    let who = Bits::load(&mut bytes.as_slice())?;
    to.write_all(&bytes)?;
    write_u32(to, pieces as u32)?;
    for piece in 0..pieces {
        bytes.clear();
        let mut held = index.write();
        let several = &mut held.facts.associates.several;
        several.settle_piece(piece);
        several.save_piece(&mut bytes, piece, &who)?;
        drop(held);
        to.write_all(&bytes)?;
    }
    bytes.clear();
    index.read().facts.associates.several.save_names(&mut bytes)?;
    to.write_all(&bytes)
}

fn write_head(to: &mut impl Write, head: &Head) -> io::Result<()> {
    to.write_all(&beginning())?;
    write_i64(to, head.corp)?;
    write_text(to, &head.zone)?;
    write_i64(to, head.mark)?;
    write_i64(to, head.last)?;
    write_u32(to, head.contacts)
}

/// The index as it was written last; `None`: there is none that can be used.
pub(super) async fn load(app: &App, corp: CorpId, zone: Tz) -> Option<Index> {
    let path = path(app, corp)?;
    let began = Instant::now();
    let read = match app.shelf.of::<Audiences>().ahead().take(corp) {
        Some(reading) => reading,
        None => tokio::task::spawn_blocking(move || read(&path)),
    };
    // Read while the file is: what is said of changes from the file's mark on is read again anyway.
    let (read, named) = tokio::join!(read, store::named(&app.db, corp));
    let (head, mut facts) = match read.map_err(io::Error::other).flatten() {
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(%corp, %error, "the audience index on disk cannot be used; building anew");
            return None;
        }
    };
    if head.corp != corp.0 || head.zone != zone.name() {
        tracing::info!(%corp, "the audience index on disk is of another corp or zone; building anew");
        return None;
    }
    facts.named = named.ok()?;
    // A database put back to an earlier state does not know the last change.
    let is_known = head.last == 0 || changes::is_there(&app.db, corp, head.last).await.ok()?;
    if !is_known {
        tracing::info!(%corp, "the audience index on disk is of another state of the database; building anew");
        return None;
    }
    let ms = began.elapsed().as_millis() as u64;
    tracing::info!(%corp, contacts = facts.ordinals.len(), duration_ms = ms, "the audience index is read from disk");
    let known = Known {
        mark: head.mark,
        last: head.last,
        ..Known::default()
    };
    Some(Index::new(corp, zone, app.db.clone(), facts, known))
}

fn read(path: &Path) -> io::Result<(Head, Facts)> {
    // One file from beginning to end, even if another takes its name meanwhile.
    let file = File::open(path)?;
    let mut beginning = [0; BEGINNING];
    file.read_exact_at(&mut beginning, 0)?;
    if beginning != self::beginning() {
        return Err(io::Error::other("it is of another version"));
    }
    let sections = read_tail(&file)?;
    let head = section(&file, &sections[0], read_head)?;
    // The longest first, so that the readers end at about the same time.
    let mut parts: Vec<usize> = (0..facts::PARTS).collect();
    parts.sort_by_key(|part| sections[part + 1].len);
    let left = Mutex::new(parts);
    let take = || left.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let read = || -> io::Result<Vec<Loaded>> {
        std::iter::from_fn(take)
            .map(|part| section(&file, &sections[part + 1], |from| facts::load(part, from)))
            .collect()
    };
    let mut facts = Facts::default();
    std::thread::scope(|scope| -> io::Result<()> {
        let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(read)).collect();
        for reader in readers {
            let loaded = reader.join().map_err(|_| damaged())??;
            loaded.into_iter().for_each(|put| put(&mut facts));
        }
        Ok(())
    })?;
    if facts.ordinals.len() != head.contacts {
        return Err(io::Error::other("its parts do not fit together"));
    }
    Ok((head, facts))
}

/// Where a section lies, and its checksum.
struct Section {
    from: u64,
    len: u64,
    sum: u32,
}

fn read_tail(file: &File) -> io::Result<Vec<Section>> {
    let whole = file.metadata()?.len();
    let end = whole.checked_sub(TAIL as u64).ok_or_else(damaged)?;
    let mut tail = vec![0; TAIL];
    file.read_exact_at(&mut tail, end)?;
    let (table, sum) = tail.split_at(TAIL - 4);
    if sum != crc32fast::hash(table).to_le_bytes() {
        return Err(damaged());
    }
    let (mut sections, mut from, mut table) = (Vec::new(), 0, table);
    for _ in 0..SECTIONS {
        let (len, sum) = (read_i64(&mut table)? as u64, read_u32(&mut table)?);
        sections.push(Section { from, len, sum });
        from = len.checked_add(from).ok_or_else(damaged)?;
    }
    if from == end { Ok(sections) } else { Err(damaged()) }
}

/// Part of a file that several read at once, and the sum of what was read.
struct Part<'f> {
    file: &'f File,
    at: u64,
    left: u64,
    sum: crc32fast::Hasher,
}

impl io::Read for Part<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        // What was just read is still near when it is added up.
        let most = most.min(to.len()).min(BUFFER);
        let read = self.file.read_at(&mut to[..most], self.at)?;
        self.at += read as u64;
        self.left -= read as u64;
        self.sum.update(&to[..read]);
        Ok(read)
    }
}

impl Source for BufReader<Part<'_>> {
    fn left(&self) -> u64 {
        self.get_ref().left + self.buffer().len() as u64
    }
}

/// Reads a section once. Nothing of it is used unless all of it turns out to be as it was written; until then whoever
/// reads believes no length that cannot be true.
fn section<'f, T>(
    file: &'f File,
    place: &Section,
    read: impl FnOnce(&mut BufReader<Part<'f>>) -> io::Result<T>,
) -> io::Result<T> {
    let part = Part {
        file,
        at: place.from,
        left: place.len,
        sum: crc32fast::Hasher::new(),
    };
    let mut from = BufReader::with_capacity(BUFFER, part);
    let read = read(&mut from);
    io::copy(&mut from, &mut io::sink())?;
    let part = from.into_inner();
    if part.left > 0 || part.sum.finalize() != place.sum {
        return Err(damaged());
    }
    read
}

fn damaged() -> io::Error {
    io::Error::other("it is damaged or not whole")
}

fn read_head(from: &mut impl Source) -> io::Result<Head> {
    // Looked at before anything else was.
    from.read_exact(&mut [0; BEGINNING])?;
    Ok(Head {
        corp: read_i64(from)?,
        zone: read_text(from)?,
        mark: read_i64(from)?,
        last: read_i64(from)?,
        contacts: read_u32(from)?,
    })
}

/// Adds up what passes through.
struct Summed<W> {
    inner: W,
    sum: crc32fast::Hasher,
    len: u64,
}

impl<W> Summed<W> {
    /// Notes how long what passed was, and its sum, and begins anew.
    fn end_section(&mut self, tail: &mut Vec<u8>) -> io::Result<()> {
        let sum = std::mem::take(&mut self.sum).finalize();
        write_i64(tail, std::mem::take(&mut self.len) as i64)?;
        write_u32(tail, sum)
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sum.update(&bytes[..written]);
        self.len += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::column::Column;
    use super::super::ordinals::Ordinals;
    use super::super::several::{Said, Several};
    use super::*;

    #[test]
    fn whoever_changes_how_a_file_is_laid_out_raises_its_version() {
        let mut bytes = Vec::new();
        let (mut ordinals, mut first, mut several) =
            (Ordinals::default(), Column::default(), Several::default());
        for contact in 0..300u32 {
            // Near each other, further apart, and far apart.
            let apart = [1, 1 << 20, 1 << 40][contact as usize / 100];
            ordinals.give(i64::from(contact) * apart + 5);
            first.set(contact, (contact % 3 > 0).then_some(contact % 11));
            if contact % 4 == 0 {
                let said = Said {
                    associate: contact % 11,
                    store: (contact % 8 > 0).then_some(i64::from(contact % 5)),
                    day: 20_000 - 90 * (contact % 2) as i32,
                    tags: vec![700, 800 + i64::from(contact % 3)],
                };
                several.add(contact, &said);
            }
        }
        ordinals.save(&mut bytes).unwrap();
        first.below(290).save(&mut bytes).unwrap();
        let many: Bits = (0..300_000)
            .filter(|number| number % 3 == 0 || *number < 70_000)
            .collect();
        many.save(&mut bytes, 250_000).unwrap();
        bytes.extend(several.saved(u32::MAX));
        assert_eq!((VERSION, crc32fast::hash(&bytes)), (6, 3_301_276_926));
    }
}
