//! What handlers read from a request. A form is only read when it proves that our own page sent it.

use axum::body::{Body, Bytes};
use axum::extract::multipart;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Multipart, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq;

use super::{Fault, Shell};
use crate::app::App;
use crate::auth::Operator;
use crate::error::{Error, said};
use crate::files::MOST_BYTES;

/// What a form with a file has beside it.
const FORM_BYTES: usize = 64 * 1024;
const FORM: &str = "application/x-www-form-urlencoded";

/// A posted form whose `csrf` field fits the session. Fields may repeat into a `Vec`; others may not.
pub struct Form<T>(pub T);

#[derive(Deserialize)]
struct Proof {
    #[serde(default)]
    csrf: String,
}

impl<T: DeserializeOwned> FromRequest<App> for Form<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, app: &App) -> Result<Self, Fault> {
        let expected = request
            .extensions()
            .get::<Shell>()
            .map(|shell| shell.csrf.clone());
        let expected = expected.filter(|csrf| !csrf.is_empty()).ok_or_else(stale)?;
        let is_form = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == FORM));
        if !is_form {
            return Err(Error::invalid("/", said!("refused-no-form", "this address takes a form")).into());
        }
        let body = Bytes::from_request(request, app)
            .await
            .map_err(|_| Error::invalid("/", said!("refused-form-long", "the form is too long")))?;
        refuse_nul(&String::from_utf8_lossy(&body))?;
        let proof: Proof = read(&body).await?;
        if !bool::from(proof.csrf.as_bytes().ct_eq(expected.as_bytes())) {
            return Err(stale());
        }
        Ok(Self(read(&body).await?))
    }
}

fn stale() -> Fault {
    Error::Forbidden(
        "the page was open too long or came from elsewhere; go back, reload it and try again".into(),
    )
    .into()
}

/// A NUL is refused before anything is read: no database text can hold one. `pairs` are `name=value&…` as sent.
fn refuse_nul(pairs: &str) -> Result<(), Fault> {
    let Some(pair) = pairs.split('&').find(|pair| holds_nul(pair)) else {
        return Ok(());
    };
    let name = pair.split('=').next().filter(|name| !holds_nul(name));
    Err(Error::invalid(
        format!("/{}", name.unwrap_or_default()),
        said!(
            "refused-nul",
            "a text holds the character NUL (U+0000); leave it out"
        ),
    )
    .into())
}

fn holds_nul(encoded: &str) -> bool {
    encoded.contains('\0') || encoded.contains("%00")
}

async fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Fault> {
    let request = Request::post("/")
        .header(CONTENT_TYPE, FORM)
        .body(Body::from(body.clone()))
        .map_err(Error::internal)?;
    match axum_extra::extract::Form::<T>::from_request(request, &()).await {
        Ok(axum_extra::extract::Form(form)) => Ok(form),
        Err(error) => {
            Err(Error::invalid("/", said!("refused-form", "{error}", error = error.to_string())).into())
        }
    }
}

/// A form with a file, whose `csrf` field comes first and fits the session. The file is read as it comes.
pub struct Upload(Multipart);

/// A file of a form.
pub struct Uploaded<'a> {
    /// As the browser calls it; empty when none was chosen.
    pub name: String,
    pub pieces: multipart::Field<'a>,
}

impl FromRequest<App> for Upload {
    type Rejection = Fault;

    async fn from_request(mut request: Request, _: &App) -> Result<Self, Fault> {
        let expected = request
            .extensions()
            .get::<Shell>()
            .map(|shell| shell.csrf.clone());
        let expected = expected.filter(|csrf| !csrf.is_empty()).ok_or_else(stale)?;
        DefaultBodyLimit::max(MOST_BYTES + FORM_BYTES).apply(&mut request);
        let mut form = Multipart::from_request(request, &())
            .await
            .map_err(|_| no_form())?;
        let first = form.next_field().await.map_err(|_| no_form())?;
        let proof = match first.filter(|field| field.name() == Some("csrf")) {
            Some(field) => field.text().await.map_err(|_| no_form())?,
            None => return Err(stale()),
        };
        if !bool::from(proof.as_bytes().ct_eq(expected.as_bytes())) {
            return Err(stale());
        }
        Ok(Self(form))
    }
}

impl Upload {
    /// The file behind the token.
    pub async fn file(&mut self) -> Result<Option<Uploaded<'_>>, Error> {
        let field = self.0.next_field().await.map_err(|_| no_form().0)?;
        Ok(field.map(|pieces| Uploaded {
            name: pieces.file_name().unwrap_or_default().replace('\0', ""),
            pieces,
        }))
    }
}

fn no_form() -> Fault {
    Error::invalid("/", said!("refused-no-form", "this address takes a form")).into()
}

/// The query of an address.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        refuse_nul(parts.uri.query().unwrap_or_default())?;
        match axum_extra::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum_extra::extract::Query(query)) => Ok(Self(query)),
            Err(error) => {
                Err(Error::invalid("/", said!("refused-query", "{error}", error = error.to_string())).into())
            }
        }
    }
}

/// The variable parts of an address. One that does not read is an address that is not there.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        if holds_nul(parts.uri.path()) {
            return Err(Error::NotFound.into());
        }
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(path)) => Ok(Self(path)),
            Err(_) => Err(Error::NotFound.into()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Operator {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        let shell = parts.extensions.get::<Shell>();
        shell
            .and_then(|shell| shell.me.clone())
            .ok_or_else(|| Error::SignedOut.into())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Shell {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        let shell = parts.extensions.get::<Shell>().cloned();
        shell.ok_or_else(|| Error::internal("a page outside the session layer").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_is_refused_by_name() {
        for (pairs, place) in [
            ("csrf=a&login=li%00", Some("/login")),
            ("a%00=1", Some("/")),
            ("q=%2500", None),
            ("q=a&q=b", None),
        ] {
            let pointer = refuse_nul(pairs).err().map(|fault| match fault.0 {
                Error::Invalid(mut problems) => problems.remove(0).pointer,
                other => panic!("{other}"),
            });
            assert_eq!(pointer.as_deref(), place, "{pairs}");
        }
    }
}
