//! Bytes that come bit by bit as text: UTF-8, UTF-16 with a mark, or GB18030, as spreadsheets write them.

use encoding_rs::{Decoder, Encoding, GB18030, UTF_8};

use crate::error::{Error, Result, said};

/// So many bytes behind the first that is no ASCII decide between UTF-8 and GB18030.
const LOOKED_AT: usize = 64 * 1024;

/// The text so far: held back until its encoding is known.
#[derive(Default)]
pub(super) struct Text {
    decoder: Option<Decoder>,
    held: Vec<u8>,
    has_begun: bool,
}

impl Text {
    /// What these bytes add to the text; maybe nothing yet.
    ///
    /// # Errors
    /// `Invalid` for what is none of these encodings.
    pub fn push(&mut self, bytes: &[u8]) -> Result<String> {
        if let Some(decoder) = &mut self.decoder {
            return decode(decoder, bytes, false);
        }
        self.held.extend_from_slice(bytes);
        self.decide(false)
    }

    pub fn end(&mut self) -> Result<String> {
        let mut text = match self.decoder {
            Some(_) => String::new(),
            None => self.decide(true)?,
        };
        if let Some(decoder) = &mut self.decoder {
            text.push_str(&decode(decoder, &[], true)?);
        }
        Ok(text)
    }

    fn decide(&mut self, is_end: bool) -> Result<String> {
        if !self.has_begun {
            if self.held.len() < 3 && !is_end {
                return Ok(String::new());
            }
            self.has_begun = true;
            if let Some((encoding, mark)) = Encoding::for_bom(&self.held) {
                self.held.drain(..mark);
                return self.decode_as(encoding);
            }
        }
        // ASCII is the same in both: it need not wait.
        let plain = self.held.iter().position(|byte| !byte.is_ascii());
        let plain = plain.unwrap_or(self.held.len());
        let rest = self.held.split_off(plain);
        let ascii = std::mem::replace(&mut self.held, rest);
        let mut text: String = ascii.into_iter().map(char::from).collect();
        refuse_nul(&text)?;
        if self.held.len() >= LOOKED_AT || (is_end && !self.held.is_empty()) {
            let encoding = match std::str::from_utf8(&self.held) {
                Ok(_) => UTF_8,
                // The last character may be cut in two.
                Err(error) if error.error_len().is_none() && !is_end => UTF_8,
                Err(_) => GB18030,
            };
            text.push_str(&self.decode_as(encoding)?);
        }
        Ok(text)
    }

    fn decode_as(&mut self, encoding: &'static Encoding) -> Result<String> {
        let decoder = self.decoder.insert(encoding.new_decoder_without_bom_handling());
        decode(decoder, &std::mem::take(&mut self.held), false)
    }
}

fn decode(decoder: &mut Decoder, bytes: &[u8], is_end: bool) -> Result<String> {
    let room = decoder.max_utf8_buffer_length(bytes.len());
    let mut text = String::with_capacity(room.unwrap_or(bytes.len() * 3 + 16));
    let (_, _, is_wrong) = decoder.decode_to_string(bytes, &mut text, is_end);
    if is_wrong {
        return Err(unreadable());
    }
    refuse_nul(&text)?;
    Ok(text)
}

/// UTF-16 without its mark reads as letters with nothing between them.
fn refuse_nul(text: &str) -> Result<()> {
    if text.contains('\0') {
        Err(unreadable())
    } else {
        Ok(())
    }
}

fn unreadable() -> Error {
    Error::invalid(
        "/file",
        said!(
            "refused-csv-encoding",
            "the file is neither UTF-8 nor GB18030; save it as `CSV UTF-8`"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read in pieces of `size` bytes.
    fn read(bytes: &[u8], size: usize) -> Result<String> {
        let mut text = Text::default();
        let mut all = String::new();
        for piece in bytes.chunks(size) {
            all.push_str(&text.push(piece)?);
        }
        all.push_str(&text.end()?);
        Ok(all)
    }

    #[test]
    fn a_text_reads_the_same_in_any_pieces_and_encodings() {
        let mut expected = String::from("external_userid,birthday\n");
        expected.push_str(&"wmAn,03-08\n".repeat(9_000));
        expected.push_str(&"wmBai,三月八日,“好”\n".repeat(6_000));
        let utf16: Vec<u8> = [0xff, 0xfe]
            .into_iter()
            .chain(expected.encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        let marked = format!("\u{feff}{expected}").into_bytes();
        let gb = GB18030.encode(&expected).0.into_owned();
        for bytes in [expected.as_bytes(), &marked, &utf16, &gb] {
            for size in [1, 7, 4_096, 1 << 20] {
                assert!(read(bytes, size).unwrap() == expected, "{size}");
            }
        }
        assert_eq!(read(b"a", 1).unwrap(), "a");
        assert_eq!(read(b"", 1).unwrap(), "");
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let utf16: Vec<u8> = "a,b\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [&utf16[..], &[b'a', 0xff, 0xff, 0xff], b"a\0b"] {
            assert!(matches!(read(bytes, 2), Err(Error::Invalid(_))), "{bytes:?}");
        }
    }
}
