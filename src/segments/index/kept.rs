//! Answers that are kept as long as nothing changes.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// At most `MOST` answers, all of one version of the facts.
pub(super) struct Kept<K, V, const MOST: usize>(Mutex<Held<K, V>>);

struct Held<K, V> {
    version: u64,
    answers: HashMap<K, V>,
}

impl<K, V, const MOST: usize> Default for Kept<K, V, MOST> {
    fn default() -> Self {
        Self(Mutex::new(Held {
            version: 0,
            answers: HashMap::new(),
        }))
    }
}

impl<K: Eq + Hash, V: Clone, const MOST: usize> Kept<K, V, MOST> {
    fn held(&self) -> MutexGuard<'_, Held<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, key: &K, version: u64) -> Option<V> {
        let held = self.held();
        match held.version == version {
            true => held.answers.get(key).cloned(),
            false => None,
        }
    }

    /// Keeps an answer of this version, which must still be the facts'.
    pub fn put(&self, key: K, version: u64, answer: V) {
        let mut held = self.held();
        if held.version != version || held.answers.len() >= MOST {
            held.version = version;
            held.answers.clear();
        }
        held.answers.insert(key, answer);
    }
}
