//! Answers: lists, created things, and how instants, days and figures read in JSON.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::Result;
use crate::error::Error;
use crate::page::Page;

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A page of a list. `next` goes into `after` for the next page; `null` at the end.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T: ToSchema> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

impl<T: ToSchema> List<T> {
    /// A list that fits one page.
    pub fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

impl<T: ToSchema> From<Page<T>> for List<T> {
    fn from(page: Page<T>) -> Self {
        Self {
            items: page.items,
            next: page.next,
        }
    }
}

/// The answer of a call that changes something: kept, so that a repeat can be answered the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    status: StatusCode,
    location: Option<String>,
    body: String,
    is_replay: bool,
}

/// How an answer lies in `saved_answer.body`.
#[derive(Serialize, Deserialize)]
struct Saved {
    location: Option<String>,
    body: String,
}

impl Answer {
    /// 201 with `Location`; `place` is below `/api/v1`.
    pub fn created(place: String, body: &impl Serialize) -> Result<Self> {
        Ok(Self {
            status: StatusCode::CREATED,
            location: Some(format!("/api/v1{place}")),
            ..Self::ok(body)?
        })
    }

    pub fn ok(body: &impl Serialize) -> Result<Self> {
        Ok(Self {
            status: StatusCode::OK,
            location: None,
            body: serde_json::to_string(body).map_err(Error::from)?,
            is_replay: false,
        })
    }

    pub(super) fn status(&self) -> i64 {
        i64::from(self.status.as_u16())
    }

    pub(super) fn saved(&self) -> Result<String, Error> {
        Ok(serde_json::to_string(&Saved {
            location: self.location.clone(),
            body: self.body.clone(),
        })?)
    }

    pub(super) fn replay(status: i64, saved: &str) -> Result<Self, Error> {
        let Saved { location, body } = serde_json::from_str(saved)?;
        let status = u16::try_from(status)
            .ok()
            .and_then(|status| StatusCode::from_u16(status).ok());
        Ok(Self {
            status: status.ok_or_else(|| Error::internal("a saved answer has no HTTP status"))?,
            location,
            body,
            is_replay: true,
        })
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        let mut response = (self.status, json, self.body).into_response();
        let headers = response.headers_mut();
        if let Some(place) = self
            .location
            .as_deref()
            .and_then(|place| HeaderValue::from_str(place).ok())
        {
            headers.insert(header::LOCATION, place);
        }
        if self.is_replay {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}
