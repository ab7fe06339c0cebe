//! The callback crypto: AES-256-CBC with a 32-byte pad, SHA-1 signature. path/90968 (read 2026-11-22).
//!
//! SHA-1 and an IV cut from the key are the platform's choice, not ours. CBC carries no MAC, so the signature is
//! checked before anything is decrypted and every failure looks the same from outside.

use aes::Aes256;
use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

const BLOCK: usize = 32;
const RANDOM: usize = 16;

/// Keys made by the console often carry non-zero trailing bits: 43 characters hold 258 bits.
const KEY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a callback was refused; the numbers are the platform's own library's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    #[error("signature mismatch (-40001)")]
    Signature,
    #[error("illegal EncodingAESKey (-40004)")]
    Key,
    #[error("receive id mismatch (-40005)")]
    ReceiveId,
    #[error("decryption failed (-40007)")]
    Decrypt,
    #[error("illegal buffer after decryption (-40008)")]
    Buffer,
    #[error("base64 decoding failed (-40010)")]
    Base64,
}

/// One app's callback secrets.
#[derive(Clone)]
pub struct CallbackCrypto {
    token: String,
    key: [u8; 32],
    receive_id: String,
}

impl CallbackCrypto {
    /// `receive_id` is the corpid for self-built apps.
    ///
    /// # Errors
    /// [`CryptoError::Key`] when the key is not 43 characters of base64.
    pub fn new(token: &str, encoding_aes_key: &str, receive_id: &str) -> Result<Self, CryptoError> {
        if encoding_aes_key.len() != 43 {
            return Err(CryptoError::Key);
        }
        let bytes = KEY_BASE64
            .decode(encoding_aes_key)
            .map_err(|_| CryptoError::Key)?;
        let key = bytes.try_into().map_err(|_| CryptoError::Key)?;
        Ok(Self {
            token: token.to_owned(),
            key,
            receive_id: receive_id.to_owned(),
        })
    }

    /// Lower-case hex of SHA-1 over the four parts in byte order.
    pub fn signature(&self, timestamp: &str, nonce: &str, encrypted: &str) -> String {
        let mut parts = [self.token.as_str(), timestamp, nonce, encrypted];
        parts.sort_unstable();
        hex::encode(Sha1::digest(parts.concat().as_bytes()))
    }

    /// Checks the signature, then decrypts.
    ///
    /// # Errors
    /// The reason is for our log; the sender is told one thing whatever it was.
    pub fn open(
        &self,
        signature: &str,
        timestamp: &str,
        nonce: &str,
        encrypted: &str,
    ) -> Result<String, CryptoError> {
        let expected = self.signature(timestamp, nonce, encrypted);
        if !bool::from(expected.as_bytes().ct_eq(signature.as_bytes())) {
            return Err(CryptoError::Signature);
        }
        self.decrypt(encrypted)
    }

    fn decrypt(&self, encrypted: &str) -> Result<String, CryptoError> {
        let mut bytes = STANDARD.decode(encrypted).map_err(|_| CryptoError::Base64)?;
        if bytes.is_empty() || bytes.len() % 16 != 0 {
            return Err(CryptoError::Decrypt);
        }
        let cipher = cbc::Decryptor::<Aes256>::new(&self.key.into(), &self.iv().into());
        cipher
            .decrypt_padded::<NoPadding>(&mut bytes)
            .map_err(|_| CryptoError::Decrypt)?;
        let pad = usize::from(*bytes.last().ok_or(CryptoError::Buffer)?);
        if pad == 0 || pad > BLOCK || pad > bytes.len() {
            return Err(CryptoError::Buffer);
        }
        let plain = &bytes[..bytes.len() - pad];
        let length = plain.get(RANDOM..RANDOM + 4).ok_or(CryptoError::Buffer)?;
        let length = u32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
        let rest = &plain[RANDOM + 4..];
        let (message, receive_id) = rest.split_at_checked(length).ok_or(CryptoError::Buffer)?;
        if receive_id != self.receive_id.as_bytes() {
            return Err(CryptoError::ReceiveId);
        }
        String::from_utf8(message.to_vec()).map_err(|_| CryptoError::Buffer)
    }

    /// Encrypts with the given random bytes (give fresh ones each time).
    pub fn encrypt(&self, random: [u8; RANDOM], message: &str) -> String {
        let mut bytes = Vec::with_capacity(RANDOM + 4 + message.len() + self.receive_id.len() + BLOCK);
        bytes.extend_from_slice(&random);
        bytes.extend_from_slice(&(message.len() as u32).to_be_bytes());
        bytes.extend_from_slice(message.as_bytes());
        bytes.extend_from_slice(self.receive_id.as_bytes());
        let pad = BLOCK - bytes.len() % BLOCK;
        bytes.extend(std::iter::repeat_n(pad as u8, pad));
        let length = bytes.len();
        let cipher = cbc::Encryptor::<Aes256>::new(&self.key.into(), &self.iv().into());
        cipher
            .encrypt_padded::<NoPadding>(&mut bytes, length)
            .expect("whole blocks need no room to grow");
        STANDARD.encode(bytes)
    }

    fn iv(&self) -> [u8; 16] {
        self.key[..16].try_into().expect("the key is longer than the IV")
    }
}

#[cfg(test)]
mod tests;
