//! What colleagues note of a contact: lines of the timeline, under the name of whoever wrote them.

use super::change::at_most;
use crate::app::App;
use crate::auth::audit;
use crate::directory;
use crate::error::{Error, Result, said};
use crate::ids::{ContactId, TimelineId};
use crate::scope::{Act, Actor, Reach, Scope};
use crate::timeline::{self, Entry, News, Recorded};

const MAX_NOTE: usize = 500;

/// Adds a note of ours to the timeline (at most 500 characters).
pub async fn note(
    app: &App,
    act: &Act<'_>,
    scope: &Scope,
    contact: ContactId,
    text: &str,
) -> Result<TimelineId> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::invalid(
            "/text",
            said!("refused-note-empty", "a note has at least one character"),
        ));
    }
    at_most("/text", Some(text), MAX_NOTE)?;
    let card = super::find(&app.db, scope, contact).await?;
    let corp = directory::find_corp(&app.db, scope.corp).await?;
    let author = match scope.reach {
        Reach::Own(associate) => Some(associate),
        _ => None,
    };
    // A store's note stays with the store; headquarters' is for everybody who knows the contact.
    let store = card
        .follows
        .iter()
        .find(|follow| author.is_none_or(|author| author == follow.associate_id))
        .filter(|_| !scope.is_whole())
        .and_then(|follow| follow.store_id);
    let news = News {
        contact,
        associate: author,
        store,
        at: act.now,
        entry: Entry::Noted {
            text: text.to_owned(),
        },
    };
    let tx = app.db.begin().await?;
    let id = timeline::append_by(&tx, act, scope.corp, corp.zone, news).await?;
    tx.commit().await?;
    Ok(id)
}

/// Whether a note was written by the caller. One from before notes had an author is its associate's.
pub fn wrote(by: Actor, scope: &Scope, recorded: &Recorded) -> bool {
    match (&recorded.author, &scope.reach) {
        (Some(author), _) => *author == by.to_string(),
        (None, Reach::Own(associate)) => recorded.associate_id == Some(*associate),
        (None, _) => false,
    }
}

/// Takes a note away: the text is gone for good, the line stays and says that there was a note, whose, and when it
/// went. `any_author`: somebody else's as well. Answers whose timeline it is in.
///
/// # Errors
/// `NotFound` for what is no note in scope, `Conflict` for somebody else's.
pub async fn remove_note(
    app: &App,
    act: &Act<'_>,
    scope: &Scope,
    note: TimelineId,
    any_author: bool,
) -> Result<ContactId> {
    let tx = app.db.begin().await?;
    let (contact, recorded) = timeline::find(&tx, scope, note).await?;
    let Entry::Noted { .. } = recorded.entry else {
        return Err(Error::NotFound);
    };
    if !any_author && !wrote(act.by, scope, &recorded) {
        return Err(Error::conflict(said!(
            "conflict-note-not-yours",
            "a note is taken away by whoever wrote it, or by an administrator"
        )));
    }
    let gone = Entry::Unnoted { removed_at: act.now };
    if !timeline::replace(&tx, scope.corp, contact, note, recorded.entry.kind(), &gone).await? {
        return Err(Error::NotFound);
    }
    let detail = serde_json::json!({ "note": note });
    let subject = format!("contact:{contact}");
    audit::append(&tx, act, scope.corp, "note.remove", &subject, &detail).await?;
    tx.commit().await?;
    Ok(contact)
}
