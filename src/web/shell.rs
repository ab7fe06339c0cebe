//! What every page needs around its content: words, numbers, icons, who is signed in, what was just done.

use askama::filters::Safe;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::lang::Arg;
use super::session::{cookie, encode};
use super::{assets, format, lang};
use crate::auth::{Operator, Permission, Role};
use crate::error::{Advice, Error, PlatformFault, Said};
use crate::metrics::Lang;
use crate::money::Fen;
use crate::time::{Day, Timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    Light,
    Dark,
}

impl Theme {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "light" => Some(Self::Light),
            "dark" => Some(Self::Dark),
            _ => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// Something done by the request before this one, to be said once: a key and what is put into its text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Flash {
    pub key: String,
    pub args: Vec<(String, Arg)>,
}

impl Flash {
    pub(super) fn read(cookie: &str) -> Option<Self> {
        serde_json::from_slice(&BASE64.decode(cookie).ok()?).ok()
    }
}

/// Made once a request by the session layer; a page takes it as `shell`.
#[derive(Debug, Clone)]
pub struct Shell {
    pub lang: Lang,
    pub theme: Option<Theme>,
    /// In every form, as the hidden field `csrf`.
    pub csrf: String,
    pub me: Option<Operator>,
    /// Path and query of this page, without `lang`.
    pub address: String,
    pub flash: Option<Flash>,
    pub now: Timestamp,
    pub zone: Tz,
    /// The badge on today's work.
    pub waiting: i64,
    pub is_https: bool,
}

/// Looks.
impl Shell {
    /// When the dark colours are used; `None`: never.
    pub fn dark_media(&self) -> Option<&'static str> {
        match self.theme {
            Some(Theme::Dark) => Some("all"),
            Some(Theme::Light) => None,
            None => Some("(prefers-color-scheme:dark)"),
        }
    }
}

/// Texts.
impl Shell {
    pub fn t(&self, key: &str) -> String {
        lang::text(self.lang, key, &[])
    }

    pub fn t1(&self, key: &str, name: &str, value: impl Into<Arg>) -> String {
        lang::text(self.lang, key, &[(name, value.into())])
    }

    pub fn t2(
        &self,
        key: &str,
        name: &str,
        value: impl Into<Arg>,
        name2: &str,
        value2: impl Into<Arg>,
    ) -> String {
        lang::text(self.lang, key, &[(name, value.into()), (name2, value2.into())])
    }

    /// Any number of values.
    pub fn tell(&self, key: &str, args: &[(&str, Arg)]) -> String {
        lang::text(self.lang, key, args)
    }

    /// What a domain said.
    pub fn say(&self, said: &Said) -> String {
        lang::said(self.lang, said)
    }

    /// A text with figures that are written already.
    pub fn with(&self, key: &str, args: &[(&str, &str)]) -> String {
        let args: Vec<(&str, Arg)> = args
            .iter()
            .map(|(name, value)| (*name, Arg::from(*value)))
            .collect();
        self.tell(key, &args)
    }

    /// A text with markup of its own (`<b>`); what is put into it is escaped.
    pub fn rich(&self, key: &str, args: &[(&str, Arg)]) -> Safe<String> {
        let escape = |value: &Arg| match value {
            Arg::Number(number) => Arg::Number(*number),
            Arg::Word(word) => Arg::Word(escape(word)),
        };
        let args: Vec<(&str, Arg)> = args.iter().map(|(name, value)| (*name, escape(value))).collect();
        Safe(lang::text(self.lang, key, &args))
    }

    pub fn html_lang(&self) -> &'static str {
        html_lang(self.lang)
    }

    pub fn other_html_lang(&self) -> &'static str {
        html_lang(self.other_lang())
    }

    pub fn other_lang_name(&self) -> &'static str {
        match self.other_lang() {
            Lang::Zh => "中文",
            Lang::En => "English",
        }
    }

    /// This page in the other language.
    pub fn other_lang_href(&self) -> String {
        let join = if self.address.contains('?') { '&' } else { '?' };
        format!("{}{join}lang={}", self.address, lang::code(self.other_lang()))
    }

    fn other_lang(&self) -> Lang {
        match self.lang {
            Lang::Zh => Lang::En,
            Lang::En => Lang::Zh,
        }
    }
}

fn html_lang(lang: Lang) -> &'static str {
    match lang {
        Lang::Zh => "zh-CN",
        Lang::En => "en",
    }
}

/// Escapes text for markup.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// Numbers, money, times. Values come by reference, as templates give them.
impl Shell {
    pub fn today(&self) -> Day {
        self.now.day(self.zone)
    }

    pub fn count(&self, number: &i64) -> String {
        format::count(*number)
    }

    pub fn money(&self, amount: &Fen) -> String {
        format::money(*amount)
    }

    pub fn money_short(&self, amount: &Fen) -> String {
        format::money_short(*amount, self.lang)
    }

    pub fn percent(&self, ratio: &Option<f64>) -> String {
        format::percent(*ratio)
    }

    pub fn when(&self, at: &Timestamp) -> String {
        format::when(*at, self.now, self.zone, self.lang)
    }

    pub fn ago(&self, at: &Timestamp) -> String {
        format::ago(*at, self.now, self.zone, self.lang)
    }

    pub fn day(&self, day: &Day) -> String {
        format::day(*day, self.today(), self.lang)
    }
}

/// The frame.
impl Shell {
    pub fn path(&self) -> &str {
        self.address.split('?').next().unwrap_or("/")
    }

    pub fn asset(&self, name: &str) -> String {
        assets::url(name)
    }

    /// An icon of `assets/icons.svg`, 20 pixels.
    pub fn icon(&self, name: &str) -> Safe<String> {
        self.drawn(name, "i")
    }

    /// The same, 16 pixels.
    pub fn icon_small(&self, name: &str) -> Safe<String> {
        self.drawn(name, "i i-s")
    }

    fn drawn(&self, name: &str, class: &str) -> Safe<String> {
        let sheet = assets::url("icons.svg");
        Safe(format!(
            r##"<svg class="{class}" aria-hidden="true"><use href="{sheet}#{name}"/></svg>"##
        ))
    }

    /// The square with a person's initial.
    pub fn avatar(&self, name: impl AsRef<str>, size: &str) -> Safe<String> {
        let name = name.as_ref();
        let initial = name.chars().next().map(|first| first.to_uppercase().to_string());
        let shade = ["", " k2", " k3", " k4", " k5"][name.bytes().map(usize::from).sum::<usize>() % 5];
        let size = if size.is_empty() {
            String::new()
        } else {
            format!(" {size}")
        };
        Safe(format!(
            r#"<span class="av{size}{shade}" aria-hidden="true">{}</span>"#,
            escape(&initial.unwrap_or_default())
        ))
    }

    pub fn corp_name(&self) -> String {
        self.me
            .as_ref()
            .map(|me| me.corp_name.clone())
            .unwrap_or_default()
    }

    /// Name and store, or name and role for those without one.
    pub fn who(&self) -> String {
        let Some(me) = &self.me else { return String::new() };
        match (&me.store_name, me.role) {
            (Some(store), Role::Associate) => format!("{} · {store}", me.name),
            (Some(store), role) => format!("{} · {store} {}", me.name, self.role_name(role)),
            (None, role) => format!("{} · {}", me.name, self.role_name(role)),
        }
    }

    pub fn role_name(&self, role: Role) -> String {
        self.t(&format!("role-{}", role.as_str()))
    }

    pub fn may(&self, permission: Permission) -> bool {
        self.me.as_ref().is_some_and(|me| me.may(permission))
    }

    pub fn is_associate(&self) -> bool {
        self.me.as_ref().is_some_and(|me| me.role == Role::Associate)
    }

    /// What the request before this one has done.
    pub fn said(&self) -> Option<String> {
        let flash = self.flash.as_ref()?;
        let args: Vec<(&str, Arg)> = flash
            .args
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()))
            .collect();
        // The cookie is the browser's word: only texts made for this may be said.
        flash
            .key
            .starts_with("toast-")
            .then(|| self.tell(&flash.key, &args))
    }

    /// After a post: go there.
    pub fn go(&self, to: &str) -> Response {
        Redirect::to(to).into_response()
    }

    /// After a post: go there and say what was done (`toast-…`).
    pub fn go_saying(&self, to: &str, key: &str, args: &[(&str, Arg)]) -> Response {
        let args = args
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let flash = Flash {
            key: key.to_owned(),
            args,
        };
        let value = BASE64.encode(serde_json::to_vec(&flash).unwrap_or_default());
        let mut response = self.go(to);
        let kept = cookie("flash", &value, self.is_https, None);
        response.headers_mut().append(SET_COOKIE, kept);
        response
    }

    /// A form again, with its problems.
    pub fn refused(&self, page: impl IntoResponse) -> Response {
        (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
    }

    /// For a value in an address.
    pub fn encode(&self, text: &str) -> String {
        encode(text)
    }
}

/// A refused field as a form shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// The field's id on the page; empty for what concerns the whole form.
    pub field: String,
    pub message: String,
}

/// What a form that comes back says of an error: each refused field, a state that has changed meanwhile, a platform
/// that did not do it. Other errors are given back: they have a page of their own.
pub fn problems(shell: &Shell, error: Error) -> Result<Vec<FieldProblem>, Error> {
    let whole = |message: String| FieldProblem {
        field: String::new(),
        message,
    };
    match error {
        Error::Invalid(problems) => Ok(problems
            .iter()
            .map(|problem| FieldProblem {
                field: problem.pointer.trim_start_matches('/').replace('/', "-"),
                message: shell.say(&problem.message),
            })
            .collect()),
        Error::Conflict(why) => Ok(vec![whole(shell.say(&why))]),
        Error::Platform(fault) => {
            tracing::warn!(
                code = fault.code,
                error = fault.message,
                path = shell.path(),
                "the platform did not do what a page asked"
            );
            Ok(vec![whole(undone(shell, &fault))])
        }
        other => Err(other),
    }
}

/// The platform's codes for a contact whom the associate does not follow (path/90313, read 2026-11-22).
const NOT_FOLLOWED: [i64; 2] = [84061, 84084];

/// Why the platform did not do it, and what to do now.
fn undone(shell: &Shell, fault: &PlatformFault) -> String {
    match (fault.advice, fault.code) {
        (_, Some(code)) if NOT_FOLLOWED.contains(&code) => shell.t("undone-not-followed"),
        (Advice::Unknown, _) => shell.t("undone-unknown"),
        (Advice::Retry { .. }, _) | (_, None) => shell.t("undone-silent"),
        (_, Some(code)) => shell.t1("undone-refused", "code", code.to_string()),
    }
}
