//! Input: the address, the query and the body, each read strictly. Unknown and repeated fields are refused, and
//! every refusal names its place by a JSON pointer.

use std::collections::BTreeSet;
use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, RawQuery, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse as _;
use serde::de::{DeserializeOwned, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_path_to_error::Segment;

use super::problem::{Kind, Refusal, Result};
use crate::error::{Error, Problem};
use crate::page::PageOf;

/// Largest body, in bytes.
pub const MAX_BODY: usize = 2 * 1024 * 1024;

/// The `{id}` of the address. What cannot be one is not there.
pub struct At<T>(pub T);

impl<T, S> FromRequestParts<S> for At<T>
where
    T: FromStr + Send,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let place = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Error::NotFound)?;
        if place.contains('\0') {
            return Err(Error::NotFound.into());
        }
        Ok(Self(place.parse().map_err(|_| Error::NotFound)?))
    }
}

/// The query. An empty value reads as an absent one.
pub struct Query<T>(pub T);

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let RawQuery(query) = RawQuery::from_request_parts(parts, state)
            .await
            .unwrap_or_else(|never| match never {});
        Ok(Self(read_query(query.as_deref().unwrap_or_default())?))
    }
}

fn read_query<T: DeserializeOwned>(query: &str) -> Result<T, Error> {
    let uri = format!("/?{query}")
        .parse()
        .map_err(|_| Error::invalid("", "the query is not readable"))?;
    let axum::extract::Query(pairs) = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri)
        .map_err(|_| Error::invalid("", "the query is not readable"))?;
    let mut seen = BTreeSet::new();
    let mut map = serde_json::Map::new();
    for (name, value) in pairs {
        if !seen.insert(name.clone()) {
            return Err(Error::invalid(
                format!("/{}", escape(&name)),
                format!("`{name}` is given twice; give it once"),
            ));
        }
        if !value.is_empty() {
            map.insert(name, value.into());
        }
    }
    read_value(serde_json::Value::Object(map), "")
}

/// Reads a whole number out of query text.
pub(super) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse()
        .map(Some)
        .map_err(|_| serde::de::Error::custom(format!("`{text}` is not a whole number")))
}

/// A query that is only `?limit=&after=`.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Rows a page, 1–200; 50 when absent.
    #[serde(default, deserialize_with = "whole")]
    limit: Option<i64>,
    /// `next` of the page before.
    after: Option<String>,
}

impl PageQuery {
    pub fn page(self) -> Result<PageOf, Error> {
        PageOf::new(self.limit, self.after)
    }
}

/// A JSON body.
pub struct Body<T>(pub T);

impl<T, S> FromRequest<S> for Body<T>
where
    T: FromJson,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let bytes = read_bytes(request, state).await?;
        Ok(Self(T::from_json(&bytes)?))
    }
}

/// No fields: `{}` or nothing at all.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoFields {}

/// The body's bytes, once type and size are right. An empty body needs no type.
pub(super) async fn read_bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes> {
    let is_json = is_json(request.headers());
    let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Kind::TooLarge.says(format!(
                "a body holds at most {MAX_BODY} bytes; send fewer rows a call"
            ))
        } else {
            drop(rejection.into_response());
            Refusal::from(Error::invalid("", "the body could not be read to its end"))
        }
    })?;
    if !is_json && !bytes.is_empty() {
        return Err(Kind::MediaType.says("send `Content-Type: application/json`"));
    }
    Ok(bytes)
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
    else {
        return false;
    };
    let mut parts = kind.split(';').map(str::trim);
    let is_json = parts
        .next()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    is_json
        && parts.all(|parameter| {
            parameter.is_empty()
                || parameter
                    .to_ascii_lowercase()
                    .replace('"', "")
                    .strip_prefix("charset=")
                    .is_some_and(|charset| charset == "utf-8")
        })
}

/// What a body can be read as.
pub(super) trait FromJson: Sized {
    fn from_json(bytes: &[u8]) -> Result<Self, Error>;
}

impl<T: DeserializeOwned> FromJson for T {
    fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        let read = read_json(bytes)?;
        // A NUL can only come escaped; nearly no body holds one, so nearly none is read twice.
        if bytes.windows(NUL.len()).any(|part| part == NUL) {
            let whole: serde_json::Value = read_json(bytes)?;
            refuse_nul(&whole, "")?;
        }
        Ok(read)
    }
}

const NUL: &[u8] = br"\u0000";

/// Reads JSON strictly; nothing at all reads as `{}`. Texts may still hold what no database text can.
pub(super) fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    refuse_repeated_keys(bytes)?;
    let mut json = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut json).map_err(|error| Error::Invalid(vec![problem(&error, "")]))
}

/// Reads a value that is part of a larger body, or a query; `at` is its pointer.
pub(super) fn read_value<T: DeserializeOwned>(value: serde_json::Value, at: &str) -> Result<T, Error> {
    refuse_nul(&value, at)?;
    serde_path_to_error::deserialize(value).map_err(|error| Error::Invalid(vec![problem(&error, at)]))
}

/// Names every text and every field that holds a NUL: PostgreSQL keeps none, and what is refused on one database is
/// refused on both.
fn refuse_nul(value: &serde_json::Value, at: &str) -> Result<(), Error> {
    let mut problems = Vec::new();
    find_nul(value, at, &mut problems);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(problems))
    }
}

fn find_nul(value: &serde_json::Value, at: &str, problems: &mut Vec<Problem>) {
    let mut refuse = |text: &str| {
        if text.contains('\0') {
            problems.push(Problem::new(
                at,
                "a text holds the character NUL (U+0000); leave it out",
            ));
        }
    };
    match value {
        serde_json::Value::String(text) => refuse(text),
        serde_json::Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                find_nul(item, &format!("{at}/{index}"), problems);
            }
        }
        serde_json::Value::Object(fields) => {
            fields.keys().for_each(|name| refuse(name));
            for (name, field) in fields {
                find_nul(field, &format!("{at}/{}", escape(name)), problems);
            }
        }
        _ => {}
    }
}

/// serde names an unknown or missing field in its message only; the pointer must name it too.
fn problem(error: &serde_path_to_error::Error<serde_json::Error>, at: &str) -> Problem {
    let mut pointer = at.to_owned();
    for segment in error.path().iter() {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", escape(key))),
            Segment::Enum { variant } => pointer.push_str(&format!("/{}", escape(variant))),
            Segment::Unknown => {}
        }
    }
    let message = error.inner().to_string();
    let message = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(said, _)| said)
        .to_owned();
    let named = ["unknown field `", "missing field `", "duplicate field `"]
        .iter()
        .find_map(|start| message.strip_prefix(start)?.split_once('`'))
        .map(|(field, _)| format!("/{}", escape(field)));
    if let Some(field) = named
        && !pointer.ends_with(&field)
    {
        pointer.push_str(&field);
    }
    Problem::new(pointer, message)
}

/// `~` and `/` in a JSON pointer. RFC 6901.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// A key given twice in one object would silently lose one of its values: refuse it, naming the place.
fn refuse_repeated_keys(bytes: &[u8]) -> Result<(), Error> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let walked = serde_path_to_error::deserialize::<_, Walk>(&mut json);
    let end = json.end();
    match walked {
        Err(error) => Err(Error::Invalid(vec![problem(&error, "")])),
        Ok(_) if end.is_err() => Err(Error::invalid("", "there is something behind the JSON value")),
        Ok(_) => Ok(()),
    }
}

/// Walks any JSON and keeps nothing of it.
struct Walk;

impl<'de> Deserialize<'de> for Walk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Walk)
    }
}

impl<'de> Visitor<'de> for Walk {
    type Value = Walk;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Walk, E> {
        Ok(Walk)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Walk, E> {
        Ok(Walk)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Walk, E> {
        Ok(Walk)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Walk, E> {
        Ok(Walk)
    }

    fn visit_str<E>(self, _: &str) -> Result<Walk, E> {
        Ok(Walk)
    }

    fn visit_unit<E>(self) -> Result<Walk, E> {
        Ok(Walk)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Walk, A::Error> {
        while items.next_element::<Walk>()?.is_some() {}
        Ok(Walk)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Walk, A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(key) = fields.next_key::<String>()? {
            fields.next_value::<Walk>()?;
            if let Some(key) = seen.replace(key) {
                return Err(serde::de::Error::custom(format!("duplicate field `{key}`")));
            }
        }
        Ok(Walk)
    }
}

/// Tells an absent field from `null`: `None` leaves, `Some(None)` clears.
pub(super) fn given<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only refusals are looked at")]
    struct Sample {
        name: String,
        #[serde(default)]
        lines: Vec<Line>,
        #[serde(default)]
        any: serde_json::Value,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only refusals are looked at")]
    struct Line {
        paid_fen: i64,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asked {
        #[serde(default, deserialize_with = "whole")]
        limit: Option<i64>,
        store: Option<crate::ids::StoreId>,
    }

    fn pointer(error: Error) -> String {
        match error {
            Error::Invalid(mut problems) => problems.remove(0).pointer,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn refusals_name_their_place() {
        let cases = [
            (r#"{"name":1}"#, "/name"),
            (r#"{}"#, "/name"),
            ("", "/name"),
            (r#"{"name":"a","corp_id":"2"}"#, "/corp_id"),
            (
                r#"{"name":"a","lines":[{"paid_fen":1},{"paid_fen":"2"}]}"#,
                "/lines/1/paid_fen",
            ),
            (r#"{"name":"a","lines":[{"paid_fen":1.5}]}"#, "/lines/0/paid_fen"),
            (
                r#"{"name":"a","lines":[{"paid_fen":1,"role":"admin"}]}"#,
                "/lines/0/role",
            ),
            (r#"{"name":"a","lines":[{}]}"#, "/lines/0/paid_fen"),
            (r#"{"name":"a","name":"b"}"#, "/name"),
            (r#"{"name":"a","any":{"tag":{"x":1,"x":2}}}"#, "/any/tag/x"),
            (r#"[]"#, ""),
            (r#"{"name":"a"} {}"#, ""),
            (r#"{"name":"#, "/name"),
        ];
        for (json, place) in cases {
            let error = read_json::<Sample>(json.as_bytes()).unwrap_err();
            assert_eq!(pointer(error), place, "{json}");
        }
    }

    #[test]
    fn a_nul_is_refused_by_name_wherever_it_hides() {
        for (json, place) in [
            (r#"{"name":"a\u0000b"}"#, "/name"),
            (r#"{"name":"a","any":[{"tag":"\u0000"}]}"#, "/any/0/tag"),
            (r#"{"name":"a","any":{"\u0000":1}}"#, "/any"),
        ] {
            assert_eq!(pointer(Sample::from_json(json.as_bytes()).unwrap_err()), place);
        }
        let spelled = Sample::from_json(br#"{"name":"a\\u0000b"}"#).unwrap();
        assert_eq!(spelled.name, r"a\u0000b", "a backslash and letters are no NUL");
        assert_eq!(pointer(read_query::<Asked>("store=%00").unwrap_err()), "/store");
    }

    #[test]
    fn a_query_is_read_strictly() {
        let asked: Asked = read_query("limit=5&store=21").unwrap();
        assert_eq!(
            (asked.limit, asked.store.map(|store| store.0)),
            (Some(5), Some(21))
        );
        let asked: Asked = read_query("limit=&store=").unwrap();
        assert_eq!((asked.limit, asked.store), (None, None));
        for (query, place) in [
            ("limit=5&limit=6", "/limit"),
            ("limit=five", "/limit"),
            ("store=x", "/store"),
            ("color=red", "/color"),
        ] {
            assert_eq!(pointer(read_query::<Asked>(query).unwrap_err()), place, "{query}");
        }
    }

    #[test]
    fn only_json_in_utf_8_is_json() {
        for (kind, fits) in [
            ("application/json", true),
            ("application/json; charset=utf-8", true),
            ("Application/JSON; charset=\"UTF-8\"", true),
            ("application/json; charset=gbk", false),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
            assert_eq!(is_json(&headers), fits, "{kind}");
        }
    }
}
