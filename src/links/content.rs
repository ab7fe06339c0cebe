//! What a message says: text and attachments as people write them, turned into the platform's shape per associate.

use serde::{Deserialize, Serialize};

use super::{LinkTarget, target};
use crate::directory::Corp;
use crate::error::{Error, Problem, Result, said};
use crate::wecom::message::{self, Message, Text};

/// At most this many attachments, the store link included.
pub const MAX_ATTACHMENTS: usize = 9;
/// Longest text, in bytes, as the platform counts.
pub const MAX_TEXT_BYTES: usize = 4_000;
const MAX_TITLE_BYTES: usize = 128;
const MAX_DESCRIPTION_BYTES: usize = 512;
/// Bytes a name may take where a variable stands.
const MAX_NAME_BYTES: usize = 64;
/// What the card of a store link says that nobody wrote.
const DEFAULT_LINK_TITLE: &str = "进入小店";

/// A message as written. `{associate}`, `{store}` (or `{导购}`, `{门店}`) in the text stand for the sender's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Content {
    #[serde(default)]
    pub text: String,
    #[serde(default)]
    pub attachments: Vec<Attachment>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Attachment {
    /// The tracked link: each sender gets one of their own. At most one; when there is none, the corp's is added.
    StoreLink {
        title: String,
        target: LinkTarget,
        #[serde(default)]
        description: Option<String>,
        #[serde(default)]
        picture_url: Option<String>,
    },
    /// A page that is not tracked.
    Link {
        title: String,
        url: String,
        #[serde(default)]
        description: Option<String>,
        #[serde(default)]
        picture_url: Option<String>,
    },
    /// A picture the platform already holds.
    Image {
        #[serde(default)]
        media_id: Option<String>,
        #[serde(default)]
        picture_url: Option<String>,
    },
}

impl Content {
    /// Every problem with lengths (in platform bytes), counts, kinds and variables; pointers below `at`.
    pub fn problems(&self, at: &str) -> Vec<Problem> {
        let mut found = text_problems(&self.text, &format!("{at}/text"));
        if self.text.trim().is_empty() && self.attachments.is_empty() {
            found.push(Problem::new(
                format!("{at}/text"),
                said!("refused-content-empty", "write a text or add an attachment"),
            ));
        }
        let list = format!("{at}/attachments");
        let links = self
            .attachments
            .iter()
            .filter(|attachment| attachment.is_store_link())
            .count();
        // One place is kept for the store link, which is added when none is written.
        let places = self.attachments.len() + usize::from(links == 0);
        if places > MAX_ATTACHMENTS {
            found.push(Problem::new(
                &list,
                said!(
                    "refused-attachments",
                    "{places} attachments are too many; at most {most}, the store link included",
                    places = places,
                    most = MAX_ATTACHMENTS
                ),
            ));
        }
        if links > 1 {
            found.push(Problem::new(
                &list,
                said!(
                    "refused-store-links",
                    "{links} store links; a message carries one",
                    links = links
                ),
            ));
        }
        for (index, attachment) in self.attachments.iter().enumerate() {
            found.extend(attachment.problems(&format!("{list}/{index}")));
        }
        found
    }

    /// Problems of the store link's target, which needs the corp's hosts.
    pub fn target_problems(&self, hosts: &[String], at: &str) -> Vec<Problem> {
        let links = self.attachments.iter().enumerate();
        links
            .filter_map(|(index, attachment)| match attachment {
                Attachment::StoreLink { target, .. } => Some((index, target)),
                _ => None,
            })
            .flat_map(|(index, target)| {
                target::problems(target, hosts, &format!("{at}/attachments/{index}/target"))
            })
            .collect()
    }

    /// The store link, if one is written.
    pub fn store_link(&self) -> Option<(&str, &LinkTarget)> {
        self.attachments.iter().find_map(|attachment| match attachment {
            Attachment::StoreLink { title, target, .. } => Some((title.as_str(), target)),
            _ => None,
        })
    }

    /// The same content with the corp's mini-store link added when none is written.
    pub fn with_store_link(mut self, default: Option<&LinkTarget>) -> Self {
        if let Some(target) = default
            && self.store_link().is_none()
        {
            self.attachments.push(Attachment::StoreLink {
                title: DEFAULT_LINK_TITLE.to_owned(),
                target: target.clone(),
                description: None,
                picture_url: None,
            });
        }
        self
    }

    /// The content with the link that every message carries, and where that leads.
    ///
    /// # Errors
    /// `Invalid` when none is written and the corp has no mini-store to lead to.
    pub fn linked(self, corp: &Corp, at: &str) -> Result<(Self, LinkTarget)> {
        let default: Option<LinkTarget> = match &corp.mini_store {
            Some(target) => Some(serde_json::from_str(target)?),
            None => None,
        };
        let content = self.with_store_link(default.as_ref());
        match content.store_link().map(|(_, target)| target.clone()) {
            Some(target) => Ok((content, target)),
            None => Err(Error::invalid(
                format!("{at}/attachments"),
                said!(
                    "refused-no-store-link",
                    "there is no store link, and the corp has no mini-store to lead to; add a store link"
                ),
            )),
        }
    }

    /// Whether the text stands in one associate's name.
    pub fn names_associate(&self) -> bool {
        parts(&self.text).into_iter().any(
            |part| matches!(part, Part::Braced(braced) if matches!(variable(braced), Some(Named::Associate))),
        )
    }

    /// For one sender: variables filled in, the store link replaced by `link_url`.
    pub fn message(&self, associate: &str, store: &str, link_url: &str) -> Message {
        let text = fill(&self.text, associate, store);
        Message {
            text: (!text.trim().is_empty()).then_some(Text { content: text }),
            attachments: self
                .attachments
                .iter()
                .map(|attachment| attachment.platform(link_url))
                .collect(),
        }
    }
}

impl Attachment {
    pub fn is_store_link(&self) -> bool {
        matches!(self, Self::StoreLink { .. })
    }

    fn problems(&self, at: &str) -> Vec<Problem> {
        let mut found = Vec::new();
        match self {
            Self::StoreLink {
                title,
                description,
                picture_url,
                ..
            } => found.extend(card_problems(
                title,
                description.as_deref(),
                picture_url.as_deref(),
                at,
            )),
            Self::Link {
                title,
                url,
                description,
                picture_url,
            } => {
                found.extend(card_problems(
                    title,
                    description.as_deref(),
                    picture_url.as_deref(),
                    at,
                ));
                found.extend(address_problem(url, format!("{at}/url")));
            }
            Self::Image {
                media_id,
                picture_url,
            } => {
                if media_id.as_deref().unwrap_or_default().is_empty() && picture_url.is_none() {
                    found.push(Problem::new(
                        at,
                        said!(
                            "refused-picture",
                            "a picture needs the `media_id` or the `picture_url` the platform gave it"
                        ),
                    ));
                }
                if let Some(url) = picture_url {
                    found.extend(address_problem(url, format!("{at}/picture_url")));
                }
            }
        }
        found
    }

    fn platform(&self, link_url: &str) -> message::Attachment {
        match self {
            Self::StoreLink {
                title,
                description,
                picture_url,
                ..
            } => card(title, link_url, description.clone(), picture_url.clone()),
            Self::Link {
                title,
                url,
                description,
                picture_url,
            } => card(title, url, description.clone(), picture_url.clone()),
            Self::Image {
                media_id,
                picture_url,
            } => message::Attachment::Image {
                image: message::Image {
                    media_id: media_id.clone(),
                    pic_url: picture_url.clone(),
                },
            },
        }
    }
}

fn card(title: &str, url: &str, desc: Option<String>, picurl: Option<String>) -> message::Attachment {
    message::Attachment::Link {
        link: message::Link {
            title: title.to_owned(),
            picurl,
            desc,
            url: url.to_owned(),
            media_id: None,
        },
    }
}

/// A variable of the text: what it is called, and whose name it stands for.
const VARIABLES: [(&str, Named); 4] = [
    ("associate", Named::Associate),
    ("导购", Named::Associate),
    ("store", Named::Store),
    ("门店", Named::Store),
];

#[derive(Clone, Copy)]
enum Named {
    Associate,
    Store,
}

/// A stretch of a text: as written, or from a `{` to its `}`.
enum Part<'a> {
    Plain(&'a str),
    Braced(&'a str),
}

/// Cuts a text at its braces. A brace without its partner is plain text.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(close) = rest.find('}') {
        match rest[..close].rfind('{') {
            Some(open) => {
                parts.push(Part::Plain(&rest[..open]));
                parts.push(Part::Braced(&rest[open..=close]));
            }
            None => parts.push(Part::Plain(&rest[..=close])),
        }
        rest = &rest[close + 1..];
    }
    parts.push(Part::Plain(rest));
    parts
}

fn variable(braced: &str) -> Option<Named> {
    let name = &braced[1..braced.len() - 1];
    VARIABLES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, named)| *named)
}

fn fill(text: &str, associate: &str, store: &str) -> String {
    let filled = parts(text).into_iter().map(|part| match part {
        Part::Plain(plain) => plain,
        Part::Braced(braced) => match variable(braced) {
            Some(Named::Associate) => associate,
            Some(Named::Store) => store,
            None => braced,
        },
    });
    filled.collect()
}

fn text_problems(text: &str, at: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut bytes = 0;
    for part in parts(text) {
        match part {
            Part::Plain(plain) => bytes += plain.len(),
            Part::Braced(braced) if variable(braced).is_some() => bytes += MAX_NAME_BYTES,
            Part::Braced(braced) => found.push(Problem::new(
                at,
                said!(
                    "refused-variable",
                    "`{braced}` is not a variable; there are `{{associate}}`, `{{store}}`, `{{导购}}`, `{{门店}}`",
                    braced = braced
                ),
            )),
        }
    }
    if bytes > MAX_TEXT_BYTES {
        found.push(Problem::new(
            at,
            said!(
                "refused-text-bytes",
                "{bytes} bytes with names filled in are too many; at most {most} (a Chinese character is 3)",
                bytes = bytes,
                most = MAX_TEXT_BYTES
            ),
        ));
    }
    found
}

fn card_problems(title: &str, description: Option<&str>, picture: Option<&str>, at: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    if title.trim().is_empty() || title.len() > MAX_TITLE_BYTES {
        found.push(Problem::new(
            format!("{at}/title"),
            said!(
                "refused-link-title",
                "a link's title has 1 to {most} bytes, this one {bytes}",
                most = MAX_TITLE_BYTES,
                bytes = title.len()
            ),
        ));
    }
    if let Some(description) = description.filter(|text| text.len() > MAX_DESCRIPTION_BYTES) {
        found.push(Problem::new(
            format!("{at}/description"),
            said!(
                "refused-bytes",
                "{bytes} bytes are too many; at most {most}",
                bytes = description.len(),
                most = MAX_DESCRIPTION_BYTES
            ),
        ));
    }
    if let Some(picture) = picture {
        found.extend(address_problem(picture, format!("{at}/picture_url")));
    }
    found
}

fn address_problem(url: &str, at: String) -> Option<Problem> {
    target::check_url(url, None)
        .err()
        .map(|message| Problem::new(at, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Content {
        Content {
            text: text.into(),
            attachments: vec![],
        }
    }

    fn store_link(title: &str) -> Attachment {
        Attachment::StoreLink {
            title: title.into(),
            target: LinkTarget::Web {
                url: "https://shop.example.com/".into(),
            },
            description: None,
            picture_url: None,
        }
    }

    #[test]
    fn names_are_filled_in_and_other_braces_stay() {
        for (text, filled) in [
            ("我是{门店}的{导购}", "我是静安店的小李"),
            ("{store} {associate}", "静安店 小李"),
            ("a } b { c", "a } b { c"),
            ("{{store}", "{静安店"),
            ("", ""),
        ] {
            assert_eq!(fill(text, "小李", "静安店"), filled, "{text}");
        }
    }

    #[test]
    fn a_name_that_looks_like_a_variable_is_not_filled_in_again() {
        assert_eq!(fill("{associate}", "{store}", "S"), "{store}");
    }

    #[test]
    fn every_mistake_names_its_place() {
        let mut many = written("会员日");
        many.attachments = (0..9)
            .map(|index| Attachment::Image {
                media_id: Some(format!("M{index}")),
                picture_url: None,
            })
            .collect();
        let mut two = written("");
        two.attachments = vec![store_link("a"), store_link(&"标".repeat(43))];
        let mut picture = written("x");
        picture.attachments = vec![Attachment::Image {
            media_id: None,
            picture_url: None,
        }];
        let mut address = written("x");
        address.attachments = vec![Attachment::Link {
            title: "页".into(),
            url: "http://example.com".into(),
            description: Some("d".repeat(513)),
            picture_url: None,
        }];
        let long = "字".repeat(1_334);
        for (content, pointers) in [
            (written("会员日 {导购}"), vec![]),
            (written(" "), vec!["/c/text"]),
            (written("{customer}"), vec!["/c/text"]),
            (written(&long), vec!["/c/text"]),
            (many, vec!["/c/attachments"]),
            (two, vec!["/c/attachments", "/c/attachments/1/title"]),
            (picture, vec!["/c/attachments/0"]),
            (
                address,
                vec!["/c/attachments/0/description", "/c/attachments/0/url"],
            ),
        ] {
            let found = content.problems("/c");
            let named: Vec<&str> = found.iter().map(|problem| problem.pointer.as_str()).collect();
            assert_eq!(named, pointers, "{found:?}");
        }
    }

    #[test]
    fn the_store_link_leads_where_the_senders_link_does() {
        let target = LinkTarget::Web {
            url: "https://shop.example.com/home".into(),
        };
        let content = written("你好").with_store_link(Some(&target));
        assert_eq!(content.clone().with_store_link(Some(&target)), content);
        let message = content.message("小李", "静安店", "https://crm.example.com/l/abc");
        let json = serde_json::to_string(&message).unwrap();
        assert!(json.contains("https://crm.example.com/l/abc"), "{json}");
        assert!(!json.contains("shop.example.com"), "{json}");
    }
}
