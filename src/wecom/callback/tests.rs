use proptest::prelude::*;

use super::*;

fn contact_change(change: &str, rest: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[ww1a2b3c4d5e6f7a8b]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>\
         <CreateTime>1719830401</CreateTime><MsgType><![CDATA[event]]></MsgType>\
         <Event><![CDATA[change_external_contact]]></Event><ChangeType><![CDATA[{change}]]></ChangeType>\
         <UserID><![CDATA[guide_li]]></UserID><ExternalUserID><![CDATA[wmSim0001]]></ExternalUserID>{rest}</xml>"
    )
}

fn event(name: &str, rest: &str) -> String {
    format!(
        "<xml>\n  <CreateTime>1719830401</CreateTime>\n  <MsgType>event</MsgType>\n  <Event>{name}</Event>\n  {rest}\n</xml>"
    )
}

fn read(xml: &str) -> Event {
    let received = read_event(xml).unwrap();
    assert_eq!(received.at, 1719830401);
    received.event
}

fn pair() -> (UserId, ExternalUserId) {
    ("guide_li".into(), "wmSim0001".into())
}

#[test]
fn every_group_event_is_told_apart() {
    let chat_id = "wrSim0001".to_owned();
    let change = |detail: &str, rest: &str| {
        // The id comes before the kind of change: the order of elements means nothing.
        let head = "<ChatId><![CDATA[wrSim0001]]></ChatId><ChangeType>update</ChangeType>";
        let detail = format!("<UpdateDetail>{detail}</UpdateDetail>");
        let xml = event("change_external_chat", &format!("{head}{detail}{rest}"));
        match read(&xml) {
            Event::GroupChanged { chat_id, change } => {
                assert_eq!(chat_id, "wrSim0001");
                change
            }
            other => panic!("{other:?}"),
        }
    };
    let list = "<MemChangeList><Item><![CDATA[wmSim0001]]></Item><Item>wmSim0002</Item></MemChangeList>\
                <LastMemVer>aa11</LastMemVer><CurMemVer>bb22</CurMemVer>";
    let members = Members {
        ids: vec!["wmSim0001".into(), "wmSim0002".into()],
        last: "aa11".into(),
        current: "bb22".into(),
    };
    assert_eq!(change("add_member", list), GroupChange::Joined(members.clone()));
    let left = |is_removed| GroupChange::Left {
        members: members.clone(),
        is_removed,
    };
    assert_eq!(change("del_member", list), left(false));
    let by_owner = format!("{list}<QuitScene>1</QuitScene>");
    assert_eq!(change("del_member", &by_owner), left(true));
    assert_eq!(change("add_member", ""), GroupChange::Joined(Members::default()));
    assert_eq!(change("change_owner", ""), GroupChange::Owner);
    assert_eq!(change("change_name", ""), GroupChange::Name);
    assert_eq!(change("change_notice", ""), GroupChange::Notice);
    assert_eq!(change("x", ""), GroupChange::Unknown("x".into()));
    let plain = |kind: &str| {
        let fields = format!("<ChatId>wrSim0001</ChatId><ChangeType>{kind}</ChangeType>");
        read(&event("change_external_chat", &fields))
    };
    assert_eq!(
        plain("create"),
        Event::GroupCreated {
            chat_id: chat_id.clone()
        }
    );
    assert_eq!(plain("dismiss"), Event::GroupDismissed { chat_id });
}

#[test]
fn every_contact_event_is_told_apart() {
    let (userid, external_userid) = pair();
    let (state, welcome_code) = ("store001_qr".to_owned(), Some("WC0001".to_owned()));
    let came = "<State><![CDATA[store001_qr]]></State><WelcomeCode><![CDATA[WC0001]]></WelcomeCode>";
    let table = [
        (
            contact_change("add_external_contact", came),
            Event::ContactAdded {
                userid: userid.clone(),
                external_userid: external_userid.clone(),
                state: state.clone(),
                welcome_code: welcome_code.clone(),
            },
        ),
        (
            contact_change("add_external_contact", "<WelcomeCode></WelcomeCode><State/>"),
            Event::ContactAdded {
                userid: userid.clone(),
                external_userid: external_userid.clone(),
                state: String::new(),
                welcome_code: None,
            },
        ),
        (
            contact_change("add_half_external_contact", came),
            Event::ContactHalfAdded {
                userid: userid.clone(),
                external_userid: external_userid.clone(),
                state,
                welcome_code,
            },
        ),
        (
            contact_change("edit_external_contact", came),
            Event::ContactEdited {
                userid: userid.clone(),
                external_userid: external_userid.clone(),
            },
        ),
        (
            contact_change(
                "del_external_contact",
                "<Source><![CDATA[DELETE_BY_TRANSFER]]></Source>",
            ),
            Event::ContactRemoved {
                userid: userid.clone(),
                external_userid: external_userid.clone(),
                by_transfer: true,
            },
        ),
        (
            contact_change("del_external_contact", ""),
            Event::ContactRemoved {
                userid: userid.clone(),
                external_userid: external_userid.clone(),
                by_transfer: false,
            },
        ),
        (
            contact_change("del_follow_user", ""),
            Event::ContactLost {
                userid: userid.clone(),
                external_userid: external_userid.clone(),
            },
        ),
        (
            contact_change(
                "transfer_fail",
                "<FailReason><![CDATA[customer_refused]]></FailReason>",
            ),
            Event::TransferFailed {
                userid,
                external_userid,
                reason: "customer_refused".into(),
            },
        ),
        (
            contact_change("msg_audit_approved", came),
            Event::Other {
                event: "change_external_contact".into(),
                change: "msg_audit_approved".into(),
            },
        ),
    ];
    for (xml, expected) in table {
        assert_eq!(read(&xml), expected, "{xml}");
    }
}

#[test]
fn tag_and_directory_events_are_told_apart() {
    let changed = |userid: &str, new: Option<&str>, left| Event::MemberChanged {
        userid: userid.into(),
        new_userid: new.map(UserId::from),
        left,
    };
    let other = |event: &str, change: &str| Event::Other {
        event: event.into(),
        change: change.into(),
    };
    let tag = "change_external_tag";
    let directory = "change_contact";
    let table = [
        (
            tag,
            "<Id><![CDATA[etSimGold]]></Id><TagType>tag</TagType><ChangeType>create</ChangeType>",
            Event::TagsChanged,
        ),
        (
            tag,
            "<Id>etGrpLevel</Id><TagType>tag_group</TagType><ChangeType>delete</ChangeType>",
            Event::TagsChanged,
        ),
        (
            tag,
            "<ChangeType><![CDATA[shuffle]]></ChangeType>",
            Event::TagsChanged,
        ),
        (
            tag,
            "<ChangeType>later_kind</ChangeType>",
            other(tag, "later_kind"),
        ),
        (
            directory,
            "<ChangeType>create_user</ChangeType><UserID>guide_wu</UserID><Name><![CDATA[吴小]]></Name>\
             <ExtAttr><Item><Name>UserID</Name><Type>0</Type><Text><Value>x</Value></Text></Item></ExtAttr>",
            changed("guide_wu", None, false),
        ),
        (
            directory,
            "<ChangeType>update_user</ChangeType><UserID>guide_wu</UserID><NewUserID>guide_wu2</NewUserID>",
            changed("guide_wu", Some("guide_wu2"), false),
        ),
        (
            directory,
            "<ChangeType>delete_user</ChangeType><UserID>guide_li</UserID>",
            changed("guide_li", None, true),
        ),
        (
            directory,
            "<ChangeType>update_party</ChangeType><Id>12</Id>",
            Event::DepartmentsChanged,
        ),
        (
            directory,
            "<ChangeType>update_tag</ChangeType><TagId>1</TagId>",
            other(directory, "update_tag"),
        ),
        (
            "change_external_chat",
            "<ChatId>wrSim0001</ChatId><ChangeType>later</ChangeType><MemChangeList><Item>wm1</Item><Item>wm2</Item></MemChangeList>",
            other("change_external_chat", "later"),
        ),
        (
            "customer_acquisition",
            "<ChangeType>balance_low</ChangeType>",
            other("customer_acquisition", "balance_low"),
        ),
        ("enter_agent", "", other("enter_agent", "")),
    ];
    for (name, rest, expected) in table {
        assert_eq!(read(&event(name, rest)), expected, "{name} {rest}");
    }
}

#[test]
fn escaped_text_and_cdata_read_the_same() {
    let escaped = contact_change("add_external_contact", "<State>a&amp;b&lt;&#x5E97;&gt;</State>");
    let cdata = contact_change("add_external_contact", "<State><![CDATA[a&b<店>]]></State>");
    assert_eq!(read_event(&escaped), read_event(&cdata));
    assert!(matches!(read(&cdata), Event::ContactAdded { state, .. } if state == "a&b<店>"));
}

#[test]
fn the_envelope_gives_its_encrypted_part() {
    let body = "<xml>\n<ToUserName><![CDATA[ww1]]></ToUserName><AgentID></AgentID><Encrypt><![CDATA[gH2+7y==]]></Encrypt></xml>";
    assert_eq!(encrypted_part(body).as_deref(), Some("gH2+7y=="));
    let twice = "<xml><Encrypt>one</Encrypt><Encrypt>two</Encrypt></xml>";
    assert_eq!(encrypted_part(twice).as_deref(), Some("one"));
    for body in [
        "",
        "{}",
        "<xml></xml>",
        "<xml><Encrypt></Encrypt></xml>",
        "<html><Encrypt>x</Encrypt></html>",
        "<xml><a><Encrypt>x</Encrypt></a></xml>",
        "<xml><Encrypt>x</Encrypt></xml><xml><Encrypt>y</Encrypt></xml>",
        "<xml><Encrypt>x</Encrypt></xml>tail",
        "<xml><Encrypt>x</Encrypt>",
    ] {
        assert_eq!(encrypted_part(body), None, "{body}");
    }
}

#[test]
fn declared_entities_are_refused() {
    let laughs = "<!DOCTYPE xml [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">]>";
    assert_eq!(
        read_event(&format!(
            "{laughs}{}",
            contact_change("del_follow_user", "<State>&b;</State>")
        )),
        None
    );
    let unknown = contact_change("del_follow_user", "<State>&b;</State>");
    assert_eq!(read_event(&unknown), None);
    let outside = "<!DOCTYPE xml SYSTEM \"file:///etc/passwd\"><xml><Encrypt>x</Encrypt></xml>";
    assert_eq!(encrypted_part(outside), None);
}

#[test]
fn size_depth_and_number_of_fields_are_bounded() {
    let deep = format!("<xml>{}{}</xml>", "<a>".repeat(5_000), "</a>".repeat(5_000));
    let wide: String = (0..5_000).map(|n| format!("<f{n}>x</f{n}>")).collect();
    let long = format!("<xml><Encrypt>{}</Encrypt></xml>", "A".repeat(MAX_BODY));
    for body in [deep, format!("<xml>{wide}<Encrypt>x</Encrypt></xml>"), long] {
        assert_eq!(encrypted_part(&body), None);
    }
}

#[test]
fn what_lacks_its_parts_is_kept_as_other_or_refused() {
    let other = Event::Other {
        event: "change_external_contact".into(),
        change: "add_external_contact".into(),
    };
    let without_customer = "<ChangeType>add_external_contact</ChangeType><UserID>guide_li</UserID>";
    assert_eq!(read(&event("change_external_contact", without_customer)), other);
    for xml in [
        "<xml><Event>change_contact</Event></xml>",
        "<xml><CreateTime>soon</CreateTime><Event>change_contact</Event></xml>",
        "<xml><CreateTime>1719830401</CreateTime></xml>",
    ] {
        assert_eq!(read_event(xml), None, "{xml}");
    }
}

proptest! {
    #[test]
    fn the_order_of_elements_means_nothing(
        fields in Just(vec![
            "<CreateTime>1719830401</CreateTime>",
            "<MsgType><![CDATA[event]]></MsgType>",
            "<Event><![CDATA[change_external_contact]]></Event>",
            "<ChangeType>add_external_contact</ChangeType>",
            "<UserID>guide_li</UserID>",
            "<ExternalUserID><![CDATA[wmSim0001]]></ExternalUserID>",
            "<WelcomeCode>WC0001</WelcomeCode>",
        ]).prop_shuffle()
    ) {
        let (userid, external_userid) = pair();
        prop_assert_eq!(read(&format!("<xml>{}</xml>", fields.concat())), Event::ContactAdded {
            userid,
            external_userid,
            state: String::new(),
            welcome_code: Some("WC0001".into()),
        });
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC*") {
        let _ = (read_event(&text), encrypted_part(&text));
    }

    #[test]
    fn no_damaged_event_makes_it_panic(
        cut in 0usize..600,
        at in 0usize..600,
        put in r"(<[/!?]?|>|&|&#|&#x110000;|\]\]>|<!\[CDATA\[|<!--|\x00|店)",
    ) {
        let whole = contact_change("add_external_contact", "<State>&amp;店</State>");
        let characters: Vec<char> = whole.chars().collect();
        let kept = &characters[..characters.len() - cut.min(characters.len())];
        let at = at.min(kept.len());
        let damaged: String = kept[..at].iter().copied().chain(put.chars()).chain(kept[at..].iter().copied()).collect();
        let _ = (read_event(&damaged), encrypted_part(&damaged));
    }
}
