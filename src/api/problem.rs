//! Problem documents (RFC 9457): every refusal of the API has this one shape.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::error::{Advice, Error, PlatformFault, Problem};

/// What a handler answers, or why it stopped.
pub type Result<T, E = Refusal> = std::result::Result<T, E>;

/// A finished answer that ends a handler early: a problem, or the saved answer of an earlier call.
#[derive(Debug)]
pub struct Refusal(Box<Response>);

impl Refusal {
    pub(super) fn with(answer: impl IntoResponse) -> Self {
        Self(Box::new(answer.into_response()))
    }

    fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers_mut().insert(name, value);
        }
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// The kinds of problem there are. Their `type` never changes once published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Invalid,
    SignedOut,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Conflict,
    InFlight,
    OutcomeUnknown,
    TooLarge,
    MediaType,
    KeyReused,
    TooMany,
    Internal,
    Platform,
    Unavailable,
}

impl Kind {
    pub const ALL: [Kind; 15] = [
        Kind::Invalid,
        Kind::SignedOut,
        Kind::Forbidden,
        Kind::NotFound,
        Kind::MethodNotAllowed,
        Kind::Conflict,
        Kind::InFlight,
        Kind::OutcomeUnknown,
        Kind::TooLarge,
        Kind::MediaType,
        Kind::KeyReused,
        Kind::TooMany,
        Kind::Internal,
        Kind::Platform,
        Kind::Unavailable,
    ];

    pub fn status(self) -> StatusCode {
        match self {
            Self::Invalid => StatusCode::BAD_REQUEST,
            Self::SignedOut => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict | Self::InFlight | Self::OutcomeUnknown => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Platform => StatusCode::BAD_GATEWAY,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The stable `type`, a relative URI.
    pub fn uri(self) -> &'static str {
        match self {
            Self::Invalid => "/problems/invalid",
            Self::SignedOut => "/problems/signed-out",
            Self::Forbidden => "/problems/forbidden",
            Self::NotFound => "/problems/not-found",
            Self::MethodNotAllowed => "/problems/method-not-allowed",
            Self::Conflict => "/problems/conflict",
            Self::InFlight => "/problems/in-flight",
            Self::OutcomeUnknown => "/problems/outcome-unknown",
            Self::TooLarge => "/problems/too-large",
            Self::MediaType => "/problems/unsupported-media-type",
            Self::KeyReused => "/problems/idempotency-key-reused",
            Self::TooMany => "/problems/too-many-requests",
            Self::Internal => "/problems/internal",
            Self::Platform => "/problems/platform",
            Self::Unavailable => "/problems/unavailable",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Invalid => "The request is refused",
            Self::SignedOut => "A valid key is needed",
            Self::Forbidden => "This key may not do that",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "This address does not take that method",
            Self::Conflict => "The state does not allow it",
            Self::InFlight => "A request with this key is under way",
            Self::OutcomeUnknown => "What became of the first attempt is not known",
            Self::TooLarge => "The body is too large",
            Self::MediaType => "The body must be JSON",
            Self::KeyReused => "This Idempotency-Key was used for another request",
            Self::TooMany => "Too many requests",
            Self::Internal => "Something went wrong here",
            Self::Platform => "The platform refused or did not answer",
            Self::Unavailable => "Not available at the moment",
        }
    }

    pub(super) fn says(self, detail: impl Into<String>) -> Refusal {
        self.lists(detail, Vec::new())
    }

    fn lists(self, detail: impl Into<String>, errors: Vec<Problem>) -> Refusal {
        let document = ProblemDocument {
            kind: self.uri(),
            title: self.title(),
            status: self.status().as_u16(),
            detail: detail.into(),
            errors: errors.into_iter().map(FieldProblem::from).collect(),
        };
        let mut answer = (self.status(), Json(document)).into_response();
        answer.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        Refusal(Box::new(answer))
    }
}

/// A problem as sent: `application/problem+json`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// Stable, for programs: `/problems/invalid`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: &'static str,
    /// For people; may change.
    #[schema(value_type = String)]
    title: &'static str,
    status: u16,
    detail: String,
    /// Each refused field; empty when the problem is not with a field.
    errors: Vec<FieldProblem>,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct FieldProblem {
    /// JSON pointer into the body, or `/name` of a query parameter.
    pub pointer: String,
    pub message: String,
}

impl From<Problem> for FieldProblem {
    fn from(problem: Problem) -> Self {
        Self {
            pointer: problem.pointer,
            message: problem.message.to_string(),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Kind::NotFound.says("there is nothing here for this key"),
            Error::Invalid(problems) => {
                let detail = match problems.as_slice() {
                    [only] => only.message.to_string(),
                    several => format!("{} fields are refused", several.len()),
                };
                Kind::Invalid.lists(detail, problems)
            }
            Error::Conflict(why) => Kind::Conflict.says(why.to_string()),
            Error::Forbidden(why) => Kind::Forbidden.says(why),
            Error::SignedOut => signed_out(true),
            Error::TooMany { retry_after_s } => too_many(retry_after_s),
            Error::Busy { retry_after_s } => unavailable("too much is asked at once", retry_after_s),
            Error::Platform(fault) => platform(&fault),
            Error::Internal(inner) => internal(&inner),
        }
    }
}

/// 401. `presented` tells a wrong key from none.
pub(super) fn signed_out(presented: bool) -> Refusal {
    let (detail, challenge) = if presented {
        (
            "the key is unknown, expired or revoked",
            r#"Bearer realm="dianyu", error="invalid_token""#,
        )
    } else {
        (
            "send a key: `Authorization: Bearer dianyu_…`",
            r#"Bearer realm="dianyu""#,
        )
    };
    Kind::SignedOut
        .says(detail)
        .header(header::WWW_AUTHENTICATE, challenge)
}

pub(super) fn too_many(retry_after_s: u64) -> Refusal {
    Kind::TooMany
        .says(format!("come back in {retry_after_s} s"))
        .header(header::RETRY_AFTER, &retry_after_s.to_string())
}

/// 503 for an answer that took too long or a server with its hands full.
pub(super) fn unavailable(detail: &str, retry_after_s: u64) -> Refusal {
    Kind::Unavailable
        .says(detail)
        .header(header::RETRY_AFTER, &retry_after_s.to_string())
}

fn platform(fault: &PlatformFault) -> Refusal {
    tracing::warn!(
        platform.code = fault.code,
        "the platform refused a call: {}",
        fault.message
    );
    let what = match fault.code {
        Some(code) => format!("the platform refused with {code}: {}", fault.message),
        None => "the platform gave no readable answer".to_owned(),
    };
    match fault.advice {
        Advice::Retry { after_ms } => {
            let seconds = u64::try_from(after_ms / 1_000).unwrap_or(0).max(1);
            Kind::Platform
                .says(format!("{what}; try again in {seconds} s"))
                .header(header::RETRY_AFTER, &seconds.to_string())
        }
        Advice::TellAdmin => Kind::Platform.says(format!(
            "{what}; an administrator has to check the app's permissions"
        )),
        Advice::Unknown => Kind::Platform.says(format!(
            "{what}; it may or may not have happened, look before trying again"
        )),
        Advice::Drop | Advice::Bug => Kind::Platform.says(what),
    }
}

/// The caller gets an id and nothing else; the log has the rest under the same id.
fn internal(error: &anyhow::Error) -> Refusal {
    let id = crate::ids::random_base62(12);
    tracing::error!(error.id = id, "a request failed: {error:#}");
    Kind::Internal.says(format!("this is logged as `{id}`"))
}

/// A panic reads as any other failure of ours.
pub(super) fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let said = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    internal(&anyhow::anyhow!("a handler panicked: {said}")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_an_address_of_its_own() {
        let mut addresses: Vec<&str> = Kind::ALL.iter().map(|kind| kind.uri()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        assert_eq!(addresses.len(), Kind::ALL.len());
    }

    #[test]
    fn an_internal_error_tells_its_caller_an_id_only() {
        let answer = Refusal::from(Error::internal("secret sql: select 1")).into_response();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
    }
}
