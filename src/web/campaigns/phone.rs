//! A message as the customer sees it in WeChat.

use askama::Template;

use crate::links::LinkTarget;
use crate::links::content::{Attachment, Content};
use crate::web::{Shell, headers};

/// A picture of a chat: who sends, what is said, what hangs on it.
#[derive(Template)]
#[template(path = "campaigns/phone.html")]
pub struct Phone {
    pub shell: Shell,
    pub sender: String,
    pub corp: String,
    pub time: String,
    pub text: String,
    pub cards: Vec<Card>,
}

impl askama::filters::HtmlSafe for Phone {}

pub struct Card {
    pub from: String,
    pub title: String,
    pub picture: Option<String>,
    /// Whose picture the customer sees where ours is left out: this page shows the platform's only.
    pub elsewhere: Option<String>,
    pub kind: String,
}

impl Phone {
    /// `text` is the message with its variables filled in.
    pub fn new(shell: &Shell, sender: &str, time: String, text: String, content: &Content) -> Self {
        Self {
            sender: sender.to_owned(),
            corp: shell.corp_name(),
            time,
            text,
            cards: content
                .attachments
                .iter()
                .map(|attachment| card(attachment, shell))
                .collect(),
            shell: shell.clone(),
        }
    }
}

fn card(attachment: &Attachment, shell: &Shell) -> Card {
    let shown = |title: &str, picture: &Option<String>, from: &str, kind: &str| Card {
        from: shell.t(from),
        title: title.to_owned(),
        picture: picture.clone().filter(|url| headers::may_show(url)),
        elsewhere: picture
            .as_deref()
            .filter(|url| !headers::may_show(url))
            .and_then(headers::host)
            .map(str::to_owned),
        kind: shell.t(kind),
    };
    match attachment {
        Attachment::StoreLink {
            title,
            target,
            picture_url,
            ..
        } => {
            let kind = match target {
                LinkTarget::MiniProgram { .. } => "compose-preview-mini",
                LinkTarget::Web { .. } => "compose-preview-page",
            };
            shown(title, picture_url, "compose-preview-shop", kind)
        }
        Attachment::Link {
            title, picture_url, ..
        } => shown(title, picture_url, "compose-preview-page", "compose-preview-page"),
        Attachment::Image { picture_url, .. } => shown(
            "",
            picture_url,
            "compose-preview-picture",
            "compose-preview-picture",
        ),
    }
}
