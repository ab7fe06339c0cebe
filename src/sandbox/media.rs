//! Uploads: temporary media, pictures with an address, attachments for moments. That they exist outlives a restart;
//! what is in them is kept in memory only, the latest up to a bound.

use std::collections::{HashMap, VecDeque};

use axum::body::Bytes;
use serde_json::json;

use super::gate::{Answer, Api, Call, File, Filed, Look, Refusal, Upload};
use super::world::{Kind, Media};
use crate::time::DAY_MS;

pub const APIS: &[Api] = &[
    Api::post("media/upload", upload),
    Api::file("media/get", download),
    Api::post("media/uploadimg", upload_image),
    Api::post("media/upload_attachment", upload_attachment),
];

const MB: usize = 1024 * 1024;
const LIFE_MS: i64 = 3 * DAY_MS;
/// Bytes of files kept.
const KEPT: usize = 64 * MB;

/// The latest files: name and bytes, by media id.
#[derive(Default)]
pub struct Files {
    by_id: HashMap<String, (String, Bytes)>,
    oldest_first: VecDeque<String>,
    bytes: usize,
}

impl Files {
    fn keep(&mut self, media_id: &str, upload: &Upload) {
        self.bytes += upload.bytes.len();
        self.oldest_first.push_back(media_id.to_owned());
        let file = (upload.filename.clone(), upload.bytes.clone());
        self.by_id.insert(media_id.to_owned(), file);
        while self.bytes > KEPT
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            let gone = self.by_id.remove(&oldest);
            self.bytes -= gone.map_or(0, |(_, bytes)| bytes.len());
        }
    }
}

/// A file as it was uploaded. One that is known but no longer kept answers like one that is too old.
fn download(call: &Look<'_>) -> Filed {
    let id = call
        .parameter("media_id")
        .ok_or_else(|| Refusal::said(41006, "media_id missing"))?;
    let media = call.corp.media.get(id);
    let is_alive = media.is_some_and(|media| call.now.0 - media.created_at <= LIFE_MS);
    let file = call.corp.files.by_id.get(id).filter(|_| is_alive);
    let (name, bytes) = file.ok_or_else(|| Refusal::new(40007))?;
    Ok(File {
        name: name.clone(),
        bytes: bytes.clone(),
    })
}

fn upload(call: &mut Call<'_>) -> Answer {
    let kind = call.parameter("type").unwrap_or_default();
    check(call, kind, &["image", "voice", "video", "file"])?;
    let (media_id, created_at) = keep(call, kind, false);
    Ok(json!({"errmsg": "", "type": kind, "media_id": media_id, "created_at": created_at.to_string()}))
}

fn upload_attachment(call: &mut Call<'_>) -> Answer {
    let kind = call.parameter("media_type").unwrap_or_default();
    check(call, kind, &["image", "video", "file"])?;
    let is_for_moments = match call.parameter("attachment_type") {
        Some("1") => true,
        Some("2") => false,
        _ => return Err(Refusal::field("attachment_type", "is neither 1 nor 2")),
    };
    let (media_id, created_at) = keep(call, kind, is_for_moments);
    Ok(json!({"type": kind, "media_id": media_id, "created_at": created_at}))
}

fn upload_image(call: &mut Call<'_>) -> Answer {
    let upload = file(call)?;
    if !(5..=2 * MB).contains(&upload.bytes.len()) {
        return Err(Refusal::said(40006, "invalid file size"));
    }
    Ok(json!({"url": format!("https://wework.qpic.cn/{}/0", call.corp.new_id("sim", 40))}))
}

fn check(call: &Call<'_>, kind: &str, kinds: &[&str]) -> Result<(), Refusal> {
    if !kinds.contains(&kind) {
        return Err(Refusal::said(40004, "invalid media type"));
    }
    let size = file(call)?.bytes.len();
    let ceiling = match kind {
        "voice" => 2 * MB,
        "file" => 20 * MB,
        _ => 10 * MB,
    };
    if size <= 5 {
        return Err(Refusal::said(44001, "empty media data"));
    }
    if size > ceiling {
        return Err(Refusal::said(45001, "media size out of limit"));
    }
    Ok(())
}

fn file<'a>(call: &Call<'a>) -> Result<&'a Upload, Refusal> {
    call.upload
        .filter(|upload| upload.field == "media" && !upload.filename.is_empty())
        .ok_or_else(|| Refusal::said(41005, "media data missing"))
}

fn keep(call: &mut Call<'_>, kind: &str, is_for_moments: bool) -> (String, i64) {
    let media_id = call.corp.new_id("3a8", 48);
    let media = Media {
        media_id: media_id.clone(),
        kind: kind.to_owned(),
        is_for_moments,
        created_at: call.now.0,
    };
    call.corp.touch(Kind::Media, &media_id);
    call.corp.media.insert(media_id.clone(), media);
    if let Some(upload) = call.upload {
        call.corp.files.keep(&media_id, upload);
    }
    (media_id, call.now.seconds())
}
