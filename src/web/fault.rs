//! Errors as pages. A handler answers an [`Error`]; the session layer, which knows the language, shows it.

use std::sync::Arc;

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{Html, IntoResponse, Redirect, Response};

use super::Shell;
use super::session::encode;
use crate::error::Error;

/// What went wrong in a handler.
#[derive(Debug)]
pub struct Fault(pub Error);

pub type Result<T, E = Fault> = std::result::Result<T, E>;

impl<E: Into<Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Fault {
    /// Only the status, and the error itself for [`show`].
    fn into_response(self) -> Response {
        let mut response = status(&self.0).into_response();
        say_when(&mut response, &self.0);
        response.extensions_mut().insert(Arc::new(self.0));
        response
    }
}

pub async fn no_such_page() -> Fault {
    Fault(Error::NotFound)
}

fn status(error: &Error) -> StatusCode {
    match error {
        Error::NotFound => StatusCode::NOT_FOUND,
        Error::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Conflict(_) => StatusCode::CONFLICT,
        Error::Forbidden(_) => StatusCode::FORBIDDEN,
        Error::SignedOut => StatusCode::UNAUTHORIZED,
        Error::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Error::Platform(_) => StatusCode::BAD_GATEWAY,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What an error page says.
pub struct Story {
    pub title: String,
    pub advice: String,
    pub details: Vec<String>,
    /// To find the log line by.
    pub number: Option<String>,
}

#[derive(Template)]
#[template(path = "errors/inside.html")]
pub struct ErrorPage {
    pub shell: Shell,
    pub title: String,
    pub advice: String,
    pub details: Vec<String>,
    pub number: Option<String>,
}

impl ErrorPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let errors = [
            ("not-found", Error::NotFound),
            ("forbidden", Error::Forbidden(String::new())),
            ("invalid", Error::invalid("/name", "`<b>` is not a name")),
            ("conflict", Error::conflict("it is finished")),
            ("too-many", Error::TooMany { retry_after_s: 60 }),
            ("busy", Error::Busy { retry_after_s: 5 }),
            ("internal", Error::internal("a sample")),
        ];
        let page = |error: &Error| {
            let Story {
                title,
                advice,
                details,
                number,
            } = story(shell, error);
            Self {
                shell: shell.clone(),
                title,
                advice,
                details,
                // The same each time: any other might spell what no page may hold.
                number: number.map(|_| "7Hq2LmXa".to_owned()),
            }
        };
        errors.iter().map(|(name, error)| (*name, page(error))).collect()
    }
}

/// The same for people who are not signed in.
#[derive(Template)]
#[template(path = "errors/outside.html")]
pub struct BareErrorPage {
    pub shell: Shell,
    pub title: String,
    pub advice: String,
    pub details: Vec<String>,
    pub number: Option<String>,
}

/// The page for an error; signed out leads to the sign-in page and back.
pub fn show(shell: &Shell, error: &Error, is_post: bool) -> Response {
    if matches!(error, Error::SignedOut) {
        let back = if is_post { "/" } else { &shell.address };
        return Redirect::to(&format!("/sign-in?return_to={}", encode(back))).into_response();
    }
    let page = page(shell, story(shell, error));
    let mut response = (status(error), page).into_response();
    say_when(&mut response, error);
    response
}

/// When to come back, for what passes by itself.
fn say_when(response: &mut Response, error: &Error) {
    if let Error::TooMany { retry_after_s } | Error::Busy { retry_after_s } = error {
        response
            .headers_mut()
            .insert(RETRY_AFTER, (*retry_after_s).into());
    }
}

fn page(shell: &Shell, story: Story) -> Html<String> {
    let Story {
        title,
        advice,
        details,
        number,
    } = story;
    let shell = shell.clone();
    let text = if shell.me.is_some() {
        ErrorPage {
            shell,
            title,
            advice,
            details,
            number,
        }
        .render()
    } else {
        BareErrorPage {
            shell,
            title,
            advice,
            details,
            number,
        }
        .render()
    };
    Html(text.unwrap_or_default())
}

/// Says what happened and what to do; what went wrong inside is logged under a number, not shown.
pub fn story(shell: &Shell, error: &Error) -> Story {
    let tell = |key: &str| {
        (
            shell.t(&format!("error-{key}")),
            shell.t(&format!("error-{key}-advice")),
        )
    };
    let (key, details, number) = match error {
        Error::NotFound => ("not-found", vec![], None),
        Error::Invalid(problems) => (
            "invalid",
            problems
                .iter()
                .map(|problem| shell.say(&problem.message))
                .collect(),
            None,
        ),
        Error::Conflict(why) => ("conflict", vec![shell.say(why)], None),
        Error::Forbidden(_) => ("forbidden", vec![], None),
        Error::SignedOut => ("signed-out", vec![], None),
        Error::TooMany { .. } => ("too-many", vec![], None),
        Error::Busy { .. } => ("busy", vec![], None),
        Error::Platform(_) | Error::Internal(_) => {
            let number = crate::ids::random_base62(8);
            tracing::error!(number, error = %error, path = shell.path(), "a page failed");
            let key = if matches!(error, Error::Platform(_)) {
                "platform"
            } else {
                "internal"
            };
            (key, vec![], Some(number))
        }
    };
    let (title, advice) = tell(key);
    Story {
        title,
        advice,
        details,
        number,
    }
}
