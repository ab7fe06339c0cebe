//! What a message may hold, checked as the platform does: text, up to nine attachments, media that is alive.

use serde_json::{Value, json};

use super::gate::Refusal;
use super::world::Corp;
use crate::time::{DAY_MS, Timestamp};

const MAX_ATTACHMENTS: usize = 9;
const MAX_TEXT_BYTES: usize = 4_000;
const MEDIA_LIFE_MS: i64 = 3 * DAY_MS;

/// Checks a broadcast's or a welcome's message.
pub fn check(corp: &Corp, now: Timestamp, body: &Value) -> Result<(), Refusal> {
    let (text, attachments) = parts(body)?;
    if text.is_empty() && attachments.is_empty() {
        return Err(Refusal::said(41088, "text and attachments are both empty"));
    }
    if text.len() > MAX_TEXT_BYTES {
        return Err(Refusal::new(45002));
    }
    if attachments.len() > MAX_ATTACHMENTS {
        return Err(Refusal::new(41064));
    }
    attachments
        .iter()
        .try_for_each(|attachment| check_attachment(corp, now, attachment))
}

/// Checks a moment's message: pictures, or one video, or one link.
pub fn check_moment(corp: &Corp, now: Timestamp, body: &Value) -> Result<(), Refusal> {
    let (text, attachments) = parts(body)?;
    if text.is_empty() && attachments.is_empty() {
        return Err(Refusal::new(41089));
    }
    if text.chars().count() > 2_000 || text.len() > MAX_TEXT_BYTES {
        return Err(Refusal::new(45002));
    }
    let kinds: Vec<&str> = attachments.iter().map(kind).collect();
    let is_one_sort = match kinds.first() {
        None => true,
        Some(&"image") => kinds.len() <= MAX_ATTACHMENTS && kinds.iter().all(|kind| *kind == "image"),
        Some(&("video" | "link")) => kinds.len() == 1,
        Some(_) => return Err(Refusal::new(41065)),
    };
    if !is_one_sort {
        return Err(Refusal::new(41067));
    }
    attachments.iter().try_for_each(|attachment| {
        let part = &attachment[kind(attachment)];
        if kind(attachment) == "link" {
            longest(part, "title", 64)?;
            required(part, "url", 2_048)?;
            return part
                .get("media_id")
                .map_or(Ok(()), |_| media(corp, now, part, "media_id", true));
        }
        media(corp, now, part, "media_id", true)
    })
}

/// Checks a message of a text and one thing beside it, each under its own name; answers which thing it is: the first of
/// them counts, as the platform has it.
pub fn check_one(
    corp: &Corp,
    now: Timestamp,
    body: &Value,
    text_bytes: usize,
) -> Result<Option<&'static str>, Refusal> {
    let (text, _) = parts(body)?;
    if text.len() > text_bytes {
        return Err(Refusal::new(45002));
    }
    let thing = ["image", "link", "miniprogram", "file", "video"]
        .into_iter()
        .find(|kind| body[*kind].is_object());
    match thing {
        Some(kind) => check_attachment(corp, now, &json!({"msgtype": kind, kind: body[kind]}))?,
        None if text.is_empty() => return Err(Refusal::field("text", "is empty, and so is everything else")),
        None => {}
    }
    Ok(thing)
}

/// The text and attachments alone, as they were given.
pub fn content(body: &Value) -> Value {
    let mut content = json!({});
    for field in ["text", "attachments"] {
        if let Some(part) = body.get(field) {
            content[field] = part.clone();
        }
    }
    content
}

/// Every address in a message: of links, of mini-program pages, and in the text.
pub fn addresses(message: &Value) -> Vec<String> {
    let attachments = message["attachments"].as_array().into_iter().flatten();
    let attached = attachments.filter_map(|attachment| match kind(attachment) {
        "link" => attachment["link"]["url"].as_str(),
        "miniprogram" => attachment["miniprogram"]["page"].as_str(),
        _ => None,
    });
    let text = message["text"]["content"].as_str().unwrap_or_default();
    let written = text
        .split(|letter: char| letter.is_whitespace() || !letter.is_ascii())
        .filter(|word| word.starts_with("http://") || word.starts_with("https://"));
    attached.chain(written).map(str::to_owned).collect()
}

fn parts(body: &Value) -> Result<(&str, &[Value]), Refusal> {
    let text = match body.get("text").and_then(|text| text.get("content")) {
        None | Some(Value::Null) => "",
        Some(content) => content
            .as_str()
            .ok_or_else(|| Refusal::field("text.content", "is not a string"))?,
    };
    let attachments = match body.get("attachments") {
        None | Some(Value::Null) => &[][..],
        Some(list) => list
            .as_array()
            .ok_or_else(|| Refusal::field("attachments", "is not a list"))?,
    };
    Ok((text, attachments))
}

pub fn kind(attachment: &Value) -> &str {
    attachment["msgtype"].as_str().unwrap_or_default()
}

fn check_attachment(corp: &Corp, now: Timestamp, attachment: &Value) -> Result<(), Refusal> {
    let part = &attachment[kind(attachment)];
    match kind(attachment) {
        "image" if part.get("media_id").is_none() => required(part, "pic_url", 2_048),
        "image" | "video" | "file" => media(corp, now, part, "media_id", false),
        "link" => {
            required(part, "title", 128)?;
            longest(part, "desc", 512)?;
            longest(part, "picurl", 2_048)?;
            required(part, "url", 2_048)
        }
        "miniprogram" => {
            required(part, "title", 64)?;
            required(part, "appid", 64)?;
            required(part, "page", 1_024)?;
            media(corp, now, part, "pic_media_id", false)
        }
        _ => Err(Refusal::new(41065)),
    }
}

fn required(part: &Value, field: &str, bytes: usize) -> Result<(), Refusal> {
    match part[field].as_str() {
        None | Some("") => Err(Refusal::field(field, "is missing or empty")),
        Some(_) => longest(part, field, bytes),
    }
}

fn longest(part: &Value, field: &str, bytes: usize) -> Result<(), Refusal> {
    match part[field].as_str() {
        Some(text) if text.len() > bytes => Err(Refusal::field(field, &format!("exceed max length {bytes}"))),
        _ => Ok(()),
    }
}

fn media(corp: &Corp, now: Timestamp, part: &Value, field: &str, for_moments: bool) -> Result<(), Refusal> {
    let id = part[field].as_str().unwrap_or_default();
    corp.media
        .get(id)
        .filter(|media| media.is_for_moments == for_moments)
        .filter(|media| now.0 - media.created_at <= MEDIA_LIFE_MS)
        .map(|_| ())
        .ok_or_else(|| Refusal::new(40007))
}
