//! A platform that is slow, behind, repeats itself and loses things, and does so again from the same seed.

use super::*;

fn knobs(change: impl FnOnce(&mut Knobs)) -> Knobs {
    let mut knobs = Knobs::default();
    change(&mut knobs);
    knobs
}

async fn list_of_li(shop: &Shop) -> Value {
    shop.get("externalcontact/list?userid=li").await["external_userid"].clone()
}

#[tokio::test]
async fn reads_that_lag_show_the_world_as_it_was() {
    let shop = Shop::open().await;
    shop.sandbox.set_knobs(knobs(|knobs| knobs.read_lag_ms = 30_000));
    let get = |id: &'static str| {
        let shop = &shop;
        async move {
            shop.get(&format!("externalcontact/get?external_userid={id}"))
                .await
        }
    };
    shop.sandbox.scan(CORPID, "wm4", "li", "s1").unwrap();
    shop.sandbox.member_deletes(CORPID, "li", "wm1").unwrap();
    shop.sandbox.member_remarks(CORPID, "li", "wm2", "新").unwrap();
    shop.clock.advance(29_999);
    assert_eq!(get("wm4").await["errcode"], 84061);
    assert_eq!(get("wm1").await["errcode"], 0);
    assert_eq!(get("wm2").await["follow_user"][0]["remark"], "");
    assert_eq!(list_of_li(&shop).await, json!(["wm1", "wm2", "wm3"]));
    let body = json!({"userid_list": ["li"], "limit": 2});
    let page = shop.post("externalcontact/batch/get_by_user", body).await;
    let rest = json!({"userid_list": ["li"], "limit": 2, "cursor": page["next_cursor"]});
    let rest = shop.post("externalcontact/batch/get_by_user", rest).await;
    let id = |page: &Value, nth: usize| {
        page["external_contact_list"][nth]["external_contact"]["external_userid"].clone()
    };
    assert_eq!(
        (id(&page, 0), id(&page, 1), id(&rest, 0)),
        (json!("wm1"), json!("wm2"), json!("wm3"))
    );
    shop.clock.advance(1);
    assert_eq!(get("wm4").await["errcode"], 0);
    assert_eq!(get("wm1").await["errcode"], 84061);
    assert_eq!(get("wm2").await["follow_user"][0]["remark"], "新");
    assert_eq!(list_of_li(&shop).await, json!(["wm2", "wm3", "wm4"]));
}

#[tokio::test]
async fn a_repeated_cursor_gives_its_page_once_more() {
    let shop = Shop::open().await;
    let fault = Plan {
        api: "externalcontact/batch/get_by_user".into(),
        fault: Fault::RepeatedCursor,
        times: 1,
    };
    shop.sandbox.plan(fault);
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let body = json!({"userid_list": ["li"], "limit": 2, "cursor": cursor});
        let page = shop.post("externalcontact/batch/get_by_user", body).await;
        for item in page["external_contact_list"].as_array().unwrap() {
            found.push(
                item["external_contact"]["external_userid"]
                    .as_str()
                    .unwrap()
                    .to_owned(),
            );
        }
        cursor = page["next_cursor"].as_str().unwrap().to_owned();
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(found, ["wm1", "wm2", "wm1", "wm2", "wm3"]);
}

#[tokio::test]
async fn six_marks_at_a_time_are_one_too_many() {
    let shop = Shop::open().await;
    shop.sandbox.set_knobs(knobs(|knobs| knobs.answer_ms = 20));
    let mark = json!({"userid": "li", "external_userid": "wm1", "add_tag": ["etGold"]});
    let calls = (0..6).map(|_| shop.code_of("externalcontact/mark_tag", mark.clone()));
    let codes = futures_util::future::join_all(calls).await;
    assert_eq!(
        codes.iter().filter(|code| **code == 45033).count(),
        1,
        "{codes:?}"
    );
    assert_eq!(shop.code_of("externalcontact/mark_tag", mark).await, 0);
}

#[tokio::test]
async fn a_token_may_end_before_it_says() {
    let mut shop = Shop::open().await;
    shop.sandbox.expire_tokens(CORPID);
    shop.sandbox.set_knobs(knobs(|knobs| knobs.token_cut_s = 7_000));
    let given = shop.fetch_token().await;
    assert_eq!(given["expires_in"], 7_200);
    shop.token = given["access_token"].as_str().unwrap().to_owned();
    assert_eq!(shop.get("department/list").await["errcode"], 0);
    shop.clock.advance(200_000);
    assert_eq!(shop.get("department/list").await["errcode"], 42001);
    assert_ne!(shop.fetch_token().await["access_token"], json!(shop.token));
}

/// What became of each callback of a run, and the ids it made.
async fn run() -> (Vec<(String, String)>, String, Vec<String>) {
    let shop = Shop::open().await;
    shop.sandbox.set_knobs(knobs(|knobs| {
        knobs.callbacks_dropped = 30;
        knobs.callbacks_doubled = 30;
        knobs.callback_fields_shuffled = true;
        knobs.callback_time_step_s = 60;
    }));
    for _ in 0..12 {
        shop.sandbox.scan(CORPID, "wm4", "li", "s1").unwrap();
        shop.sandbox.customer_deletes(CORPID, "wm4", "li").unwrap();
    }
    shop.sandbox.callbacks_settled().await;
    let wrong = shop.get("externalcontact/get?external_userid=wm5").await["errmsg"].to_string();
    let mut became: Vec<_> = shop
        .sandbox
        .callbacks()
        .into_iter()
        .map(|it| (it.note, it.xml))
        .collect();
    // Doubles go their own way, at their own time.
    became.sort();
    let times = became
        .iter()
        .filter_map(|(_, xml)| Some(xml.split_once("<CreateTime>")?.1.split_once('<')?.0.to_owned()))
        .collect();
    (became, format!("{} {wrong}", shop.token), times)
}

#[tokio::test]
async fn the_same_seed_loses_the_same_callbacks_and_makes_the_same_ids() {
    let (became, ids, times) = run().await;
    assert_eq!((became.clone(), ids), {
        let again = run().await;
        (again.0, again.1)
    });
    // No address: what is not dropped is lost, twice where it is doubled.
    assert!(became.iter().any(|(note, _)| note == "dropped"));
    assert!(became.len() > 24 && became.iter().any(|(note, _)| note == "no address"));
    assert!(times.iter().all(|time| time.parse::<i64>().unwrap() % 60 == 0));
    let starts = became.iter().map(|(_, xml)| xml.split('>').nth(1).unwrap());
    assert!(starts.collect::<std::collections::BTreeSet<_>>().len() > 1);
}

#[tokio::test]
async fn a_crowd_is_the_same_for_the_same_number_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let crowd = || Crowd {
        seed: 5,
        associates: 30,
        contacts: 2_000,
        until: 1_790_000_000,
    };
    let open = |name: &str| {
        Sandbox::open(SandboxOptions {
            clock: Clock::System,
            seed: 1,
            data: Some(folder.path().join(name)),
        })
    };
    let grown = |name: &'static str| {
        let opened = open(name);
        async move {
            let sandbox = opened.await.unwrap();
            sandbox.add_corp(CorpSeed {
                corpid: CORPID.into(),
                ..CorpSeed::default()
            });
            sandbox.grow_crowd(CORPID, crowd()).unwrap();
            sandbox
        }
    };
    let everything = |sandbox: &Sandbox| {
        sandbox
            .look_at(CORPID, |corp, _| {
                let members = corp.members.keys();
                let pairs = members.flat_map(|member| corp.relations.of_member(member, None));
                Ok(format!(
                    "{:?} {:?} {:?}",
                    corp.customers.values().collect::<Vec<_>>(),
                    pairs.collect::<Vec<_>>(),
                    corp.tag_groups
                ))
            })
            .unwrap()
    };
    let (one, other) = (grown("one").await, grown("other").await);
    assert!(everything(&one) == everything(&other));
    let (member, customer) = one
        .look_at(CORPID, |corp, _| {
            let pair = corp.customers_of("s0001_g01", None).next().unwrap();
            Ok((pair.userid.clone(), pair.external_userid.clone()))
        })
        .unwrap();
    assert!(one.grow_crowd(CORPID, crowd()).is_err());
    one.member_deletes(CORPID, &member, &customer).unwrap();
    one.flush().await;
    drop(one);
    let lines = std::fs::read_to_string(folder.path().join("one")).unwrap();
    assert!(lines.lines().count() < 5, "the crowd is one line");
    for _ in 0..2 {
        let again = open("one").await.unwrap();
        let is_there = again
            .look_at(CORPID, |corp, _| Ok(corp.relation(&member, &customer).is_some()))
            .unwrap();
        assert!(!is_there);
        let (now, before) = (everything(&again).len(), everything(&other).len());
        assert!(now < before && now > before - 1_000);
    }
}
