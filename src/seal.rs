//! Sealing: secrets at rest under AES-256-GCM with the master key. The name of the place a value is stored in is
//! bound into it, so a sealed value moved to another row or column does not open.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::SecureRandom as _;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use crate::config::MasterKey;
use crate::error::{Error, Result};

/// First in every sealed value: which key and scheme sealed it.
const KEY_ID: &str = "k1";

/// Seals and opens with one key.
#[derive(Clone)]
pub struct Sealer {
    key: std::sync::Arc<LessSafeKey>,
    blind: std::sync::Arc<ring::hmac::Key>,
    audit: std::sync::Arc<ring::hmac::Key>,
    proof: std::sync::Arc<ring::hmac::Key>,
}

impl Sealer {
    pub fn new(master: &MasterKey) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, &master.0).expect("the master key has 32 bytes");
        let derived = |purpose: &str| {
            let key: [u8; 32] = Sha256::new_with_prefix(purpose)
                .chain_update(master.0)
                .finalize()
                .into();
            std::sync::Arc::new(ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key))
        };
        Self {
            key: std::sync::Arc::new(LessSafeKey::new(key)),
            blind: derived("dianyu blind index"),
            audit: derived("dianyu audit chain"),
            proof: derived("dianyu address proof"),
        }
    }

    /// `place` is `corp|table|column|row`.
    pub fn seal(&self, place: &str, secret: &str) -> String {
        let mut nonce = [0u8; NONCE_LEN];
        ring::rand::SystemRandom::new()
            .fill(&mut nonce)
            .expect("the system gives random bytes");
        let mut bytes = secret.as_bytes().to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.as_bytes()),
                &mut bytes,
            )
            .expect("a secret is far below the cipher's limit");
        format!("{KEY_ID}.{}.{}", BASE64.encode(nonce), BASE64.encode(bytes))
    }

    /// # Errors
    /// When the value is damaged, was sealed for another place, or under another master key.
    pub fn open(&self, place: &str, sealed: &str) -> Result<SecretString> {
        let unreadable = || {
            Error::internal(format!(
                "the secret at `{place}` does not open; is `DIANYU_MASTER_KEY` the one it was sealed with?"
            ))
        };
        let mut parts = sealed.split('.');
        let (Some(KEY_ID), Some(nonce), Some(bytes), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(unreadable());
        };
        let nonce: [u8; NONCE_LEN] = BASE64
            .decode(nonce)
            .ok()
            .and_then(|nonce| nonce.try_into().ok())
            .ok_or_else(unreadable)?;
        let mut bytes = BASE64.decode(bytes).map_err(|_| unreadable())?;
        let plain = self
            .key
            .open_in_place(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.as_bytes()),
                &mut bytes,
            )
            .map_err(|_| unreadable())?;
        String::from_utf8(plain.to_vec())
            .map(SecretString::from)
            .map_err(|_| unreadable())
    }

    /// A keyed fingerprint of a personal value, for finding it again without storing it. Differs per corp.
    pub fn blind(&self, corp: crate::ids::CorpId, value: &str) -> String {
        let tag = ring::hmac::sign(&self.blind, format!("{corp}|{value}").as_bytes());
        hex::encode(&tag.as_ref()[..16])
    }

    /// What only an installation with this master key can answer to a question: whoever asks an address and hears it
    /// has reached us.
    pub fn proof(&self, question: &str) -> String {
        hex::encode(ring::hmac::sign(&self.proof, question.as_bytes()))
    }

    /// A keyed hash over fields, each with its length so that none runs into the next: what audit chains are made of.
    pub fn mac(&self, fields: &[&str]) -> String {
        let mut context = ring::hmac::Context::with_key(&self.audit);
        for field in fields {
            context.update(&(field.len() as u64).to_be_bytes());
            context.update(field.as_bytes());
        }
        hex::encode(context.sign())
    }
}

/// SHA-256 in lower-case hex: how tokens and keys are stored.
pub fn fingerprint(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn a_sealed_value_opens_only_where_it_belongs() {
        let sealer = Sealer::new(&MasterKey([7; 32]));
        let sealed = sealer.seal("1|corp|secret|1", "s3cret");
        assert!(!sealed.contains("s3cret"));
        assert_eq!(
            sealer.open("1|corp|secret|1", &sealed).unwrap().expose_secret(),
            "s3cret"
        );
        assert!(sealer.open("2|corp|secret|2", &sealed).is_err());
        assert!(
            Sealer::new(&MasterKey([8; 32]))
                .open("1|corp|secret|1", &sealed)
                .is_err()
        );
    }
}
