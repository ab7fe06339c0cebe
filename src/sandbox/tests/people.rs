//! What people do, what the app hears of it, what a second start finds.

use super::*;

#[tokio::test]
async fn a_scan_is_told_encrypted_and_its_welcome_code_lives_twenty_seconds() {
    let shop = Shop::open().await;
    let app = App::listen(&shop, 0).await;
    shop.sandbox.verify_callback(CORPID).await.unwrap();
    shop.sandbox.scan(CORPID, "wm4", "li", "s1_cashier").unwrap();
    shop.sandbox.scan(CORPID, "wm5", "li", "").unwrap();
    shop.sandbox.callbacks_settled().await;
    let heard = app.heard();
    assert_eq!(field(&heard[0], "ChangeType"), Some("add_external_contact"));
    assert_eq!(
        (field(&heard[0], "UserID"), field(&heard[0], "State")),
        (Some("Li"), Some("s1_cashier"))
    );
    assert_eq!(field(&heard[1], "State"), None);
    let welcome =
        |xml: &str| json!({"welcome_code": field(xml, "WelcomeCode").unwrap(), "text": {"content": "您好"}});
    shop.clock.advance(19_000);
    assert_eq!(
        shop.code_of("externalcontact/send_welcome_msg", welcome(&heard[0]))
            .await,
        0
    );
    assert_eq!(
        shop.code_of("externalcontact/send_welcome_msg", welcome(&heard[0]))
            .await,
        41051
    );
    shop.clock.advance(2_000);
    assert_eq!(
        shop.code_of("externalcontact/send_welcome_msg", welcome(&heard[1]))
            .await,
        41050
    );
}

#[tokio::test]
async fn a_pair_goes_from_friend_to_one_way_and_back_to_nothing() {
    let mut shop = Shop::open().await;
    let app = App::listen(&shop, 0).await;
    shop.sandbox.customer_deletes(CORPID, "wm1", "li").unwrap();
    assert_eq!(
        shop.get("externalcontact/get?external_userid=wm1").await["errcode"],
        0
    );
    shop.clock.advance(DAY_MS);
    shop.token = shop.fetch_token().await["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    shop.sandbox.scan(CORPID, "wm1", "LI", "again").unwrap();
    let again = shop.get("externalcontact/get?external_userid=wm1").await;
    assert_eq!(again["follow_user"][0]["createtime"], shop.clock.now().seconds());
    shop.sandbox.member_deletes(CORPID, "li", "wm1").unwrap();
    assert_eq!(
        shop.get("externalcontact/get?external_userid=wm1").await["errcode"],
        84061
    );
    shop.sandbox.callbacks_settled().await;
    let changes: Vec<_> = app
        .heard()
        .iter()
        .map(|xml| field(xml, "ChangeType").unwrap().to_owned())
        .collect();
    assert_eq!(
        changes,
        ["del_follow_user", "add_external_contact", "del_external_contact"]
    );
}

#[tokio::test]
async fn a_half_added_customer_can_be_welcomed_but_not_read_until_taken_up() {
    let shop = Shop::open().await;
    let app = App::listen(&shop, 0).await;
    shop.sandbox.half_add(CORPID, "wm4", "li", "s1").unwrap();
    shop.sandbox.half_add(CORPID, "wm5", "li", "").unwrap();
    shop.sandbox.callbacks_settled().await;
    let half = app.heard();
    assert_eq!(field(&half[0], "ChangeType"), Some("add_half_external_contact"));
    assert_eq!(
        shop.get("externalcontact/get?external_userid=wm4").await["errcode"],
        84061
    );
    let welcome =
        json!({"welcome_code": field(&half[0], "WelcomeCode").unwrap(), "text": {"content": "您好"}});
    assert_eq!(shop.code_of("externalcontact/send_welcome_msg", welcome).await, 0);
    shop.sandbox.accept(CORPID, "li", "wm4").unwrap();
    shop.sandbox.accept(CORPID, "li", "wm5").unwrap();
    shop.sandbox.callbacks_settled().await;
    let heard = app.heard();
    assert_eq!(field(&heard[2], "ChangeType"), Some("add_external_contact"));
    assert_eq!(
        (field(&heard[2], "WelcomeCode"), field(&heard[2], "State")),
        (None, Some("s1"))
    );
    assert!(field(&heard[3], "WelcomeCode").is_some());
    assert_eq!(
        shop.get("externalcontact/get?external_userid=wm4").await["errcode"],
        0
    );
}

#[tokio::test]
async fn over_a_ceiling_nothing_happens_and_nobody_is_told() {
    let shop = Shop::open().await;
    let app = App::listen(&shop, 0).await;
    for (per_member, per_corp) in [(3, 100), (100, 4)] {
        shop.sandbox.set_knobs(Knobs {
            customers_per_member: per_member,
            customers_per_corp: per_corp,
            ..Knobs::default()
        });
        assert!(shop.sandbox.scan(CORPID, "wm4", "li", "").is_err());
    }
    shop.sandbox.callbacks_settled().await;
    assert!(app.heard().is_empty());
    assert_eq!(
        shop.get("externalcontact/get?external_userid=wm4").await["errcode"],
        84061
    );
}

#[tokio::test]
async fn a_phone_shows_what_can_be_done_and_does_it() {
    let shop = Shop::open().await;
    let page = |person: &str| {
        let request = Request::get(format!("/phone/{CORPID}/{person}"));
        shop.send(request.body(Body::empty()).unwrap())
    };
    let press = |person: &str, form: &'static str| {
        let request = Request::post(format!("/phone/{CORPID}/{person}/acts"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        shop.send(request.body(Body::from(form)).unwrap())
    };
    let asked = "act=scan&customer=wm4&member=li&state=s1&needs_acceptance=true";
    assert_eq!(press("wm4", asked).await.status(), StatusCode::SEE_OTHER);
    assert!(text_of(page("wm4").await).await.contains("waits to be accepted"));
    assert!(text_of(page("LI").await).await.contains("value=\"accept\""));
    let accepted = press("li", "act=accept&customer=wm4&member=li").await;
    assert_eq!(accepted.status(), StatusCode::SEE_OTHER);
    let remarked = press("li", "act=member_remarks&customer=wm4&member=li&remark=true").await;
    assert_eq!(remarked.status(), StatusCode::SEE_OTHER);
    let follow = shop.get("externalcontact/get?external_userid=wm4").await["follow_user"][0].clone();
    assert_eq!(
        (&follow["remark"], &follow["state"]),
        (&json!("true"), &json!("s1"))
    );
    let halfway = "act=scan&customer=wm5&member=li&state=&is_half=true";
    assert_eq!(press("wm5", halfway).await.status(), StatusCode::SEE_OTHER);
    assert!(text_of(page("wm5").await).await.contains("not taken up"));
    let deleted = press("wm4", "act=customer_deletes&customer=wm4&member=li").await;
    assert_eq!(deleted.status(), StatusCode::SEE_OTHER);
    assert!(text_of(page("li").await).await.contains("has left"));
    let again = press("wm4", "act=customer_deletes&customer=wm4&member=li").await;
    assert_eq!(again.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let shopping = Request::get(format!("/phone/{CORPID}/wm4/shop"));
    let shopping = shop.send(shopping.body(Body::empty()).unwrap()).await;
    assert_eq!(shopping.headers()[header::LOCATION], format!("/shop/{CORPID}"));
    let found = Request::get(format!("/phone/{CORPID}?q=wm3"));
    let found = text_of(shop.send(found.body(Body::empty()).unwrap()).await).await;
    assert!(found.contains("客户3") && !found.contains("客户4"));
}

#[tokio::test]
async fn calls_emit_nothing_and_people_do() {
    let shop = Shop::open().await;
    let app = App::listen(&shop, 0).await;
    let mark =
        json!({"userid": "LI", "external_userid": "wm1", "add_tag": ["etGold"], "remove_tag": ["etSilver"]});
    assert_eq!(shop.code_of("externalcontact/mark_tag", mark).await, 0);
    let remark = json!({"userid": "li", "external_userid": "wm1", "remark": "晴天"});
    assert_eq!(shop.code_of("externalcontact/remark", remark).await, 0);
    shop.sandbox
        .member_tags(CORPID, "li", "wm2", &["etSilver"], &[])
        .unwrap();
    let id = shop.sandbox.admin_adds_tag(CORPID, "来源", "门店").unwrap();
    shop.sandbox.callbacks_settled().await;
    let changes: Vec<_> = app
        .heard()
        .iter()
        .map(|xml| field(xml, "ChangeType").unwrap().to_owned())
        .collect();
    assert_eq!(changes, ["edit_external_contact", "create", "create"]);
    let follow = shop.get("externalcontact/get?external_userid=wm1").await["follow_user"][0].clone();
    assert_eq!(
        (&follow["remark"], &follow["tags"][0]["tag_name"]),
        (&json!("晴天"), &json!("金卡"))
    );
    let edit = json!({"id": id, "name": "线下"});
    assert_eq!(shop.code_of("externalcontact/edit_corp_tag", edit).await, 40068);
}

#[tokio::test]
async fn a_callback_is_tried_three_times_then_lost() {
    let shop = Shop::open().await;
    let app = App::listen(&shop, 5).await;
    shop.sandbox.set_knobs(Knobs {
        callback_retry_pause_ms: 1,
        ..Knobs::default()
    });
    shop.sandbox.scan(CORPID, "wm4", "li", "").unwrap();
    shop.sandbox.callbacks_settled().await;
    shop.sandbox.scan(CORPID, "wm5", "li", "").unwrap();
    shop.sandbox.callbacks_settled().await;
    let outcomes: Vec<_> = shop
        .sandbox
        .callbacks()
        .iter()
        .map(|it| (it.attempts, it.is_delivered))
        .collect();
    assert_eq!(outcomes, [(3, false), (3, true)]);
    assert_eq!(app.heard().len(), 1);
}

#[tokio::test]
async fn a_broadcast_reaches_friends_within_the_quota_once_its_member_confirms() {
    let shop = Shop::open().await;
    shop.sandbox.set_quota(CORPID, QuotaMode::PerDay(1)).unwrap();
    let first = shop.broadcast("LI", &["wm1"]).await["msgid"]
        .as_str()
        .unwrap()
        .to_owned();
    let body = json!({"msgid": first});
    assert_eq!(
        shop.code_of("externalcontact/get_groupmsg_task", body.clone())
            .await,
        41063
    );
    shop.clock.advance(1_000);
    let waiting = shop.post("externalcontact/get_groupmsg_task", body.clone()).await;
    assert_eq!(waiting["task_list"], json!([{"userid": "Li", "status": 0}]));
    let second = shop.broadcast("li", &["wm1", "wm2", "wm3", "wm4"]).await;
    assert_eq!(second["fail_list"], json!(["wm4"]));
    shop.clock.advance(1_000);
    shop.sandbox
        .member_confirms_broadcast(CORPID, &first, "li")
        .unwrap();
    shop.sandbox.customer_deletes(CORPID, "wm2", "li").unwrap();
    let second = second["msgid"].as_str().unwrap();
    let reached = shop
        .sandbox
        .member_confirms_broadcast(CORPID, second, "li")
        .unwrap()
        .reached;
    assert_eq!(reached, ["wm3"]);
    let expected = HashMap::from([
        ("wm1".to_owned(), 3),
        ("wm2".to_owned(), 2),
        ("wm3".to_owned(), 1),
    ]);
    assert_eq!(shop.results(second, "li").await, expected);
    let sent = shop.post("externalcontact/get_groupmsg_task", body).await;
    assert_eq!(sent["task_list"][0]["status"], 2);
    assert!(
        shop.sandbox
            .member_confirms_broadcast(CORPID, second, "li")
            .is_err()
    );
}

#[tokio::test]
async fn a_broadcast_to_nobody_and_a_cancelled_one_are_refused() {
    let shop = Shop::open().await;
    let nobody = shop.broadcast("wu", &["wm1"]).await;
    assert_eq!(
        (&nobody["errcode"], &nobody["fail_list"]),
        (&json!(41048), &json!([]))
    );
    let msgid = shop.broadcast("li", &["wm1"]).await["msgid"].clone();
    shop.clock.advance(1_000);
    let body = json!({"msgid": msgid});
    for expected in [0, 0, 0, 41094] {
        assert_eq!(
            shop.code_of("externalcontact/remind_groupmsg_send", body.clone())
                .await,
            expected
        );
    }
    assert_eq!(
        shop.code_of("externalcontact/cancel_groupmsg_send", body.clone())
            .await,
        0
    );
    assert_eq!(
        shop.code_of("externalcontact/cancel_groupmsg_send", body).await,
        41093
    );
    assert!(shop.sandbox.waiting_broadcasts(CORPID).is_empty());
    let now = shop.clock.now().seconds();
    let span = json!({"chat_type": "single", "start_time": now - 60, "end_time": now});
    let list = shop.post("externalcontact/get_groupmsg_list_v2", span).await;
    assert_eq!(list["group_msg_list"][0]["msgid"], msgid);
    assert!(list["group_msg_list"][0]["create_time"].is_string());
}

#[tokio::test]
async fn a_moment_is_made_by_a_job_published_by_hand_and_liked() {
    let shop = Shop::open().await;
    let body = json!({"text": {"content": "夏季上新"},
        "visible_range": {"sender_list": {"user_list": ["LI", "ghost"]}}});
    let jobid = shop.post("externalcontact/add_moment_task", body).await["jobid"]
        .as_str()
        .unwrap()
        .to_owned();
    let job = format!("externalcontact/get_moment_task_result?jobid={jobid}");
    assert_eq!(shop.get(&job).await["status"], 1);
    shop.clock.advance(1_000);
    let done = shop.get(&job).await;
    let moment_id = done["result"]["moment_id"].as_str().unwrap().to_owned();
    assert_eq!(
        done["result"]["invalid_sender_list"]["user_list"],
        json!(["ghost"])
    );
    let part = json!({"moment_id": moment_id, "userid": "li"});
    assert_eq!(
        shop.code_of("externalcontact/get_moment_comments", part.clone())
            .await,
        41061
    );
    shop.sandbox.customer_deletes(CORPID, "wm2", "li").unwrap();
    let visible = shop
        .sandbox
        .member_publishes_moment(CORPID, &moment_id, "li")
        .unwrap();
    assert_eq!(visible, ["wm1", "wm3"]);
    shop.sandbox
        .customer_likes(CORPID, &moment_id, "li", "wm1")
        .unwrap();
    shop.sandbox
        .customer_comments(CORPID, &moment_id, "li", "wm3")
        .unwrap();
    assert!(
        shop.sandbox
            .customer_likes(CORPID, &moment_id, "li", "wm2")
            .is_err()
    );
    let seen = shop.post("externalcontact/get_moment_comments", part).await;
    assert_eq!(seen["like_list"][0]["external_userid"], "wm1");
    assert_eq!(seen["comment_list"][0]["external_userid"], "wm3");
    let tasks = shop
        .post("externalcontact/get_moment_task", json!({"moment_id": moment_id}))
        .await;
    assert_eq!(tasks["task_list"], json!([{"userid": "Li", "publish_status": 1}]));
}

#[tokio::test]
async fn a_second_start_goes_on_with_the_same_world() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sandbox.jsonl");
    let shop = Shop::at(Some(path.clone())).await;
    shop.sandbox
        .set_callback(CORPID, "http://127.0.0.1:9/", TOKEN, KEY);
    shop.sandbox.member_deletes(CORPID, "li", "wm1").unwrap();
    shop.sandbox.scan(CORPID, "wm4", "wu", "s1").unwrap();
    let msgid = shop.broadcast("li", &["wm2"]).await["msgid"]
        .as_str()
        .unwrap()
        .to_owned();
    shop.sandbox.flush().await;
    shop.sandbox
        .member_confirms_broadcast(CORPID, &msgid, "li")
        .unwrap();
    shop.sandbox.flush().await;
    // Half a line, as a killed process leaves it.
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    std::io::Write::write_all(&mut file, b"{\"corp\":\"ww1a").unwrap();

    let again = Shop::at(Some(path)).await;
    assert!(!again.sandbox.is_fresh());
    again.clock.advance(1_000);
    assert_eq!(
        again.get("externalcontact/list?userid=li").await["external_userid"],
        json!(["wm2", "wm3"])
    );
    assert_eq!(
        again.get("externalcontact/get?external_userid=wm4").await["follow_user"][0]["state"],
        "s1"
    );
    assert_eq!(
        again.results(&msgid, "li").await,
        HashMap::from([("wm2".to_owned(), 1)])
    );
    assert_eq!(
        again.get("externalcontact/get?external_userid=wm1").await["errcode"],
        84061
    );
}

#[tokio::test]
async fn the_control_api_plays_people() {
    let shop = Shop::open().await;
    let act = |act: &str, body: Value| {
        let request = Request::post(format!("/control/{CORPID}/{act}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        shop.send(request)
    };
    let new = json!({"external_userid": "wm9", "name": "新客", "unionid": "union9"});
    assert_eq!(act("add_customer", new).await.status(), 200);
    assert_eq!(
        act("scan", json!({"customer": "wm9", "member": "wu", "state": "s1"}))
            .await
            .status(),
        200
    );
    let refused = act("scan", json!({"customer": "nobody", "member": "wu"})).await;
    assert_eq!(refused.status(), 422);
    assert!(text_of(refused).await.contains("no customer `nobody`"));
    assert_eq!(
        shop.get("externalcontact/list?userid=wu").await["external_userid"],
        json!(["wm3", "wm9"])
    );
    let phone = Request::get(format!("/phone/{CORPID}/wm9"))
        .body(Body::empty())
        .unwrap();
    assert!(text_of(shop.send(phone).await).await.contains("新客"));
}
