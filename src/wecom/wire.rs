//! Reading answers with patience: numbers that come as strings, `null` where a list belongs, fields that are absent.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use super::fault::Failure;
use crate::time::Timestamp;

/// What every answer starts with; absent means accepted. path/90313 (read 2026-11-22).
#[derive(Deserialize)]
struct Head {
    #[serde(default, deserialize_with = "number")]
    errcode: i64,
    #[serde(default, deserialize_with = "or_default")]
    errmsg: String,
}

/// An answer of which nothing but the head matters.
#[derive(Deserialize)]
pub(super) struct Accepted {}

/// What the body of an answer is turned into.
pub(super) trait Answer: Sized {
    fn read(body: &[u8]) -> Result<Self, Failure>;
}

impl<T: DeserializeOwned> Answer for T {
    fn read(body: &[u8]) -> Result<Self, Failure> {
        read(body)
    }
}

/// A file. Where there is none to be had, the platform answers JSON in its place.
pub(super) struct File(pub(super) Vec<u8>);

impl Answer for File {
    fn read(body: &[u8]) -> Result<Self, Failure> {
        match read::<Accepted>(body) {
            Err(refused @ Failure::Refused { .. }) => Err(refused),
            _ => Ok(Self(body.to_vec())),
        }
    }
}

/// Turns a body into what was asked for, or into the refusal it is.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    // An array would pass for an object whose fields are all absent, and so for success.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Failure::Unreadable("not the platform's JSON".into()));
    }
    let head: Head = serde_json::from_slice(body)
        .map_err(|error| Failure::Unreadable(format!("not the platform's JSON ({})", place(&error))))?;
    if head.errcode != 0 {
        return Err(Failure::refused(head.errcode, &head.errmsg));
    }
    if !matches!(head.errmsg.as_str(), "" | "ok") {
        tracing::warn!(warning = %super::fault::clean(&head.errmsg), "the platform accepted a call with a warning");
    }
    let misshapen = |error: serde_json::Error| Failure::Misshapen(place(&error));
    if !std::str::from_utf8(body).is_ok_and(|text| text.contains(NUL)) {
        return serde_json::from_slice(body).map_err(misshapen);
    }
    let mut answer: serde_json::Value = serde_json::from_slice(body).map_err(misshapen)?;
    without_nul(&mut answer);
    T::deserialize(answer).map_err(misshapen)
}

/// What people type may hold one, and no text of PostgreSQL can: one remark would stop a whole sync.
const NUL: &str = "\\u0000";

fn without_nul(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => text.retain(|char| char != '\0'),
        serde_json::Value::Array(items) => items.iter_mut().for_each(without_nul),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(without_nul),
        _ => {}
    }
}

/// Where reading stopped, without quoting what was there: it may be a customer's.
fn place(error: &serde_json::Error) -> String {
    let said = error.to_string();
    match said.split_once(" at line") {
        Some((missing, _)) if missing.starts_with("missing field") => missing.to_owned(),
        _ => format!("{:?} error at column {}", error.classify(), error.column()),
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Loose {
    Number(i64),
    Text(String),
}

/// A number, however it is written; absent, `null` and `""` are 0.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    match Option::<Loose>::deserialize(deserializer)? {
        None => Ok(0),
        Some(Loose::Number(number)) => Ok(number),
        Some(Loose::Text(text)) if text.is_empty() => Ok(0),
        Some(Loose::Text(text)) => text.trim().parse().map_err(|_| D::Error::custom("not a number")),
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Number(#[serde(deserialize_with = "number")] i64);

pub(super) fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<i64>, D::Error> {
    let numbers = Option::<Vec<Number>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(numbers.into_iter().map(|number| number.0).collect())
}

pub(super) fn some_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(Option::<Number>::deserialize(deserializer)?.map(|number| number.0))
}

/// `null` is the empty value.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// A time in seconds; 0 means none.
pub(super) fn instant(seconds: i64) -> Option<Timestamp> {
    (seconds > 0).then(|| Timestamp::from_seconds(seconds))
}

/// The end of a list is an empty cursor or none, whatever the number of items.
pub(super) fn next(cursor: String) -> Option<String> {
    Some(cursor).filter(|cursor| !cursor.is_empty())
}

#[cfg(test)]
mod tests {
    use super::Answer as _;
    use super::*;

    #[derive(Deserialize, Debug, PartialEq)]
    struct Answer {
        #[serde(default, deserialize_with = "number")]
        create_time: i64,
        #[serde(default, deserialize_with = "or_default")]
        list: Vec<String>,
    }

    fn answer(text: &str) -> Result<Answer, Failure> {
        read(text.as_bytes())
    }

    #[test]
    fn answers_are_read_however_they_are_written() {
        let expected = |create_time| Answer {
            create_time,
            list: vec![],
        };
        for (text, create_time) in [
            (
                r#"{"errcode":0,"errmsg":"ok","create_time":1719830600,"list":[]}"#,
                1719830600,
            ),
            (
                r#"{"errcode":"0","create_time":"1719830600","list":null,"new":{}}"#,
                1719830600,
            ),
            (
                r#"{"errmsg":"ok. Warning: wrong json format. ","create_time":null}"#,
                0,
            ),
            ("{}", 0),
        ] {
            assert_eq!(answer(text).unwrap(), expected(create_time), "{text}");
        }
    }

    #[test]
    fn a_file_is_whatever_is_no_refusal() {
        for file in [&b"\x89PNG"[..], b"", b"{\"errcode\":0}", b"{", b"[1]"] {
            assert_eq!(File::read(file).map(|file| file.0).unwrap(), file);
        }
        let refused = File::read(br#"{"errcode":40007,"errmsg":"invalid media_id"}"#);
        assert!(matches!(refused, Err(Failure::Refused { code: 40007, .. })));
    }

    #[test]
    fn a_refusal_is_told_from_an_unreadable_answer() {
        let refused = answer(r#"{"errcode":84061,"errmsg":"not external contact","list":[]}"#);
        assert!(matches!(refused, Err(Failure::Refused { code: 84061, .. })));
        for text in [
            "",
            "<html>502</html>",
            r#"{"errcode":0,"errmsg":"o"#,
            "[]",
            "null",
            r#"{"errcode":"x"}"#,
        ] {
            assert!(matches!(answer(text), Err(Failure::Unreadable(_))), "{text}");
        }
        let misshapen = answer(r#"{"errcode":0,"list":{"a":1}}"#);
        assert!(matches!(misshapen, Err(Failure::Misshapen(_))));
    }

    #[test]
    fn a_nul_in_a_text_is_left_out_and_one_that_is_only_written_is_kept() {
        #[derive(serde::Deserialize)]
        struct Named {
            name: String,
        }
        let read = |body: &str| read::<Named>(body.as_bytes()).ok().unwrap().name;
        assert_eq!(read(r#"{"errcode":0,"name":"a\u0000b"}"#), "ab");
        assert_eq!(read(r#"{"errcode":0,"name":"a\\u0000b"}"#), r"a\u0000b");
    }
}
