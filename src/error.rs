//! The one error of the house. No HTTP in it: `web` and `api` each turn it into their own answer.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// A sentence for whoever asked: in English, as the API and the logs keep it, and under a key that `web` has a
/// sentence for in each language. [`said!`] makes both at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    english: String,
    key: Option<&'static str>,
    args: Vec<(&'static str, Arg)>,
    about: Option<String>,
}

impl Said {
    pub fn new(key: &'static str, english: impl fmt::Display) -> Self {
        Self {
            english: english.to_string(),
            key: Some(key),
            args: Vec::new(),
            about: None,
        }
    }

    /// A value that the sentence may use in any language.
    pub fn with(mut self, name: &'static str, value: impl Into<Arg>) -> Self {
        self.args.push((name, value.into()));
        self
    }

    /// `None`: only programs are told this; there is no other language.
    pub fn key(&self) -> Option<&'static str> {
        self.key
    }

    pub fn args(&self) -> &[(&'static str, Arg)] {
        &self.args
    }

    /// Names what the sentence is about, where one of several things with names of people's own is meant.
    pub fn about(mut self, name: impl Into<String>) -> Self {
        self.about = Some(name.into());
        self
    }

    pub fn subject(&self) -> Option<&str> {
        self.about.as_deref()
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.about {
            write!(f, "`{name}`: ")?;
        }
        f.write_str(&self.english)
    }
}

/// Programs get the English.
impl Serialize for Said {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.english)
    }
}

impl From<String> for Said {
    fn from(english: String) -> Self {
        Self {
            english,
            key: None,
            args: Vec::new(),
            about: None,
        }
    }
}

impl From<&str> for Said {
    fn from(english: &str) -> Self {
        english.to_owned().into()
    }
}

/// A value put into a sentence: a number (chosen by for plurals, shown with separators) or a word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Arg {
    Number(i64),
    Word(String),
}

impl From<i64> for Arg {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Arg {
    fn from(number: usize) -> Self {
        Self::Number(number as i64)
    }
}

impl From<String> for Arg {
    fn from(word: String) -> Self {
        Self::Word(word)
    }
}

impl From<&str> for Arg {
    fn from(word: &str) -> Self {
        Self::Word(word.to_owned())
    }
}

/// Templates give values by reference, loops by reference to one.
impl<T: Into<Arg> + Clone> From<&T> for Arg {
    fn from(value: &T) -> Self {
        value.clone().into()
    }
}

/// A sentence and its key: `said!("refused-name", "a name has 1 to {most} characters", most = MAX_NAME)`.
///
/// The key is a text in `locales/`; a test reads the calls and looks for each there, with its values.
macro_rules! said {
    ($key:literal, $english:literal $(, $name:ident = $value:expr)* $(,)?) => {
        $crate::error::Said::new($key, format_args!($english $(, $name = $value)*))
            $(.with(stringify!($name), $value))*
    };
}
pub(crate) use said;

/// A field that was refused, named by its JSON pointer (`/audience/rule/all/1/tag`) or form field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub pointer: String,
    pub message: Said,
}

impl Problem {
    pub fn new(pointer: impl Into<String>, message: impl Into<Said>) -> Self {
        Self {
            pointer: pointer.into(),
            message: message.into(),
        }
    }
}

/// What the platform said when it refused, or that it did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformFault {
    /// The platform's errcode; `None` when nothing readable came back (time-out, reset, HTML, 5xx).
    pub code: Option<i64>,
    /// Safe to log: never holds a URL, a token or a body.
    pub message: String,
    pub advice: Advice,
}

/// What a caller should do about a platform fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Try again after this many milliseconds.
    Retry { after_ms: i64 },
    /// Final for this item: mark it and go on.
    Drop,
    /// Configuration or permission: only an administrator can mend it.
    TellAdmin,
    /// Our request is wrong.
    Bug,
    /// It may or may not have happened; find out before trying again.
    Unknown,
}

#[derive(Debug)]
pub enum Error {
    /// Not there, or not for this caller: the two read the same on purpose.
    NotFound,
    /// The input is refused; nothing was changed.
    Invalid(Vec<Problem>),
    /// The state does not allow it, or somebody else was first.
    Conflict(Said),
    /// Signed in, but this role may not do this at all.
    Forbidden(String),
    SignedOut,
    /// Too many tries; come back after this many seconds.
    TooMany {
        retry_after_s: u64,
    },
    /// We have our hands full; come back after this many seconds.
    Busy {
        retry_after_s: u64,
    },
    Platform(PlatformFault),
    Internal(anyhow::Error),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// One refused field.
    pub fn invalid(pointer: impl Into<String>, message: impl Into<Said>) -> Self {
        Self::Invalid(vec![Problem::new(pointer, message)])
    }

    pub fn conflict(message: impl Into<Said>) -> Self {
        Self::Conflict(message.into())
    }

    pub fn internal(message: impl fmt::Display) -> Self {
        Self::Internal(anyhow::anyhow!("{message}"))
    }

    /// Turns a unique violation at this statement into a refused field; leaves other errors alone.
    pub fn on_conflict(self, pointer: &str, message: impl Into<Said>) -> Self {
        if self.is_unique_violation() {
            Self::invalid(pointer, message)
        } else {
            self
        }
    }

    pub fn is_unique_violation(&self) -> bool {
        let Self::Internal(inner) = self else { return false };
        let Some(db) = inner.downcast_ref::<sea_orm::DbErr>() else {
            return false;
        };
        matches!(db.sql_err(), Some(sea_orm::SqlErr::UniqueConstraintViolation(_)))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => write!(f, "not found"),
            Self::Invalid(problems) => {
                write!(f, "refused")?;
                for problem in problems {
                    write!(f, "; {}: {}", problem.pointer, problem.message)?;
                }
                Ok(())
            }
            Self::Conflict(why) => write!(f, "conflict: {why}"),
            Self::Forbidden(why) => write!(f, "forbidden: {why}"),
            Self::SignedOut => write!(f, "signed out"),
            Self::TooMany { retry_after_s } => write!(f, "too many tries; try again in {retry_after_s} s"),
            Self::Busy { retry_after_s } => write!(f, "busy; try again in {retry_after_s} s"),
            Self::Platform(fault) => match fault.code {
                Some(code) => write!(f, "platform refused with {code}: {}", fault.message),
                None => write!(f, "platform gave no readable answer: {}", fault.message),
            },
            Self::Internal(inner) => write!(f, "{inner:#}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Invalid(vec![problem])
    }
}

impl From<sea_orm::DbErr> for Error {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Internal(error.into())
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(error.into())
    }
}
