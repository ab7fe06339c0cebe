//! Signing in by password or by the platform, and out; theme and language.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::header::{RETRY_AFTER, SET_COOKIE, USER_AGENT};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::session::{self, Asker, Browser, cookie, encode, local};
use super::{Form, Query, Result, Shell, Show, lang};
use crate::app::App;
use crate::auth::{self, NewSession, Operator, Policy};
use crate::directory;
use crate::error::Error;
use crate::ids::CorpId;
use crate::metrics::Lang;
use crate::routes::Routes;
use crate::wecom::login::Identity;

const YEAR_S: i64 = 365 * 24 * 3600;

pub fn routes() -> Routes<App> {
    Routes::new(session::guard)
        .get("/sign-in", Policy::Public, form)
        .post("/sign-in", Policy::Public, sign_in)
        .post("/sign-out", Policy::SignedIn, sign_out)
        .get("/auth/wecom/start", Policy::Public, start)
        .get("/auth/wecom/callback", Policy::OwnProof, callback)
        .post("/theme", Policy::Public, look)
}

/// A brand one can sign in to.
pub struct Entrance {
    pub id: CorpId,
    pub name: String,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    pub shell: Shell,
    pub corps: Vec<Entrance>,
    pub return_to: String,
    pub login: String,
    pub wrong: Option<Wrong>,
}

/// Why nobody is signed in yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    Password,
    TooMany {
        retry_after_s: u64,
    },
    /// The sign-in began elsewhere, too long ago, or was used.
    Stale,
    /// The platform knows them, we do not: no operator, or somebody who left.
    Stranger,
    /// The platform did not say who it is.
    Platform,
}

impl Wrong {
    fn key(self) -> &'static str {
        match self {
            Self::Password => "sign-in-wrong",
            Self::TooMany { .. } => "sign-in-too-many",
            Self::Stale => "sign-in-stale",
            Self::Stranger => "sign-in-stranger",
            Self::Platform => "sign-in-platform",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Password => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Stale => StatusCode::UNAUTHORIZED,
            Self::Stranger => StatusCode::FORBIDDEN,
            Self::Platform => StatusCode::BAD_GATEWAY,
        }
    }

    /// Whether it is about the form with the password.
    fn is_typed(self) -> bool {
        matches!(self, Self::Password | Self::TooMany { .. })
    }
}

impl SignInPage {
    fn corp_names(&self) -> String {
        let names: Vec<&str> = self.corps.iter().map(|corp| corp.name.as_str()).collect();
        names.join("、")
    }

    fn wrong_word(&self) -> Option<String> {
        let wrong = self.wrong?;
        Some(match wrong {
            Wrong::TooMany { retry_after_s } => {
                let minutes = retry_after_s.div_ceil(60) as i64;
                self.shell.t1(wrong.key(), "minutes", minutes)
            }
            _ => self.shell.t(wrong.key()),
        })
    }

    fn is_typed_wrong(&self) -> bool {
        self.wrong.is_some_and(Wrong::is_typed)
    }

    fn return_to_encoded(&self) -> String {
        encode(&self.return_to)
    }

    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let page = |corps: &[&str], wrong: Option<Wrong>| Self {
            shell: Shell {
                me: None,
                address: "/sign-in".into(),
                ..shell.clone()
            },
            corps: corps
                .iter()
                .zip(1..)
                .map(|(name, id)| Entrance {
                    id: CorpId(id),
                    name: (*name).into(),
                })
                .collect(),
            return_to: "/contacts?tag=1".into(),
            login: wrong.map(|_| "li".to_owned()).unwrap_or_default(),
            wrong,
        };
        vec![
            ("typical", page(&["禾与 HEYU"], None)),
            (
                "wrong",
                page(&["禾与 HEYU", "山间 SHANJIAN"], Some(Wrong::Password)),
            ),
            (
                "too-many",
                page(&["禾与 HEYU"], Some(Wrong::TooMany { retry_after_s: 840 })),
            ),
            ("stranger", page(&["禾与 HEYU"], Some(Wrong::Stranger))),
            ("empty", page(&[], None)),
        ]
    }
}

/// Before somebody who is signed in signs in by the platform, perhaps as somebody else.
#[derive(Template)]
#[template(path = "switch.html")]
pub struct SwitchPage {
    pub shell: Shell,
    pub return_to: String,
}

impl SwitchPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let page = Self {
            shell: shell.clone(),
            return_to: "/contacts?tag=1".into(),
        };
        vec![("typical", page)]
    }
}

#[derive(Deserialize)]
struct Back {
    return_to: Option<String>,
}

async fn form(app: State<App>, shell: Shell, Query(back): Query<Back>) -> Result<Response> {
    let return_to = local(back.return_to.as_deref());
    if shell.me.is_some() {
        return Ok(shell.go(return_to));
    }
    let page = page(&app, shell.clone(), return_to, String::new(), None).await?;
    Ok(page.into_response())
}

async fn page(
    app: &App,
    shell: Shell,
    return_to: &str,
    login: String,
    wrong: Option<Wrong>,
) -> Result<Show<SignInPage>> {
    let corps = directory::corps(&app.db).await?;
    let corps = corps
        .into_iter()
        .map(|corp| Entrance {
            id: corp.id,
            name: corp.name,
        })
        .collect();
    let return_to = return_to.to_owned();
    Ok(Show(SignInPage {
        shell,
        corps,
        return_to,
        login,
        wrong,
    }))
}

/// The page once more, with the reason.
async fn again(app: &App, shell: Shell, return_to: &str, login: String, wrong: Wrong) -> Result<Response> {
    let shell = Shell {
        address: "/sign-in".into(),
        ..shell
    };
    let page = page(app, shell, return_to, login, Some(wrong)).await?;
    let mut response = (wrong.status(), page).into_response();
    if let Wrong::TooMany { retry_after_s } = wrong {
        response.headers_mut().insert(RETRY_AFTER, retry_after_s.into());
    }
    Ok(response)
}

#[derive(Deserialize)]
struct Credentials {
    login: String,
    password: SecretString,
    return_to: Option<String>,
}

async fn sign_in(
    app: State<App>,
    shell: Shell,
    Extension(Asker(address)): Extension<Asker>,
    Form(given): Form<Credentials>,
) -> Result<Response> {
    let return_to = local(given.return_to.as_deref());
    let login = given.login.trim();
    match auth::sign_in(&app, login, &given.password, &address).await {
        Ok(session) => enter(&app, &shell, &session, return_to).await,
        Err(error) => {
            let wrong = match error {
                Error::SignedOut => Wrong::Password,
                Error::TooMany { retry_after_s } => Wrong::TooMany { retry_after_s },
                other => return Err(other.into()),
            };
            again(&app, shell, return_to, login.to_owned(), wrong).await
        }
    }
}

/// Lets somebody in. Whoever this browser was signed in as before is signed out.
async fn enter(app: &App, shell: &Shell, session: &NewSession, return_to: &str) -> Result<Response> {
    if let Some(before) = &shell.me {
        auth::sign_out(app, before).await?;
    }
    let mut response = shell.go(return_to);
    let kept = session::signed_in(session.token.expose_secret(), shell.is_https);
    response.headers_mut().append(SET_COOKIE, kept);
    Ok(response)
}

#[derive(Deserialize)]
struct Empty {}

async fn sign_out(app: State<App>, shell: Shell, me: Operator, _: Form<Empty>) -> Result<Response> {
    auth::sign_out(&app, &me).await?;
    let mut response = shell.go("/sign-in");
    response
        .headers_mut()
        .append(SET_COOKIE, session::signed_out(shell.is_https));
    Ok(response)
}

#[derive(Deserialize)]
struct Start {
    corp: Option<CorpId>,
    return_to: Option<String>,
}

/// Leads to the platform: silently inside its app, to a code to scan elsewhere. Whoever is signed in is asked first:
/// an address opened from a chat makes nobody somebody else.
async fn start(
    app: State<App>,
    shell: Shell,
    Extension(Browser(browser)): Extension<Browser>,
    Extension(Asker(address)): Extension<Asker>,
    headers: HeaderMap,
    Query(start): Query<Start>,
) -> Result<Response> {
    let return_to = local(start.return_to.as_deref());
    if shell.me.is_some() {
        let return_to = return_to.to_owned();
        return Ok(Show(SwitchPage { shell, return_to }).into_response());
    }
    let corps = directory::corps(&app.db).await?;
    let corp = corps
        .iter()
        .find(|corp| start.corp.is_none_or(|id| id == corp.id))
        .ok_or(Error::NotFound)?;
    let state = auth::begin_oauth(&app, corp.id, &browser, return_to, &address).await?;
    let platform = directory::platform(&app, corp.id).await?;
    let redirect_uri = format!("{}/auth/wecom/callback", app.config.public_url);
    let agent = headers
        .get(USER_AGENT)
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or_default();
    let url = if agent.to_ascii_lowercase().contains("wxwork") {
        platform.oauth_url(&app.config.wecom_oauth_url, &redirect_uri, &state)
    } else {
        let code = match shell.lang {
            Lang::Zh => "zh",
            Lang::En => "en",
        };
        platform.web_login_url(&app.config.wecom_login_url, &redirect_uri, &state, code)
    };
    Ok(shell.go(&url))
}

#[derive(Deserialize)]
struct Vouched {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
}

/// Back from the platform: the state must be one this browser began. Whoever is not let in reads why beside the way in.
async fn callback(
    app: State<App>,
    shell: Shell,
    Extension(Browser(browser)): Extension<Browser>,
    Query(vouched): Query<Vouched>,
) -> Result<Response> {
    let (corp, return_to) = match auth::finish_oauth(&app, &vouched.state, &browser).await {
        Err(Error::SignedOut) => return again(&app, shell, "/", String::new(), Wrong::Stale).await,
        finished => finished?,
    };
    let return_to = local(Some(&return_to));
    match vouched_for(&app, corp, &vouched.code).await {
        Ok(session) => enter(&app, &shell, &session, return_to).await,
        Err(error) => {
            let wrong = match error {
                Error::NotFound => Wrong::Stranger,
                Error::Platform(fault) => {
                    tracing::warn!(corp.id = %corp, code = fault.code, error = fault.message, "a member was not vouched for");
                    Wrong::Platform
                }
                other => return Err(other.into()),
            };
            again(&app, shell, return_to, String::new(), wrong).await
        }
    }
}

/// A session for the member whom the platform's code stands for.
///
/// # Errors
/// `NotFound` for a customer, a member without an operator, one who left; `Platform` for a code it does not know.
async fn vouched_for(app: &App, corp: CorpId, code: &str) -> crate::error::Result<NewSession> {
    let platform = directory::platform(app, corp).await?;
    let Identity::Member(userid) = platform.identity(code).await? else {
        return Err(Error::NotFound);
    };
    auth::sign_in_member(app, corp, &userid).await
}

#[derive(Deserialize)]
struct Look {
    theme: Option<String>,
    lang: Option<String>,
    return_to: Option<String>,
}

/// Keeps colours and language for this browser; `auto` follows the system.
async fn look(shell: Shell, Form(look): Form<Look>) -> Response {
    let mut response = shell.go_saying(local(look.return_to.as_deref()), "toast-look", &[]);
    let headers = response.headers_mut();
    if let Some(theme) = look.theme {
        let life = if matches!(theme.as_str(), "light" | "dark") {
            YEAR_S
        } else {
            0
        };
        let theme = if life == 0 { "" } else { theme.as_str() };
        headers.append(SET_COOKIE, cookie("theme", theme, shell.is_https, Some(life)));
    }
    if let Some(lang) = look.lang.as_deref().and_then(lang::parse) {
        headers.append(
            SET_COOKIE,
            cookie("lang", lang::code(lang), shell.is_https, Some(YEAR_S)),
        );
    }
    response
}
