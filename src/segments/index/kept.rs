//! Answers that are kept as long as nothing changes.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// At most `MOST` answers, all of one version of the facts; the first of them make room.
pub(super) struct Kept<K, V, const MOST: usize>(Mutex<Held<K, V>>);

struct Held<K, V> {
    version: u64,
    answers: HashMap<K, V>,
    in_order: VecDeque<K>,
}

impl<K, V, const MOST: usize> Default for Kept<K, V, MOST> {
    fn default() -> Self {
        Self(Mutex::new(Held {
            version: 0,
            answers: HashMap::new(),
            in_order: VecDeque::new(),
        }))
    }
}

impl<K: Clone + Eq + Hash, V: Clone, const MOST: usize> Kept<K, V, MOST> {
    /// Of this version, which is the facts' now or was a moment ago.
    fn held(&self, version: u64) -> MutexGuard<'_, Held<K, V>> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.version < version {
            held.version = version;
            held.answers.clear();
            held.in_order.clear();
        }
        held
    }

    pub fn get(&self, key: &K, version: u64) -> Option<V> {
        let held = self.held(version);
        match held.version == version {
            true => held.answers.get(key).cloned(),
            false => None,
        }
    }

    /// Keeps an answer of this version.
    pub fn put(&self, key: K, version: u64, answer: V) {
        let mut held = self.held(version);
        if held.version != version || held.answers.insert(key.clone(), answer).is_some() {
            return;
        }
        held.in_order.push_back(key);
        if held.in_order.len() > MOST
            && let Some(first) = held.in_order.pop_front()
        {
            held.answers.remove(&first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_of_one_version_and_the_oldest_goes_first() {
        let kept: Kept<i32, &str, 2> = Kept::default();
        kept.put(1, 5, "one");
        kept.put(2, 5, "two");
        assert_eq!((kept.get(&1, 5), kept.get(&1, 4)), (Some("one"), None));
        kept.put(1, 5, "one again");
        kept.put(3, 5, "three");
        assert_eq!(
            (kept.get(&1, 5), kept.get(&2, 5), kept.get(&3, 5)),
            (None, Some("two"), Some("three"))
        );
        kept.put(4, 4, "too late");
        assert_eq!(kept.get(&4, 4), None);
        assert_eq!(kept.get(&2, 6), None);
        assert_eq!(kept.get(&2, 5), None, "a newer version was asked for");
    }
}
