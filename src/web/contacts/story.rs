//! A customer's timeline in sentences, and the one that says what just happened.

use askama::filters::Safe;

use super::channel;
use crate::contacts::ContactCard;
use crate::directory::Store;
use crate::time::{DAY_MS, Timestamp};
use crate::timeline::{Entry, Recorded};
use crate::web::{Shell, format};

/// Somebody who has not bought for so long is missed.
const QUIET_DAYS: i64 = 60;

/// One entry as the page shows it.
pub struct Line {
    pub text: String,
    pub detail: String,
    pub when: String,
    /// `o` for what the customer did, `w` for what we wrote.
    pub class: &'static str,
}

pub fn line(shell: &Shell, recorded: &Recorded, stores: &[Store]) -> Line {
    let (text, detail) = sentence(shell, &recorded.entry, stores);
    let is_me = recorded.associate_id.is_some()
        && recorded.associate_id == shell.me.as_ref().and_then(|me| me.associate);
    let by = recorded
        .associate_name
        .as_deref()
        .or(recorded.author_name.as_deref())
        .filter(|_| !is_me)
        .map(|name| shell.t1("story-by", "name", name));
    let is_theirs = matches!(
        recorded.entry,
        Entry::Clicked { .. } | Entry::Ordered { .. } | Entry::Liked { .. } | Entry::Commented { .. }
    );
    let class = match recorded.entry {
        _ if is_theirs => "o",
        Entry::Noted { .. } | Entry::Lost | Entry::NotSent { .. } => "w",
        _ => "",
    };
    let parts: Vec<String> = [Some(detail), by]
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    Line {
        text,
        detail: parts.join(" · "),
        when: shell.when(&recorded.at),
        class,
    }
}

fn sentence(shell: &Shell, entry: &Entry, stores: &[Store]) -> (String, String) {
    let plain = |key: &str| (shell.t(key), String::new());
    let named = |key: &str, name: &str| (shell.t1(key, "name", name), String::new());
    match entry {
        Entry::Added { cause, channel: from } => {
            (shell.t("story-added"), channel::came(shell, cause, from, stores))
        }
        Entry::Lost => plain("story-lost"),
        Entry::Removed => plain("story-removed"),
        Entry::Transferred { .. } => plain("story-transferred"),
        Entry::Welcomed => plain("story-welcomed"),
        Entry::Tagged { name, .. } => named("story-tagged", name),
        Entry::Untagged { name, .. } => named("story-untagged", name),
        Entry::Sent { name, .. } => named("story-sent", name),
        Entry::NotSent { name, .. } => named("story-not-sent", name),
        Entry::Liked { .. } => plain("story-liked"),
        Entry::Commented { .. } => plain("story-commented"),
        Entry::Clicked { title, .. } => named("story-clicked", title),
        Entry::Ordered {
            paid_fen,
            items,
            first_item,
            ..
        } => (
            shell.t1("story-ordered", "amount", format::money(*paid_fen)),
            shell.t2("story-items", "item", first_item, "count", items),
        ),
        Entry::Refunded {
            order_no, refund_fen, ..
        } => (
            shell.t1("story-refunded", "amount", format::money(*refund_fen)),
            order_no.clone(),
        ),
        Entry::Noted { text } => (shell.t("story-noted"), text.clone()),
        Entry::Unnoted { removed_at } => (
            shell.t("story-unnoted"),
            shell.t1("story-unnoted-at", "when", shell.when(removed_at)),
        ),
        Entry::FollowedUp { what, is_done, .. } => {
            let key = if *is_done {
                "story-followed-up"
            } else {
                "story-reopened"
            };
            (shell.t(key), what.clone())
        }
    }
}

/// The sentence the page opens with, from what happened last.
pub fn answer(shell: &Shell, card: &ContactCard, timeline: &[Recorded]) -> Safe<String> {
    let last = timeline.iter().find(|recorded| {
        matches!(
            recorded.entry,
            Entry::Clicked { .. } | Entry::Ordered { .. } | Entry::Lost | Entry::Added { .. }
        )
    });
    let when = |at: Timestamp| ("when", shell.when(&at).into());
    match last.map(|recorded| (recorded.at, &recorded.entry)) {
        Some((at, Entry::Clicked { title, .. })) => {
            shell.rich("contact-clicked", &[when(at), ("title", title.as_str().into())])
        }
        Some((
            at,
            Entry::Ordered {
                paid_fen, first_item, ..
            },
        )) if !is_long_ago(shell, at) => {
            let amount = ("amount", format::money(*paid_fen).into());
            shell.rich(
                "contact-ordered",
                &[when(at), amount, ("item", first_item.as_str().into())],
            )
        }
        Some((at, Entry::Lost)) => shell.rich("contact-lost", &[when(at)]),
        Some((at, Entry::Added { .. })) if !is_long_ago(shell, at) => {
            shell.rich("contact-added", &[when(at)])
        }
        _ => match card.last_order_at {
            Some(at) => shell.rich(
                "contact-quiet",
                &[("days", shell.today().since(at.day(shell.zone)).into())],
            ),
            None => shell.rich("contact-no-order", &[]),
        },
    }
}

fn is_long_ago(shell: &Shell, at: Timestamp) -> bool {
    shell.now.0 - at.0 > QUIET_DAYS * DAY_MS
}

/// The last thing a colleague noted.
pub fn last_note(timeline: &[Recorded]) -> Option<&str> {
    timeline.iter().find_map(|recorded| match &recorded.entry {
        Entry::Noted { text } => Some(text.as_str()),
        _ => None,
    })
}
