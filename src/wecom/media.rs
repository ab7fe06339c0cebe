//! Uploads, and reading them back: media for messages, pictures with a lasting address, pictures for the album. path/90389 (read 2026-11-22).
//! Media ids live 3 days: keep the file, and upload it again when it is needed.

use serde::Deserialize;

use super::Client;
use super::ask::{Api, Ask};
use super::wire::File;
use crate::error::Result;

/// What is uploaded for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// Jpg or png, at most 10 MB.
    Image,
    /// Mp4, at most 10 MB.
    Video,
    /// At most 20 MB.
    File,
}

const UPLOAD: Api = Api::freely("media/upload");
/// 1,000 a day and 3,000 a month in a corp.
const UPLOAD_PICTURE: Api = Api::freely("media/uploadimg");
const UPLOAD_ATTACHMENT: Api = Api::freely("media/upload_attachment");

const DOWNLOAD: Api = Api::freely("media/get");

#[derive(Deserialize)]
struct WireMedia {
    media_id: String,
}

#[derive(Deserialize)]
struct WirePicture {
    url: String,
}

impl MediaKind {
    fn query(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Image => &[("type", "image")],
            Self::Video => &[("type", "video")],
            Self::File => &[("type", "file")],
        }
    }

    fn mime(self, bytes: &[u8]) -> &'static str {
        match self {
            Self::Image => picture_mime(bytes),
            Self::Video => "video/mp4",
            Self::File => "application/octet-stream",
        }
    }
}

impl Client {
    /// Uploads a file for messages; moments and the album have uploads of their own (40007).
    pub async fn upload_media(&self, kind: MediaKind, filename: &str, bytes: &[u8]) -> Result<String> {
        let ask = Ask::Upload {
            query: kind.query(),
            filename,
            mime: kind.mime(bytes),
            bytes,
        };
        let media: WireMedia = self.call(UPLOAD, ask).await?;
        Ok(media.media_id)
    }

    /// Reads a file back while its media id lives (40007 after); at most 16 MiB.
    pub async fn download_media(&self, media_id: &str) -> Result<Vec<u8>> {
        let query = vec![("media_id", media_id.to_owned())];
        let file: File = self.call(DOWNLOAD, Ask::Get(query)).await?;
        Ok(file.0)
    }

    /// Uploads a picture (at most 2 MB) to an address that lasts.
    pub async fn upload_picture(&self, filename: &str, bytes: &[u8]) -> Result<String> {
        let ask = Ask::Upload {
            query: &[],
            filename,
            mime: picture_mime(bytes),
            bytes,
        };
        let picture: WirePicture = self.call(UPLOAD_PICTURE, ask).await?;
        Ok(picture.url)
    }

    /// Uploads a picture for the product album.
    pub async fn upload_album_picture(&self, filename: &str, bytes: &[u8]) -> Result<String> {
        let ask = Ask::Upload {
            query: &[("media_type", "image"), ("attachment_type", "2")],
            filename,
            mime: picture_mime(bytes),
            bytes,
        };
        let media: WireMedia = self.call(UPLOAD_ATTACHMENT, ask).await?;
        Ok(media.media_id)
    }
}

fn picture_mime(bytes: &[u8]) -> &'static str {
    if bytes.starts_with(b"\x89PNG") {
        "image/png"
    } else {
        "image/jpeg"
    }
}
