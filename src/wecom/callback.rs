//! Callbacks: the outer envelope, the decrypted event. path/90930, path/92130 (read 2026-11-22).

use std::collections::HashMap;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event as Xml;

use crate::ids::{ExternalUserId, UserId};

/// Largest request body that is looked at.
pub const MAX_BODY: usize = 64 * 1024;

/// Elements inside one another, at most; the platform's deepest event has five.
const MAX_DEPTH: usize = 16;
/// Fields of one event, at most.
const MAX_FIELDS: usize = 100;
/// Bytes of an id, at most: twice what the platform makes, and still the key of an index.
const MAX_ID: usize = 128;
/// The last second of the year 9999: a later time cannot be written.
const LAST_SECOND: i64 = 253_402_300_799;

/// An event as we use it. Hints only: a fetch decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `add_external_contact`; a welcome code lives 20 s from `at`.
    ContactAdded {
        userid: UserId,
        external_userid: ExternalUserId,
        state: String,
        welcome_code: Option<String>,
    },
    /// `add_half_external_contact`: not yet accepted; may not be readable.
    ContactHalfAdded {
        userid: UserId,
        external_userid: ExternalUserId,
        state: String,
        welcome_code: Option<String>,
    },
    ContactEdited {
        userid: UserId,
        external_userid: ExternalUserId,
    },
    /// The member deleted the customer, or a transfer took him.
    ContactRemoved {
        userid: UserId,
        external_userid: ExternalUserId,
        by_transfer: bool,
    },
    /// The customer deleted the member.
    ContactLost {
        userid: UserId,
        external_userid: ExternalUserId,
    },
    TransferFailed {
        userid: UserId,
        external_userid: ExternalUserId,
        reason: String,
    },
    /// `create`, `update`, `delete` or `shuffle` of a tag or a group.
    TagsChanged,
    /// A member came, changed or went.
    MemberChanged {
        userid: UserId,
        new_userid: Option<UserId>,
        left: bool,
    },
    DepartmentsChanged,
    GroupCreated {
        chat_id: String,
    },
    GroupChanged {
        chat_id: String,
        change: GroupChange,
    },
    /// The owner dismissed it: it cannot be read any more.
    GroupDismissed {
        chat_id: String,
    },
    /// Known envelope, nothing we act on; kept in the inbox.
    Other {
        event: String,
        change: String,
    },
}

/// What changed in a customer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupChange {
    /// Who came. Without ids (older servers sent none) or with a `last` that is not what we know: read the group.
    Joined(Members),
    /// Who went, and whether the owner or an administrator of the group took them out.
    Left {
        members: Members,
        is_removed: bool,
    },
    Owner,
    Name,
    Notice,
    Unknown(String),
}

/// Those who came or went, and the versions of the list before and after.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    /// Userids and external_userids.
    pub ids: Vec<String>,
    pub last: String,
    pub current: String,
}

/// An event with the head of its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// `CreateTime`, seconds.
    pub at: i64,
    pub event: Event,
}

/// Takes `Encrypt` out of the outer XML. `None`: not an envelope.
pub fn encrypted_part(body: &str) -> Option<String> {
    fields(body)?.take("Encrypt")
}

/// Whom the outer XML is for: a corpid. Anybody may write it.
pub fn addressee(body: &str) -> Option<String> {
    fields(body)?.take("ToUserName")
}

/// Reads a decrypted event. Never panics, whatever the text; a DOCTYPE is refused.
pub fn read_event(xml: &str) -> Option<Received> {
    let mut fields = fields(xml)?;
    // `CreateTime` in events of one corp, `TimeStamp` in those of a suite.
    let at = fields.take("CreateTime").or_else(|| fields.take("TimeStamp"))?;
    let at = at.parse().ok().filter(|at| (0..=LAST_SECOND).contains(at))?;
    let name = fields.take("Event").or_else(|| fields.take("MsgType"))?;
    let change = fields.take("ChangeType").unwrap_or_default();
    let event = match name.as_str() {
        "change_external_contact" => contact_event(&change, &mut fields),
        "change_external_tag" => tag_event(&change),
        "change_contact" => directory_event(&change, &mut fields),
        "change_external_chat" => group_event(&change, &mut fields),
        _ => None,
    };
    let event = event.unwrap_or(Event::Other { event: name, change });
    Some(Received { at, event })
}

fn contact_event(change: &str, fields: &mut Fields) -> Option<Event> {
    let userid = UserId(fields.take_id("UserID")?);
    let external_userid = ExternalUserId(fields.take_id("ExternalUserID")?);
    Some(match change {
        "add_external_contact" => Event::ContactAdded {
            userid,
            external_userid,
            state: fields.take("State").unwrap_or_default(),
            welcome_code: fields.take("WelcomeCode"),
        },
        "add_half_external_contact" => Event::ContactHalfAdded {
            userid,
            external_userid,
            state: fields.take("State").unwrap_or_default(),
            welcome_code: fields.take("WelcomeCode"),
        },
        "edit_external_contact" => Event::ContactEdited {
            userid,
            external_userid,
        },
        "del_external_contact" => Event::ContactRemoved {
            userid,
            external_userid,
            by_transfer: fields.take("Source").as_deref() == Some("DELETE_BY_TRANSFER"),
        },
        "del_follow_user" => Event::ContactLost {
            userid,
            external_userid,
        },
        "transfer_fail" => Event::TransferFailed {
            userid,
            external_userid,
            reason: fields.take("FailReason").unwrap_or_default(),
        },
        _ => return None,
    })
}

fn tag_event(change: &str) -> Option<Event> {
    matches!(change, "create" | "update" | "delete" | "shuffle").then_some(Event::TagsChanged)
}

fn directory_event(change: &str, fields: &mut Fields) -> Option<Event> {
    match change {
        "create_user" | "update_user" | "delete_user" => Some(Event::MemberChanged {
            userid: UserId(fields.take_id("UserID")?),
            new_userid: fields.take_id("NewUserID").map(UserId),
            left: change == "delete_user",
        }),
        "create_party" | "update_party" | "delete_party" => Some(Event::DepartmentsChanged),
        _ => None,
    }
}

fn group_event(change: &str, fields: &mut Fields) -> Option<Event> {
    let chat_id = fields.take_id("ChatId")?;
    Some(match change {
        "create" => Event::GroupCreated { chat_id },
        "dismiss" => Event::GroupDismissed { chat_id },
        "update" => Event::GroupChanged {
            chat_id,
            change: match fields.take("UpdateDetail").unwrap_or_default().as_str() {
                "add_member" => GroupChange::Joined(members(fields)),
                "del_member" => GroupChange::Left {
                    is_removed: fields.take("QuitScene").as_deref() == Some("1"),
                    members: members(fields),
                },
                "change_owner" => GroupChange::Owner,
                "change_name" => GroupChange::Name,
                "change_notice" => GroupChange::Notice,
                other => GroupChange::Unknown(other.to_owned()),
            },
        },
        _ => return None,
    })
}

fn members(fields: &mut Fields) -> Members {
    Members {
        ids: fields.take_items("MemChangeList"),
        last: fields.take("LastMemVer").unwrap_or_default(),
        current: fields.take("CurMemVer").unwrap_or_default(),
    }
}

/// The elements directly inside the root, by name; their order means nothing.
struct Fields {
    texts: HashMap<String, String>,
    /// Texts of `Item`s inside an element, in their order.
    items: HashMap<String, Vec<String>>,
}

impl Fields {
    /// A field's text; `None` when it is absent or empty.
    fn take(&mut self, name: &str) -> Option<String> {
        self.texts.remove(name).filter(|text| !text.is_empty())
    }

    /// The same for an id; one of impossible length is none.
    fn take_id(&mut self, name: &str) -> Option<String> {
        self.take(name).filter(|id| id.len() <= MAX_ID)
    }

    /// A field's items; none when it is absent.
    fn take_items(&mut self, name: &str) -> Vec<String> {
        self.items.remove(name).unwrap_or_default()
    }
}

/// Reads one `<xml>` element, in one pass over text that was bounded before. Knows no entities but XML's own five.
fn fields(text: &str) -> Option<Fields> {
    if text.len() > MAX_BODY {
        return None;
    }
    let mut reader = Reader::from_str(text);
    let (mut texts, mut lists) = (HashMap::new(), HashMap::new());
    let (mut depth, mut closed) = (0, false);
    let (mut name, mut value) = (String::new(), String::new());
    let (mut item, mut items) = (None, Vec::new());
    loop {
        match reader.read_event().ok()? {
            Xml::Start(start) => {
                depth += 1;
                match depth {
                    1 if closed || start.name().as_ref() != "xml" => return None,
                    2 => {
                        name = start.name().as_ref().to_owned();
                        value.clear();
                        items.clear();
                    }
                    3 => item = (start.name().as_ref() == "Item").then(String::new),
                    _ if depth > MAX_DEPTH => return None,
                    _ => {}
                }
            }
            Xml::End(_) => {
                if depth == 2 {
                    // The first of two wins: a second one cannot change what was said.
                    let items = std::mem::take(&mut items);
                    lists.entry(name.clone()).or_insert(items);
                    texts
                        .entry(std::mem::take(&mut name))
                        .or_insert_with(|| value.trim().to_owned());
                    if texts.len() > MAX_FIELDS {
                        return None;
                    }
                }
                if depth == 3 {
                    items.extend(item.take().map(|item: String| item.trim().to_owned()));
                }
                depth -= 1;
                closed |= depth == 0;
            }
            Xml::Text(piece) if depth == 2 => value.push_str(&piece),
            Xml::CData(piece) if depth == 2 => value.push_str(&piece),
            Xml::Text(piece) if depth == 3 => item.iter_mut().for_each(|item| item.push_str(&piece)),
            Xml::CData(piece) if depth == 3 => item.iter_mut().for_each(|item| item.push_str(&piece)),
            Xml::GeneralRef(reference) => {
                let meant = match reference.resolve_char_ref().ok()? {
                    Some(character) => character.to_string(),
                    None => resolve_predefined_entity(&reference)?.to_owned(),
                };
                match depth {
                    2 => value.push_str(&meant),
                    3 => item.iter_mut().for_each(|item| item.push_str(&meant)),
                    _ => {}
                }
            }
            Xml::Text(piece) if depth == 0 && !piece.trim().is_empty() => return None,
            Xml::CData(_) if depth == 0 => return None,
            Xml::Empty(_) if depth == 0 => return None,
            Xml::DocType(_) => return None,
            Xml::Eof => return closed.then_some(Fields { texts, items: lists }),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
