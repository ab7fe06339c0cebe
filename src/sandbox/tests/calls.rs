//! Calls as the client makes them: tokens, shapes, checks, faults.

use super::*;

#[tokio::test]
async fn a_token_is_the_same_until_it_ends() {
    let shop = Shop::open().await;
    shop.clock.advance(HOUR_MS);
    let again = shop.fetch_token().await;
    assert_eq!(again["access_token"], json!(shop.token));
    assert_eq!(again["expires_in"], 3_600);
    shop.clock.advance(HOUR_MS);
    assert_eq!(shop.get("department/list").await["errcode"], 42001);
    assert_ne!(shop.fetch_token().await["access_token"], json!(shop.token));
    shop.sandbox.reset_secret(CORPID, "new").unwrap();
    assert_eq!(shop.get("department/list").await["errcode"], 40014);
    assert_eq!(shop.fetch_token().await["errcode"], 40001);
}

#[tokio::test]
async fn a_call_without_its_due_is_refused_in_the_platforms_order_and_words() {
    let shop = Shop::open().await;
    let shop = &shop;
    let answer = |path: &'static str| async move {
        json_of(shop.send(Request::get(path).body(Body::empty()).unwrap()).await).await
    };
    assert_eq!(
        answer("/cgi-bin/gettoken?corpid=wwX&corpsecret=y").await["errcode"],
        40013
    );
    assert_eq!(answer("/cgi-bin/department/list").await["errcode"], 41001);
    let wrong = answer("/cgi-bin/department/list?access_token=x").await;
    assert_eq!(wrong["errcode"], 40014);
    assert_eq!(wrong["department"], json!([]));
    let words = wrong["errmsg"].as_str().unwrap();
    assert!(words.starts_with("invalid access_token, hint: ["), "{words}");
    assert!(
        words.ends_with("more info at https://open.work.weixin.qq.com/devtool/query?e=40014"),
        "{words}"
    );
    let unknown = shop
        .send(Request::get("/cgi-bin/nothing").body(Body::empty()).unwrap())
        .await;
    assert_eq!(unknown.status(), 404);
}

#[tokio::test]
async fn the_directory_is_read_whatever_the_letter_case() {
    let shop = Shop::open().await;
    assert_eq!(
        shop.get("department/list").await["department"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let members = shop.get("user/list?department_id=21").await;
    assert_eq!(members["userlist"][0]["userid"], "Li");
    assert_eq!(shop.get("user/get?userid=LI").await["main_department"], 21);
    assert_eq!(shop.get("user/get?userid=nobody").await["errcode"], 60111);
    assert_eq!(
        shop.get("externalcontact/get_follow_user_list").await["follow_user"],
        json!(["Li", "wu"])
    );
    let card = json!({"touser": "LI|ghost", "msgtype": "textcard", "agentid": 1_000_002, "textcard": {}});
    assert_eq!(shop.post("message/send", card).await["invaliduser"], "ghost");
}

#[tokio::test]
async fn customers_are_read_one_by_one_and_page_by_page() {
    let shop = Shop::open().await;
    let one = shop.get("externalcontact/get?external_userid=wm3").await;
    assert_eq!(one["external_contact"]["unionid"], "union3");
    assert_eq!(one["follow_user"].as_array().unwrap().len(), 2);
    let nobodys = shop.get("externalcontact/get?external_userid=wm5").await;
    assert_eq!(
        (&nobodys["errcode"], &nobodys["follow_user"]),
        (&json!(84061), &json!([]))
    );
    let mut knobs = shop.sandbox.knobs();
    knobs.short_pages = true;
    shop.sandbox.set_knobs(knobs);
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let body = json!({"userid_list": ["wu", "LI"], "limit": 2, "cursor": cursor});
        let page = shop.post("externalcontact/batch/get_by_user", body).await;
        for item in page["external_contact_list"].as_array().unwrap() {
            let follow = &item["follow_info"];
            found.push(format!(
                "{} {}",
                follow["userid"].as_str().unwrap(),
                item["external_contact"]["external_userid"].as_str().unwrap()
            ));
        }
        cursor = page["next_cursor"].as_str().unwrap().to_owned();
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(found, ["wu wm3", "Li wm1", "Li wm2", "Li wm3"]);
    let body = json!({"userid_list": ["wu"], "cursor": "nonsense"});
    assert_eq!(
        shop.code_of("externalcontact/batch/get_by_user", body).await,
        50100
    );
}

#[tokio::test]
async fn tags_are_made_once_found_by_name_and_gone_with_their_group() {
    let shop = Shop::open().await;
    let new = json!({"group_name": "门店", "tag": [{"name": "一店"}, {"name": "一店"}, {"name": "二店"}]});
    let made = shop.post("externalcontact/add_corp_tag", new.clone()).await["tag_group"].clone();
    assert_eq!(made["tag"].as_array().unwrap().len(), 2);
    assert_eq!(shop.code_of("externalcontact/add_corp_tag", new).await, 40071);
    let more = json!({"group_name": "门店", "tag": [{"name": "三店"}]});
    let same = shop.post("externalcontact/add_corp_tag", more).await["tag_group"].clone();
    assert_eq!(
        (&same["group_id"], same["tag"].as_array().unwrap().len()),
        (&made["group_id"], 1)
    );
    let rename = json!({"id": made["tag"][0]["id"], "name": "二店"});
    assert_eq!(shop.code_of("externalcontact/edit_corp_tag", rename).await, 40071);
    let gone = json!({"group_id": [made["group_id"]]});
    assert_eq!(
        shop.code_of("externalcontact/del_corp_tag", gone.clone()).await,
        0
    );
    assert_eq!(shop.code_of("externalcontact/del_corp_tag", gone).await, 40068);
    let left = shop.post("externalcontact/get_corp_tag_list", json!({})).await;
    assert_eq!(left["tag_group"].as_array().unwrap().len(), 1);
    let mark = json!({"userid": "wu", "external_userid": "wm1", "add_tag": ["etGold"]});
    assert_eq!(shop.code_of("externalcontact/mark_tag", mark).await, 84084);
}

#[tokio::test]
async fn messages_are_checked_before_anything_is_made() {
    let shop = Shop::open().await;
    let attachment = |kind: &str, part: Value| json!({"msgtype": kind, kind: part});
    let link = attachment(
        "link",
        json!({"title": "会员日", "url": "https://shop.example.com"}),
    );
    let cases = [
        (json!({}), 41088),
        (json!({"text": {"content": "字".repeat(1_334)}}), 45002),
        (json!({"attachments": vec![link.clone(); 10]}), 41064),
        (json!({"attachments": [attachment("dance", json!({}))]}), 41065),
        (
            json!({"attachments": [attachment("image", json!({"media_id": "gone"}))]}),
            40007,
        ),
        (
            json!({"attachments": [attachment("link", json!({"title": "没有地址"}))]}),
            40058,
        ),
        (json!({"attachments": [link]}), 0),
    ];
    for (message, code) in cases {
        let mut body = json!({"sender": "li", "external_userid": ["wm1"]});
        body.as_object_mut()
            .unwrap()
            .extend(message.as_object().unwrap().clone());
        assert_eq!(
            shop.code_of("externalcontact/add_msg_template", body).await,
            code,
            "{message}"
        );
    }
}

#[tokio::test]
async fn media_for_moments_and_for_messages_do_not_stand_for_each_other() {
    let shop = Shop::open().await;
    let upload = |path: String| {
        let body = "--x\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a.png\"\r\n\
                    Content-Type: image/png\r\n\r\n0123456789\r\n--x--\r\n";
        let request = Request::post(format!("/cgi-bin/{path}&access_token={}", shop.token))
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=x")
            .body(Body::from(body))
            .unwrap();
        shop.send(request)
    };
    let plain = json_of(upload("media/upload?type=image".into()).await).await["media_id"].clone();
    let moment =
        json_of(upload("media/upload_attachment?media_type=image&attachment_type=1".into()).await).await;
    assert!(moment["created_at"].is_number());
    let image = |media: &Value| json!([{"msgtype": "image", "image": {"media_id": media}}]);
    let broadcast = |media: &Value| json!({"sender": "li", "attachments": image(media)});
    assert_eq!(
        shop.code_of("externalcontact/add_msg_template", broadcast(&plain))
            .await,
        0
    );
    assert_eq!(
        shop.code_of("externalcontact/add_msg_template", broadcast(&moment["media_id"]))
            .await,
        40007
    );
    let post = |media: &Value| json!({"attachments": image(media)});
    assert_eq!(
        shop.code_of("externalcontact/add_moment_task", post(&plain))
            .await,
        40007
    );
    assert_eq!(
        shop.code_of("externalcontact/add_moment_task", post(&moment["media_id"]))
            .await,
        0
    );
}

#[tokio::test]
async fn a_member_signs_in_by_the_page_with_a_code_that_works_once() {
    let shop = Shop::open().await;
    let page = format!(
        "/connect/oauth2/authorize?appid={CORPID}&redirect_uri=http%3A%2F%2F127.0.0.1%2Fauth&response_type=code&state=abc"
    );
    let html = text_of(shop.send(Request::get(page).body(Body::empty()).unwrap()).await).await;
    assert!(html.contains("value=\"Li\""), "{html}");
    let form =
        format!("appid={CORPID}&redirect_uri=http%3A%2F%2F127.0.0.1%2Fauth&state=abc&scope=&person=Li");
    let request = Request::post("/login/choice")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form))
        .unwrap();
    let response = shop.send(request).await;
    assert_eq!(response.status(), 302);
    let to = response.headers()[header::LOCATION].to_str().unwrap().to_owned();
    let code = to
        .strip_prefix("http://127.0.0.1/auth?code=")
        .unwrap()
        .strip_suffix("&state=abc")
        .unwrap();
    let path = format!("auth/getuserinfo?code={code}");
    assert_eq!(shop.get(&path).await["userid"], "Li");
    assert_eq!(shop.get(&path).await["errcode"], 40029);
    let late = shop.sandbox.login_code(CORPID, "li").unwrap();
    shop.clock.advance(300_001);
    assert_eq!(
        shop.get(&format!("user/getuserinfo?code={late}")).await["errcode"],
        40029
    );
}

#[tokio::test]
async fn faults_come_when_they_are_asked_for() {
    let shop = Shop::open().await;
    let plan = |fault| {
        shop.sandbox.plan(Plan {
            api: "externalcontact/add_msg_template".into(),
            fault,
            times: 1,
        });
    };
    let call = || {
        shop.post_raw(
            "externalcontact/add_msg_template",
            json!({"sender": "li", "text": {"content": "hi"}}),
        )
    };
    plan(Fault::Errcode(45009));
    assert_eq!(json_of(call().await).await["errcode"], 45009);
    plan(Fault::Status(502));
    assert_eq!(call().await.status(), 502);
    plan(Fault::Html);
    assert!(text_of(call().await).await.starts_with("<html>"));
    assert!(shop.sandbox.waiting_broadcasts(CORPID).is_empty());
    plan(Fault::EffectThenStatus(500));
    assert_eq!(call().await.status(), 500);
    plan(Fault::EffectThenDrop);
    assert!(to_bytes(call().await.into_body(), 1_000).await.is_err());
    plan(Fault::Truncated);
    assert!(serde_json::from_str::<Value>(&text_of(call().await).await).is_err());
    assert_eq!(shop.sandbox.waiting_broadcasts(CORPID).len(), 3);
    let effects = shop
        .sandbox
        .ledger()
        .iter()
        .filter(|entry| entry.api.ends_with("template") && entry.had_effect)
        .count();
    assert_eq!(effects, 3);
}
