//! Several apps of one corp: what each may call and see, from where, and what each hears.

use super::*;

const OTHER: i64 = 1_000_003;

/// A token of a second app of the shop's corp.
async fn other(shop: &Shop, change: AppChange) -> String {
    let change = AppChange {
        secret: Some("other-secret".into()),
        ..change
    };
    shop.sandbox.set_app(CORPID, OTHER, change).unwrap();
    let path = format!("/cgi-bin/gettoken?corpid={CORPID}&corpsecret=other-secret");
    let given = json_of(shop.send(Request::get(path).body(Body::empty()).unwrap()).await).await;
    given["access_token"].as_str().unwrap().to_owned()
}

fn set(shop: &Shop, change: AppChange) {
    shop.sandbox.set_app(CORPID, OTHER, change).unwrap();
}

#[tokio::test]
async fn a_call_meets_its_checks_in_the_platforms_order() {
    let mut shop = Shop::open().await;
    let first = shop.token.clone();
    shop.token = other(&shop, AppChange::default()).await;
    assert_ne!(shop.token, first);
    shop.sandbox.set_knobs(Knobs {
        calls_per_minute: 1,
        ..Knobs::default()
    });
    // Everything is wrong at once; each step puts one thing right.
    set(
        &shop,
        AppChange {
            trusted_ips: Some(vec!["203.0.113.9".parse().unwrap()]),
            is_disabled: Some(true),
            apis: Some(vec!["user/*".into()]),
            members: Some(vec!["wu".into()]),
            ..AppChange::default()
        },
    );
    let list = "externalcontact/batch/get_by_user";
    let ask = |body: Value| shop.post(list, body);
    let distrusted = ask(json!([])).await;
    assert_eq!(distrusted["errcode"], 60020);
    assert!(
        distrusted["errmsg"]
            .as_str()
            .unwrap()
            .contains("from ip: 127.0.0.1")
    );
    let mut change = AppChange {
        trusted_ips: Some(vec!["127.0.0.1".parse().unwrap()]),
        ..AppChange::default()
    };
    set(&shop, change);
    assert_eq!(ask(json!([])).await["errcode"], 50003);
    change = AppChange {
        is_disabled: Some(false),
        ..AppChange::default()
    };
    set(&shop, change);
    assert_eq!(ask(json!([])).await["errcode"], 48002);
    change = AppChange {
        apis: Some(vec!["externalcontact/*".into()]),
        ..AppChange::default()
    };
    set(&shop, change);
    assert_eq!(ask(json!([])).await["errcode"], 47001);
    assert_eq!(ask(json!([])).await["errcode"], 45009);
    shop.sandbox.set_knobs(Knobs::default());
    shop.clock.advance(60_000);
    assert_eq!(ask(json!({})).await["errcode"], 40058);
    for (member, code) in [("nobody", 40003), ("LI", 60011), ("wu", 0)] {
        let body = json!({"userid_list": [member]});
        assert_eq!(ask(body).await["errcode"], code, "{member}");
    }
}

#[tokio::test]
async fn an_app_reads_only_what_is_in_its_visible_range() {
    let mut shop = Shop::open().await;
    let hired = Member {
        userid: "zhao".into(),
        department: vec![1],
        ..Member::default()
    };
    shop.sandbox.hire(CORPID, hired).unwrap();
    shop.sandbox.scan(CORPID, "wm3", "zhao", "").unwrap();
    let change = AppChange {
        departments: Some(vec![21]),
        ..AppChange::default()
    };
    shop.token = other(&shop, change).await;
    assert_eq!(
        shop.get("externalcontact/get_follow_user_list").await["follow_user"],
        json!(["Li", "wu"])
    );
    let followers = shop.get("externalcontact/get?external_userid=wm3").await["follow_user"].clone();
    assert_eq!(followers.as_array().unwrap().len(), 2);
    assert_eq!(shop.get("user/get?userid=zhao").await["errcode"], 60011);
    assert_eq!(shop.get("user/list?department_id=1").await["errcode"], 60011);
    assert_eq!(
        shop.get("department/list").await["department"][0]["id"],
        json!(21)
    );
    assert_eq!(
        shop.get("department/list?id=1").await["department"][0]["id"],
        json!(21)
    );
    let change = AppChange {
        departments: Some(vec![]),
        members: Some(vec!["ZHAO".into()]),
        ..AppChange::default()
    };
    set(&shop, change);
    // Members alone make no department visible.
    assert_eq!(shop.get("department/list").await["department"], json!([]));
    assert_eq!(shop.get("department/list?id=21").await["errcode"], 60011);
    assert_eq!(
        shop.get("externalcontact/list?userid=zhao").await["external_userid"],
        json!(["wm3"])
    );
    assert_eq!(
        shop.get("externalcontact/get?external_userid=wm1").await["errcode"],
        84061
    );
    let card = json!({"touser": "zhao|li", "msgtype": "text", "agentid": OTHER, "text": {"content": "hi"}});
    assert_eq!(shop.post("message/send", card).await["invaliduser"], "li");
}

#[tokio::test]
async fn an_app_edits_only_tags_it_made_and_a_new_secret_ends_only_its_own_tokens() {
    let mut shop = Shop::open().await;
    let first = shop.token.clone();
    let made = shop
        .post(
            "externalcontact/add_corp_tag",
            json!({"group_name": "门店", "tag": [{"name": "一店"}]}),
        )
        .await;
    let edit = json!({"id": made["tag_group"]["tag"][0]["id"], "name": "旗舰店"});
    shop.token = other(&shop, AppChange::default()).await;
    assert_eq!(
        shop.code_of("externalcontact/edit_corp_tag", edit.clone()).await,
        40068
    );
    set(
        &shop,
        AppChange {
            secret: Some("newer".into()),
            ..AppChange::default()
        },
    );
    assert_eq!(
        shop.code_of("externalcontact/edit_corp_tag", edit.clone()).await,
        40014
    );
    shop.token = first;
    assert_eq!(shop.code_of("externalcontact/edit_corp_tag", edit).await, 0);
}

#[tokio::test]
async fn each_app_hears_of_the_members_it_sees_and_the_first_to_welcome_wins() {
    let mut shop = Shop::open().await;
    let app = App::listen(&shop, 0).await;
    let callback = shop.sandbox.apps(CORPID).unwrap()[0].callback.clone();
    let change = AppChange {
        members: Some(vec!["li".into()]),
        callback,
        ..AppChange::default()
    };
    let second = other(&shop, change).await;
    shop.sandbox.scan(CORPID, "wm4", "wu", "").unwrap();
    shop.sandbox.scan(CORPID, "wm4", "li", "").unwrap();
    shop.sandbox.callbacks_settled().await;
    let agents: Vec<i64> = shop.sandbox.callbacks().iter().map(|it| it.agent_id).collect();
    assert_eq!(agents, [1_000_002, 1_000_002, OTHER]);
    let heard = app.heard();
    let code = field(&heard[2], "WelcomeCode").unwrap();
    assert_eq!(field(&heard[1], "WelcomeCode"), Some(code));
    let welcome = json!({"welcome_code": code, "text": {"content": "您好"}});
    let send = "externalcontact/send_welcome_msg";
    assert_eq!(shop.code_of(send, welcome.clone()).await, 0);
    shop.token = second;
    assert_eq!(shop.code_of(send, welcome.clone()).await, 41096);
    assert_eq!(shop.code_of(send, welcome).await, 41051);
}

#[tokio::test]
async fn the_control_api_makes_apps_and_secrets() {
    let shop = Shop::open().await;
    let send = |method: &str, path: &str, body: Value| {
        let request = Request::builder()
            .method(method)
            .uri(format!("/control/{CORPID}/{path}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        shop.send(request)
    };
    let refused = send("PUT", "apps/7", json!({"name": "no secret"})).await;
    assert_eq!(refused.status(), 422);
    let made = send(
        "PUT",
        "apps/7",
        json!({"secret": "s", "trusted_ips": ["10.0.0.1"]}),
    )
    .await;
    assert_eq!(made.status(), 200);
    let apps = json_of(send("GET", "apps", Value::Null).await).await;
    assert_eq!(apps[1]["trusted_ips"], json!(["10.0.0.1"]));
    for has_spare_bits in [true, false] {
        let made = json_of(send("POST", "secrets", json!({"has_spare_bits": has_spare_bits})).await).await;
        let key = made["aes_key"].as_str().unwrap();
        assert!(CallbackCrypto::new(made["token"].as_str().unwrap(), key, CORPID).is_ok());
        use base64::Engine as _;
        let strict = base64::engine::general_purpose::STANDARD_NO_PAD.decode(key);
        assert_eq!(strict.is_err(), has_spare_bits, "{key}");
    }
}
