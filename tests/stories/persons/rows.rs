//! Rows: exactly those of the merged contact go and come back, whatever happened meanwhile.

use std::collections::BTreeMap;

use dianyu::contacts::{self, Learned, Phone, Reading, Refreshed};
use dianyu::directory;
use dianyu::error::Error;
use dianyu::ids::MergeId;
use dianyu::job::Job as _;
use dianyu::persons::{self, jobs::Upkeep};
use dianyu::scope::Actor;
use dianyu::time::DAY_MS;
use dianyu::wecom::contact::{ContactDetail, ExternalContact, FollowUser};
use sea_orm::{FromQueryResult as _, JsonValue};

use crate::orders::{by, click, order, sell};
use crate::world::{World, contact};

/// Everything that says whose it is, and the figures.
const TABLES: [&str; 22] = [
    "contact",
    "follow",
    "follow_period",
    "binding",
    "tag_change",
    "link",
    "click",
    "delivery",
    "quota_use",
    "moment_interaction",
    "sale",
    "credit",
    "timeline",
    "contact_value",
    "follow_up",
    "marking_refusal",
    "welcome_sent",
    "contact_duplicate",
    "merged_contact",
    "contact_merge_row",
    "store_day",
    "associate_day",
];

impl World {
    /// Every row of the tables above, `seen_at` left out: a reading that changes nothing is noted there.
    pub(super) async fn rows(&self) -> BTreeMap<&'static str, Vec<String>> {
        let mut all = BTreeMap::new();
        for table in TABLES {
            let rows = dianyu::db::rows(&self.app.db, &format!("select * from {table}"), vec![])
                .await
                .unwrap();
            let mut lines: Vec<String> = rows
                .iter()
                .map(|row| {
                    let mut row = JsonValue::from_query_result(row, "").unwrap();
                    row.as_object_mut().unwrap().remove("seen_at");
                    row.to_string()
                })
                .collect();
            lines.sort();
            all.insert(table, lines);
        }
        all
    }

    /// Contacts 102, 103 and 104 have one unionid, and rows everywhere; some of them the same.
    async fn with_a_past(&self) {
        self.run("update contact set unionid = 'union102' where id in (102, 103, 104)")
            .await;
        self.run("update contact set home_store_id = null where id = 102")
            .await;
        self.run("insert into contact_duplicate (corp_id, unionid) values (1, 'union102')")
            .await;
        for (number, who) in [(1, 102), (2, 103), (3, 103), (4, 104)] {
            sell(self, &by(order(&format!("P{number}"), 10_000 * number), who)).await;
            let at = self.now().plus_ms(-number * DAY_MS);
            click(self, &format!("t{number}"), who, 31, 21, at).await;
        }
        let learned = |who: i64, phone: &str, opted_out: Option<bool>| Learned {
            contact: contact(who),
            birthday: (who == 104).then(|| "03-08".into()),
            phone: Phone::of(&self.app.sealer, self.corp, phone),
            opted_out,
            values: vec![],
        };
        let tx = self.begin().await;
        let people = [
            learned(103, "13800006027", Some(true)),
            learned(104, "13911112222", None),
        ];
        contacts::learn(&tx, &self.act(), self.corp, &people)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        for who in [102, 103, 104] {
            for sql in [
                format!(
                    "insert into binding (corp_id, contact_id, from_at, associate_id, until_at) values (1, {who}, 5, 31, 9), (1, {who}, {who}, 31, 999)"
                ),
                format!(
                    "insert into tag_change (corp_id, id, contact_id, associate_id, tag_id, added, source, actor, at) values (1, {who}, {who}, 31, 51, true, 'platform', 'platform', 7)"
                ),
                format!(
                    "insert into delivery (corp_id, campaign_id, contact_id, state, sent_at, updated_at) values (1, 7, {who}, 'sent', {who}, 0), (1, {who}, {who}, 'sent', {who}, 0)"
                ),
                format!(
                    "insert into quota_use (corp_id, contact_id, window_key, used) values (1, {who}, '2026-11', 1), (1, {who}, '2026-{who}', 2)"
                ),
                format!(
                    "insert into moment_interaction (corp_id, moment_id, associate_id, contact_id, kind, at) values (1, 7, 31, {who}, 'like', 9), (1, 7, 31, {who}, 'comment', {who})"
                ),
                format!(
                    "insert into contact_value (corp_id, contact_id, field_id, value, updated_at) values (1, {who}, 7, '{who}', 0), (1, {who}, {who}, 'x', 0)"
                ),
                format!(
                    "insert into follow_up (corp_id, id, contact_id, associate_id, what, due_day, state, created_by, created_at) values (1, {who}, {who}, 31, 'x', '2026-11-24', 'open', 'system', 0)"
                ),
                format!(
                    "insert into link (corp_id, id, code, title, target, contact_id, created_by, created_at) values (1, {who}, 'c{who}', 'x', '{{}}', {who}, 'system', 0)"
                ),
                format!(
                    "insert into welcome_sent (corp_id, code_hash, contact_id, state, at) values (1, 'h{who}', {who}, 'sent', 0)"
                ),
                format!(
                    "insert into marking_refusal (corp_id, marking_id, contact_id, why) values (1, 7, {who}, '{{}}')"
                ),
            ] {
                self.run(&sql).await;
            }
        }
    }

    async fn reads(&self, external: &str, name: &str, userids: &[&str]) -> Refreshed {
        let corp = directory::find_corp(&self.app.db, self.corp).await.unwrap();
        let follow = |userid: &&str| FollowUser {
            userid: (*userid).into(),
            remark: String::new(),
            description: String::new(),
            createtime: self.now().plus_ms(-DAY_MS).seconds(),
            tag_ids: vec![],
            remark_mobiles: vec![],
            add_way: 1,
            state: String::new(),
            oper_userid: (*userid).into(),
        };
        let detail = ContactDetail {
            contact: ExternalContact {
                external_userid: external.into(),
                name: name.into(),
                avatar: String::new(),
                kind: 1,
                gender: 2,
                unionid: Some("union102".into()),
            },
            follow_users: userids.iter().map(follow).collect(),
        };
        let reading = Reading {
            corp: &corp,
            sealer: &self.app.sealer,
            read_at: self.now(),
        };
        let shown = Some(&detail).filter(|detail| !detail.follow_users.is_empty());
        let act = self.app.act(Actor::Platform);
        let tx = self.begin().await;
        let refreshed = reading
            .of_contact(&tx, &act, &external.into(), shown, None)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        refreshed
    }

    async fn name_of(&self, who: i64) -> String {
        let sql = format!("select name from contact where id = {who}");
        dianyu::db::scalar(&self.app.db, &sql, vec![])
            .await
            .unwrap()
            .unwrap()
    }
}

fn conflict(error: Error) -> String {
    match error {
        Error::Conflict(why) => why.to_string(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn undone_every_row_is_as_it_was_and_merges_of_merges_go_back_in_turn() {
    let shop = World::open().await;
    shop.with_a_past().await;
    let before = shop.rows().await;
    let first = shop.merge(contact(103), contact(104)).await.unwrap();
    let between = shop.rows().await;
    let second = shop.merge(contact(102), contact(103)).await.unwrap();
    for (table, expected) in [
        ("follow", 3),
        ("sale", 4),
        ("click", 4),
        ("delivery", 4),
        // One of them is of an order.
        ("binding", 5),
        ("contact_value", 4),
        ("moment_interaction", 4),
        ("tag_change", 3),
        ("follow_up", 3),
        ("link", 3),
    ] {
        let hers = format!("select count(*) from {table} where contact_id = 102");
        assert_eq!(shop.number(&hers).await, expected, "{table}");
    }
    assert_eq!(
        shop.number("select count(*) from credit where contact_id = 102")
            .await,
        shop.number("select count(*) from credit").await
    );
    assert_eq!(
        shop.number("select used from quota_use where contact_id = 102 and window_key = '2026-11'")
            .await,
        3
    );
    // She has what she lacked: the number opens, and who opted out has.
    let act = shop.app.act(Actor::System);
    let shown = contacts::show_phone(&shop.app, &act, &shop.whole(), contact(102))
        .await
        .unwrap();
    assert_eq!(secrecy::ExposeSecret::expose_secret(&shown), "13800006027");
    assert_eq!(
        shop.number("select count(*) from contact where id = 102 and opted_out_at > 0 and birthday = '03-08' and home_store_id = 21")
            .await,
        1
    );
    // By the other number she is found as well.
    let other = Phone::of(&shop.app.sealer, shop.corp, "13911112222").unwrap();
    let found = contacts::find_by_phone(&shop.app.db, shop.corp, &other.blind)
        .await
        .unwrap();
    assert_eq!(found, Some(contact(102)));
    for external in ["wmSim102", "wmSim103", "wmSim104"] {
        assert_eq!(shop.contact_of(external).await, contact(102), "{external}");
    }

    let refused = conflict(shop.unmerge(first).await.unwrap_err());
    assert!(refused.contains(&second.to_string()), "{refused}");
    shop.unmerge(second).await.unwrap();
    assert_eq!(shop.rows().await, between);
    shop.unmerge(first).await.unwrap();
    assert_eq!(shop.rows().await, before);
    let refused = conflict(shop.unmerge(first).await.unwrap_err());
    assert!(refused.contains("undone already"), "{refused}");
    assert_eq!(
        shop.number("select count(*) from audit_entry where action in ('contact.merge', 'contact.unmerge')")
            .await,
        4
    );
    // And once more, as if nothing had been.
    shop.merge(contact(102), contact(104)).await.unwrap();
}

#[tokio::test]
async fn only_two_of_one_unionid_are_merged_once_by_whoever_sees_everything() {
    let shop = World::open().await;
    shop.with_a_past().await;
    for (kept, merged) in [(102, 105), (102, 102)] {
        let refused = shop.merge(contact(kept), contact(merged)).await.unwrap_err();
        assert!(matches!(refused, Error::Invalid(_)), "{refused}");
    }
    shop.run("update contact set unionid = null where id in (106, 107)")
        .await;
    let refused = shop.merge(contact(106), contact(107)).await.unwrap_err();
    assert!(matches!(refused, Error::Invalid(_)), "{refused}");
    assert!(matches!(
        shop.merge(contact(102), contact(999)).await,
        Err(Error::NotFound)
    ));
    assert!(matches!(shop.unmerge(MergeId(999)).await, Err(Error::NotFound)));
    let made = shop.merge(contact(102), contact(103)).await.unwrap();
    for (kept, merged) in [(102, 103), (103, 104), (104, 103)] {
        let refused = conflict(shop.merge(contact(kept), contact(merged)).await.unwrap_err());
        assert!(refused.contains("`103` is merged into `102`"), "{refused}");
    }
    for scope in [shop.of_store(21), shop.of_associate(31)] {
        let tx = shop.begin().await;
        let (act, sealer) = (shop.act(), &shop.app.sealer);
        let tried = persons::merge(&tx, &act, &scope, sealer, contact(102), contact(104)).await;
        assert!(matches!(tried, Err(Error::NotFound)));
        assert!(matches!(
            persons::undo(&tx, &act, &scope, made).await,
            Err(Error::NotFound)
        ));
        tx.rollback().await.unwrap();
    }
    assert_eq!(shop.number("select count(*) from contact_merge").await, 1);
}

#[tokio::test]
async fn what_came_since_by_the_others_id_goes_back_and_orders_stay() {
    let shop = World::open().await;
    shop.with_a_past().await;
    let made = shop.merge(contact(102), contact(103)).await.unwrap();
    shop.reads("wmSim103", "另一个名字", &["li", "wu"]).await;
    assert_eq!(
        shop.number("select count(*) from follow where contact_id = 102 and state = 'active'")
            .await,
        3
    );
    assert_eq!(
        shop.name_of(102).await,
        "客户102",
        "her own id says what she is called"
    );
    sell(&shop, &by(order("SINCE", 9_900), 103)).await;
    // By her own id nobody follows her any more: then the other one says.
    shop.app.clock.advance(DAY_MS);
    shop.reads("wmSim102", "客户102", &[]).await;
    shop.reads("wmSim103", "另一个名字", &["li", "wu"]).await;
    assert_eq!(shop.name_of(102).await, "另一个名字");
    shop.unmerge(made).await.unwrap();
    for (sql, expected) in [
        (
            "select count(*) from follow where contact_id = 103 and alias = '' and state = 'active'",
            2,
        ),
        (
            "select count(*) from follow_period where contact_id = 103 and alias = '' and until_at is null",
            2,
        ),
        (
            "select count(*) from follow where contact_id = 102 and alias = '' and state = 'removed'",
            1,
        ),
        ("select count(*) from follow where alias <> ''", 0),
        ("select contact_id from sale where order_no = 'SINCE'", 102),
    ] {
        assert_eq!(shop.number(sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn the_nightly_upkeep_takes_over_what_was_written_for_the_merged_one() {
    let shop = World::open().await;
    shop.with_a_past().await;
    let made = shop.merge(contact(102), contact(103)).await.unwrap();
    let stray = "insert into timeline (corp_id, id, contact_id, at, day, kind, detail)
        values (1, 77, 103, 0, '2026-11-22', 'noted', '{\"kind\":\"noted\",\"text\":\"x\"}')";
    shop.run(stray).await;
    for (id, associate) in [(1, 31), (2, 32)] {
        shop.run(&format!(
            "insert into follow (corp_id, id, contact_id, associate_id, store_id, state, remark, description, add_way, channel, tags, added_at, added_day, seen_at)
             values (1, {id}, 103, {associate}, 21, 'active', '', '', 1, '', ' ', 5, '2026-11-22', 0)"
        ))
        .await;
        shop.run(&format!(
            "insert into follow_period (corp_id, id, contact_id, associate_id, store_id, from_at, from_day, from_cause)
             values (1, {id}, 103, {associate}, 21, 5, '2026-11-22', 'scan')"
        ))
        .await;
    }
    shop.run("update contact set unionid = 'union105' where id = 106")
        .await;
    Upkeep {}.run(&shop.app, shop.corp, 1).await.unwrap();
    for (sql, expected) in [
        ("select contact_id from timeline where id = 77", 102),
        ("select count(*) from follow where contact_id = 103", 0),
        (
            "select count(*) from follow where contact_id = 102 and alias = 'wmSim103'",
            2,
        ),
        ("select count(*) from follow_period where contact_id = 103", 0),
        (
            "select count(*) from follow_period where contact_id = 102 and alias = 'wmSim103' and until_at is null",
            2,
        ),
        (
            "select count(*) from contact_duplicate where unionid = 'union105'",
            1,
        ),
        (
            "select count(*) from contact_duplicate where unionid = 'union102'",
            1,
        ),
    ] {
        assert_eq!(shop.number(sql).await, expected, "{sql}");
    }
    shop.unmerge(made).await.unwrap();
    assert_eq!(
        shop.number("select contact_id from timeline where id = 77").await,
        103
    );
}
