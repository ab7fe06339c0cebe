//! What every callback must hold to, whatever its bytes: for the fuzz targets, and for the seeds in the suite.
//!
//! The four steps of a callback, one function each. Each panics where something does not hold.

use aes::Aes256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeEncrypt as _, KeyIvInit as _};
use dianyu::contacts::EndCause;
use dianyu::ids::UserId;
use dianyu::job::Job as _;
use dianyu::jobs::inbox::{Asked, Fetch, asked_by, greeting};
use dianyu::wecom::callback::{Event, GroupChange, MAX_BODY, Members, Received, encrypted_part, read_event};
use dianyu::wecom::crypto::{CallbackCrypto, CryptoError};

/// Token, EncodingAESKey and receiver of the test vectors V1 to V4.
const SECRETS: [(&str, &str, &str); 4] = [
    (
        "SimToken2026",
        "HeEyGmbtghpKtg83Nv5glN8DaDh0Y6aMKLRJGptqbOU",
        "ww1a2b3c4d5e6f7a8b",
    ),
    (
        "SimToken2026",
        "HeEyGmbtghpKtg83Nv5glN8DaDh0Y6aMKLRJGptqbOU",
        "ww1a2b3c4d5e6f7a8b",
    ),
    (
        "t0k",
        "p6qQKPhAYmPDLRkBlxYfhpTLnBCPhhB2WAAam1I1n6U",
        "wwcorp0000000001x",
    ),
    (
        "SimToken2026",
        "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
        "ww1a2b3c4d5e6f7a8b",
    ),
];
/// The key of V1 and V2.
const KEY: [u8; 32] = [
    0x1d, 0xe1, 0x32, 0x1a, 0x66, 0xed, 0x82, 0x1a, 0x4a, 0xb6, 0x0f, 0x37, 0x36, 0xfe, 0x60, 0x94, 0xdf,
    0x03, 0x68, 0x38, 0x74, 0x63, 0xa6, 0x8c, 0x28, 0xb4, 0x49, 0x1a, 0x9b, 0x6a, 0x6c, 0xe5,
];

/// The outer XML: the same part however it is written, or none.
pub fn outer(data: &[u8]) {
    let Ok(body) = std::str::from_utf8(data) else {
        return;
    };
    let Some(part) = encrypted_part(body) else {
        return;
    };
    assert!(!part.is_empty() && part.trim() == part && body.len() <= MAX_BODY);
    let rewritten = format!("<xml><Encrypt>{}</Encrypt></xml>", escaped(&part));
    if rewritten.len() <= MAX_BODY {
        assert_eq!(encrypted_part(&rewritten), Some(part));
    }
}

/// Base64, AES, padding, length, receiver. The first byte says what the rest is: `1` to `4` the `Encrypt` of that
/// vector's secrets, anything else what stands encrypted inside it.
pub fn decrypt(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    match kind {
        b'1'..=b'4' => {
            let Ok(encrypted) = std::str::from_utf8(rest) else {
                return;
            };
            let (token, key, receiver) = SECRETS[usize::from(kind - b'1')];
            let crypto = CallbackCrypto::new(token, key, receiver).expect("the key is whole");
            let _ = opened(&crypto, encrypted);
        }
        _ => {
            let plain = &rest[..rest.len() / 16 * 16];
            let (token, key, receiver) = SECRETS[0];
            let crypto = CallbackCrypto::new(token, key, receiver).expect("the key is whole");
            assert_eq!(opened(&crypto, &sealed(plain)), meant(plain, receiver.as_bytes()));
        }
    }
}

/// Opens with the right signature; with a wrong one nothing is opened.
fn opened(crypto: &CallbackCrypto, encrypted: &str) -> Result<String, CryptoError> {
    let signature = crypto.signature("1719830400", "n", encrypted);
    let wrong = crypto.signature("1719830401", "n", encrypted);
    assert_eq!(
        crypto.open(&wrong, "1719830400", "n", encrypted),
        Err(CryptoError::Signature)
    );
    let opened = crypto.open(&signature, "1719830400", "n", encrypted);
    if let Ok(message) = &opened {
        let again = crypto.encrypt(*b"0123456789abcdef", message);
        let signature = crypto.signature("1719830400", "n", &again);
        assert_eq!(crypto.open(&signature, "1719830400", "n", &again), opened);
    }
    opened
}

fn sealed(plain: &[u8]) -> String {
    let mut bytes = plain.to_vec();
    let iv: [u8; 16] = KEY[..16].try_into().expect("sixteen bytes");
    cbc::Encryptor::<Aes256>::new(&KEY.into(), &iv.into())
        .encrypt_padded::<NoPadding>(&mut bytes, plain.len())
        .expect("whole blocks need no room");
    STANDARD.encode(bytes)
}

/// What the format says of a plaintext, written a second time.
fn meant(plain: &[u8], receiver: &[u8]) -> Result<String, CryptoError> {
    let Some(pad) = plain.last() else {
        return Err(CryptoError::Decrypt);
    };
    if !(1..=32).contains(pad) || plain.len() < usize::from(*pad) + 20 {
        return Err(CryptoError::Buffer);
    }
    let inside = &plain[16..plain.len() - usize::from(*pad)];
    let length = inside[..4]
        .iter()
        .fold(0, |length, byte| length * 256 + usize::from(*byte));
    let inside = &inside[4..];
    if length > inside.len() {
        return Err(CryptoError::Buffer);
    }
    if &inside[length..] != receiver {
        return Err(CryptoError::ReceiveId);
    }
    String::from_utf8(inside[..length].to_vec()).map_err(|_| CryptoError::Buffer)
}

/// The inner XML: an event written out again reads the same.
pub fn inner(data: &[u8]) {
    let Ok(xml) = std::str::from_utf8(data) else {
        return;
    };
    let Some(received) = read_event(xml) else {
        return;
    };
    let rewritten = written(&received);
    if rewritten.len() <= MAX_BODY {
        assert_eq!(read_event(&rewritten), Some(received));
    }
}

/// What an event asks for: a job that survives being stored under a key that an index can hold, and a greeting only
/// with a code.
pub fn dispatch(data: &[u8]) {
    let Some(received) = std::str::from_utf8(data).ok().and_then(read_event) else {
        return;
    };
    let greeting = greeting(&received);
    let seconds = greeting.as_ref().map(|greeting| greeting.at.seconds());
    assert!(seconds.is_none_or(|at| at == received.at));
    let asked = asked_by(&received);
    if let Asked::Look(job) = &asked {
        let stored = serde_json::to_string(job).expect("a job is JSON");
        assert_eq!(serde_json::from_str::<Fetch>(&stored).ok().as_ref(), Some(job));
        assert!(job.key().is_some_and(|key| key.len() < 1_000));
        assert_eq!(job.look, 0);
        assert!(job.added_at.is_none_or(|at| at.seconds() == received.at));
    }
    let ending = match &asked {
        Asked::Look(job) => job.ending.as_ref(),
        _ => None,
    };
    match &received.event {
        Event::ContactAdded { welcome_code, .. } => {
            assert!(greeting.is_some() == welcome_code.is_some() && ending.is_none());
            assert!(matches!(&asked, Asked::Look(job) if job.added_at.is_some()));
        }
        Event::ContactHalfAdded { welcome_code, .. } => {
            assert!(greeting.is_some() == welcome_code.is_some() && ending.is_none());
            assert!(matches!(&asked, Asked::Look(job) if job.added_at.is_none()));
        }
        Event::ContactEdited { external_userid, .. } => {
            assert!(matches!(&asked, Asked::Look(job) if job.external_userid == *external_userid));
            assert!(ending.is_none());
        }
        Event::ContactRemoved {
            userid, by_transfer, ..
        } => {
            let cause = if *by_transfer {
                EndCause::Transfer
            } else {
                EndCause::Associate
            };
            assert!(ending.is_some_and(|ending| ending.cause == cause && ending.userid == userid.folded()));
        }
        Event::ContactLost { userid, .. } => {
            let cause = EndCause::Contact;
            assert!(ending.is_some_and(|ending| ending.cause == cause && ending.userid == userid.folded()));
        }
        Event::TagsChanged => assert_eq!(asked, Asked::Tags),
        Event::DepartmentsChanged => assert_eq!(asked, Asked::Departments),
        Event::MemberChanged { userid, left, .. } => match &asked {
            Asked::Leaver(who) => assert!(*left && who == userid),
            Asked::Member { userid: who, .. } => assert!(!left && who == userid),
            other => panic!("{other:?}"),
        },
        Event::GroupCreated { chat_id }
        | Event::GroupChanged { chat_id, .. }
        | Event::GroupDismissed { chat_id } => {
            let Asked::Group(job) = &asked else {
                panic!("{asked:?}");
            };
            assert!(job.chat_id == *chat_id && job.look == 0);
            let stored = serde_json::to_string(job).expect("a job is JSON");
            assert_eq!(serde_json::from_str(&stored).ok().as_ref(), Some(job));
            assert!(job.key().is_some_and(|key| key.len() < 1_000));
        }
        Event::TransferFailed { .. } | Event::Other { .. } => assert_eq!(asked, Asked::Nothing),
    }
}

/// An event as XML.
fn written(received: &Received) -> String {
    let mut fields = vec![("CreateTime", received.at.to_string())];
    let mut items: &[String] = &[];
    let mut put = |name, value: &str| fields.push((name, value.to_owned()));
    let contact = "change_external_contact";
    let pair = |put: &mut dyn FnMut(&'static str, &str), change: &str, userid: &UserId, customer: &str| {
        put("Event", contact);
        put("ChangeType", change);
        put("UserID", &userid.0);
        put("ExternalUserID", customer);
    };
    match &received.event {
        Event::ContactAdded {
            userid,
            external_userid,
            state,
            welcome_code,
        } => {
            pair(&mut put, "add_external_contact", userid, &external_userid.0);
            put("State", state);
            put("WelcomeCode", welcome_code.as_deref().unwrap_or_default());
        }
        Event::ContactHalfAdded {
            userid,
            external_userid,
            state,
            welcome_code,
        } => {
            pair(&mut put, "add_half_external_contact", userid, &external_userid.0);
            put("State", state);
            put("WelcomeCode", welcome_code.as_deref().unwrap_or_default());
        }
        Event::ContactEdited {
            userid,
            external_userid,
        } => {
            pair(&mut put, "edit_external_contact", userid, &external_userid.0);
        }
        Event::ContactRemoved {
            userid,
            external_userid,
            by_transfer,
        } => {
            pair(&mut put, "del_external_contact", userid, &external_userid.0);
            put("Source", if *by_transfer { "DELETE_BY_TRANSFER" } else { "" });
        }
        Event::ContactLost {
            userid,
            external_userid,
        } => {
            pair(&mut put, "del_follow_user", userid, &external_userid.0);
        }
        Event::TransferFailed {
            userid,
            external_userid,
            reason,
        } => {
            pair(&mut put, "transfer_fail", userid, &external_userid.0);
            put("FailReason", reason);
        }
        Event::TagsChanged => {
            put("Event", "change_external_tag");
            put("ChangeType", "shuffle");
        }
        Event::MemberChanged {
            userid,
            new_userid,
            left,
        } => {
            put("Event", "change_contact");
            put("ChangeType", if *left { "delete_user" } else { "update_user" });
            put("UserID", &userid.0);
            put("NewUserID", new_userid.as_ref().map_or("", |new| &new.0));
        }
        Event::DepartmentsChanged => {
            put("Event", "change_contact");
            put("ChangeType", "update_party");
        }
        Event::GroupCreated { chat_id } | Event::GroupDismissed { chat_id } => {
            let is_new = matches!(received.event, Event::GroupCreated { .. });
            put("Event", "change_external_chat");
            put("ChangeType", if is_new { "create" } else { "dismiss" });
            put("ChatId", chat_id);
        }
        Event::GroupChanged { chat_id, change } => {
            put("Event", "change_external_chat");
            put("ChangeType", "update");
            put("ChatId", chat_id);
            let people = |put: &mut dyn FnMut(&'static str, &str), members: &Members| {
                put("LastMemVer", &members.last);
                put("CurMemVer", &members.current);
            };
            let detail = match change {
                GroupChange::Joined(members) => {
                    people(&mut put, members);
                    "add_member"
                }
                GroupChange::Left { members, is_removed } => {
                    people(&mut put, members);
                    put("QuitScene", if *is_removed { "1" } else { "0" });
                    "del_member"
                }
                GroupChange::Owner => "change_owner",
                GroupChange::Name => "change_name",
                GroupChange::Notice => "change_notice",
                GroupChange::Unknown(detail) => detail,
            };
            put("UpdateDetail", detail);
            if let GroupChange::Joined(members) | GroupChange::Left { members, .. } = change {
                items = &members.ids;
            }
        }
        Event::Other { event, change } => {
            put("Event", event);
            put("ChangeType", change);
        }
    }
    let mut xml = String::from("<xml>");
    for (name, value) in &fields {
        xml.push_str(&format!("<{name}>{}</{name}>", escaped(value)));
    }
    if !items.is_empty() {
        xml.push_str("<MemChangeList>");
        for item in items {
            xml.push_str(&format!("<Item>{}</Item>", escaped(item)));
        }
        xml.push_str("</MemChangeList>");
    }
    xml + "</xml>"
}

/// Text with nothing in it that XML takes for its own.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\r' => escaped.push_str("&#13;"),
            other => escaped.push(other),
        }
    }
    escaped
}
