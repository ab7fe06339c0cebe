//! The seeds of the fuzz targets, each through the same checks: what was once found stays mended.

use std::fs;
use std::path::PathBuf;

#[path = "../../fuzz/src/lib.rs"]
mod holds;

/// The seeds of a folder, by name.
fn seeds(folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut seeds: Vec<_> = fs::read_dir(format!("fuzz/seeds/{folder}"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    seeds.sort();
    seeds
}

/// Runs each seed, naming the one at fault.
fn run(folder: &str, at_least: usize, step: fn(&[u8])) {
    let seeds = seeds(folder);
    assert!(seeds.len() >= at_least, "seeds of {folder} are missing");
    for (path, seed) in seeds {
        let held = std::panic::catch_unwind(|| step(&seed));
        assert!(held.is_ok(), "{}", path.display());
    }
}

#[test]
fn every_seed_holds_through_the_four_steps() {
    run("outer", 30, holds::outer);
    run("decrypt", 25, holds::decrypt);
    run("events", 55, holds::inner);
    run("events", 55, holds::dispatch);
}

#[test]
fn each_kind_of_event_is_among_the_seeds() {
    use dianyu::wecom::callback::{Event, read_event};
    let mut kinds: Vec<_> = seeds("events")
        .into_iter()
        .filter_map(|(_, seed)| read_event(std::str::from_utf8(&seed).ok()?))
        .map(|received| match received.event {
            Event::ContactAdded { .. } => "added",
            Event::ContactHalfAdded { .. } => "half added",
            Event::ContactEdited { .. } => "edited",
            Event::ContactRemoved { .. } => "removed",
            Event::ContactLost { .. } => "lost",
            Event::TransferFailed { .. } => "transfer failed",
            Event::TagsChanged => "tags",
            Event::MemberChanged { .. } => "member",
            Event::DepartmentsChanged => "departments",
            Event::GroupCreated { .. } => "group created",
            Event::GroupChanged { .. } => "group changed",
            Event::GroupDismissed { .. } => "group dismissed",
            Event::Other { .. } => "other",
        })
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), 13, "{kinds:?}");
}
