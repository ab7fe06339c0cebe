//! Passwords: Argon2id, and the guesses that are on every list.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use crate::error::{Error, Result};

/// How long a comparison waits for its turn.
const PATIENCE: Duration = Duration::from_secs(3);
const RETRY_AFTER_S: u64 = 5;

/// Hashes for storing; off the async threads, it takes tens of milliseconds.
pub async fn hash(password: SecretString) -> Result<String> {
    tokio::task::spawn_blocking(move || {
        Argon2::default()
            .hash_password(password.expose_secret().as_bytes())
            .map(|hash| hash.to_string())
            .map_err(|error| Error::internal(format!("hashing a password: {error}")))
    })
    .await
    .map_err(Error::internal)?
}

/// Whether a password fits. Without a stored hash the same work is done against one that nothing fits, so an
/// unknown login takes as long as a wrong password.
///
/// # Errors
/// [`Error::Busy`] when so many are being compared that this one's turn does not come.
pub async fn fits(password: SecretString, stored: Option<String>) -> Result<bool> {
    fits_at(&BENCHES, PATIENCE, password, stored).await
}

/// Each comparison takes 19 MiB and a core for as long as it lasts, so there are as many at once as cores.
static BENCHES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    Arc::new(Semaphore::new(cores))
});

async fn fits_at(
    benches: &Arc<Semaphore>,
    patience: Duration,
    password: SecretString,
    stored: Option<String>,
) -> Result<bool> {
    let busy = || Error::Busy {
        retry_after_s: RETRY_AFTER_S,
    };
    let turn = tokio::time::timeout(patience, benches.clone().acquire_owned()).await;
    let bench = turn.map_err(|_| busy())?.map_err(Error::internal)?;
    tokio::task::spawn_blocking(move || {
        // Held by the work, not by the request: one that is gone has not freed anything yet.
        let _bench = bench;
        let known = stored.is_some();
        let hash = stored.unwrap_or_else(|| NOBODY.clone());
        let Ok(hash) = PasswordHash::new(&hash) else {
            return false;
        };
        let fits = Argon2::default()
            .verify_password(password.expose_secret().as_bytes(), &hash)
            .is_ok();
        fits && known
    })
    .await
    .map_err(Error::internal)
}

/// A hash of a random word, made once.
static NOBODY: LazyLock<String> = LazyLock::new(|| {
    Argon2::default()
        .hash_password(crate::ids::random_base62(24).as_bytes())
        .map(|hash| hash.to_string())
        .unwrap_or_default()
});

/// Long enough to pass the length rule and guessed first all the same: a short pattern over and over, a run along
/// the keyboard or the alphabet, or one of the words everybody takes.
pub fn is_common(password: &str) -> bool {
    let folded = password.to_lowercase();
    let characters: Vec<char> = folded.chars().collect();
    let repeats = (1..=4).any(|width| {
        characters
            .iter()
            .enumerate()
            .all(|(index, c)| *c == characters[index % width])
    });
    const RUNS: [&str; 5] = [
        "012345678901234567890123456789",
        "abcdefghijklmnopqrstuvwxyz",
        "qwertyuiopasdfghjklzxcvbnm",
        "1qaz2wsx3edc4rfv5tgb6yhn",
        "1q2w3e4r5t6y7u8i9o0p",
    ];
    let run = RUNS
        .iter()
        .any(|run| run.contains(&folded) || run.chars().rev().collect::<String>().contains(&folded));
    const WORDS: [&str; 8] = [
        "password",
        "passw0rd",
        "woaini",
        "iloveyou",
        "letmein",
        "administrator",
        "qwerty",
        "dianyu",
    ];
    let word = WORDS.iter().any(|word| {
        let rest = folded.replace(word, "");
        rest.len() < folded.len()
            && rest.chars().all(|c| c.is_ascii_digit() || "!@#.".contains(c))
            && rest.len() <= 6
    });
    repeats || run || word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_fits() {
        let stored = hash("correct horse battery".to_owned().into()).await.unwrap();
        assert!(
            fits("correct horse battery".to_owned().into(), Some(stored.clone()))
                .await
                .unwrap()
        );
        assert!(
            !fits("correct horse batterz".to_owned().into(), Some(stored))
                .await
                .unwrap()
        );
        assert!(!fits("anything at all".to_owned().into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn only_so_many_are_compared_at_once() {
        let benches = Arc::new(Semaphore::new(1));
        let compare = |patience| fits_at(&benches, patience, "anything at all".to_owned().into(), None);
        let taken = benches.clone().acquire_owned().await.unwrap();
        let refused = compare(Duration::from_millis(1)).await;
        assert!(matches!(refused, Err(Error::Busy { .. })));
        drop(taken);
        assert!(!compare(Duration::MAX).await.unwrap());
        assert_eq!(benches.available_permits(), 1);
    }

    #[test]
    fn guesses_everybody_makes_are_known() {
        for guess in [
            "aaaaaaaaaaaa",
            "abcabcabcabc",
            "123456789012",
            "password1234",
            "qwertyuiopas",
            "passwordpassword",
        ] {
            assert!(is_common(guess), "{guess}");
        }
        for good in [
            "correct horse battery",
            "tide-lantern-47-moss",
            "我的店有三只猫和一棵大树",
        ] {
            assert!(!is_common(good), "{good}");
        }
    }
}
