//! Style, script and icons: embedded, with a hash in the address, so a browser may keep them for good.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use super::{Path, Result, session};
use crate::app::App;
use crate::auth::Policy;
use crate::error::Error;
use crate::routes::Routes;

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Assets;

static HASHES: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    let hash = |name: &str| Assets::get(name).map(|file| hex::encode(&file.metadata.sha256_hash()[..5]));
    Assets::iter()
        .filter_map(|name| Some((name.to_string(), hash(&name)?)))
        .collect()
});

/// The address of an asset.
pub fn url(name: &str) -> String {
    let hash = HASHES.get(name).map_or("missing", String::as_str);
    format!("/assets/{hash}/{name}")
}

pub fn routes() -> Routes<App> {
    Routes::new(session::guard).get("/assets/{hash}/{name}", Policy::Public, show)
}

async fn show(Path((hash, name)): Path<(String, String)>) -> Result<Response> {
    let file = Assets::get(&name).ok_or(Error::NotFound)?;
    // A page of an older version may still ask by its hash: it gets today's file, but not for good.
    let keep = if HASHES.get(&name) == Some(&hash) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let kind = file.metadata.mimetype().to_owned();
    Ok(([(CONTENT_TYPE, kind), (CACHE_CONTROL, keep.into())], file.data).into_response())
}
