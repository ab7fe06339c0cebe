//! What the platform drops or refuses for being too much, and what it keeps only for a while.

use super::client::{client, code, li, wu};
use super::*;
use crate::wecom::handover::Leaver;
use crate::wecom::media::MediaKind;

fn turn(shop: &Shop, change: impl FnOnce(&mut Knobs)) {
    let mut knobs = shop.sandbox.knobs();
    change(&mut knobs);
    shop.sandbox.set_knobs(knobs);
}

#[tokio::test]
async fn messages_over_the_limit_are_accepted_and_never_shown() {
    let shop = Shop::open().await;
    turn(&shop, |knobs| knobs.messages_per_minute = 2);
    let send = |text: &str| {
        let card =
            json!({"touser": "li|ghost", "msgtype": "text", "agentid": 1_000_002, "text": {"content": text}});
        shop.post("message/send", card)
    };
    let shown = || {
        let looked = shop.sandbox.look_at(CORPID, |corp, _| {
            let notices = corp.notices.get("li").into_iter().flatten();
            let texts = notices.map(|notice| notice.body["text"]["content"].as_str().unwrap().to_owned());
            Ok(texts.collect::<Vec<_>>())
        });
        looked.unwrap()
    };
    for text in ["一", "二", "三"] {
        let answer = send(text).await;
        assert_eq!(
            (&answer["errcode"], &answer["invaliduser"]),
            (&json!(0), &json!("ghost"))
        );
        assert!(answer["msgid"].is_string());
    }
    assert_eq!(shown(), ["一", "二"]);
    shop.clock.advance(60_000);
    send("四").await;
    assert_eq!(shown(), ["一", "二", "四"]);
    turn(&shop, |knobs| knobs.messages_per_hour = 3);
    shop.clock.advance(60_000);
    send("五").await;
    assert_eq!(shown().len(), 3);
}

#[tokio::test]
async fn a_file_is_read_back_for_three_days() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let picture = b"\x89PNG\r\n\x1a\n0123456789";
    let id = client
        .upload_media(MediaKind::Image, "海报.png", picture)
        .await
        .unwrap();
    assert_eq!(client.download_media(&id).await.unwrap(), picture);
    let path = format!("/cgi-bin/media/get?media_id={id}&access_token={}", shop.token);
    let answer = shop.send(Request::get(path).body(Body::empty()).unwrap()).await;
    assert!(answer.headers().contains_key(header::CONTENT_DISPOSITION));
    assert_eq!(code(client.download_media("nobody's").await), 40007);
    shop.clock.advance(3 * DAY_MS + 1);
    assert_eq!(code(client.download_media(&id).await), 40007);
}

#[tokio::test]
async fn jobs_that_make_moments_and_moments_a_customer_is_shown_are_counted() {
    let shop = Shop::open().await;
    turn(&shop, |knobs| {
        knobs.moment_jobs = 1;
        knobs.moments_shown_a_day = 1;
    });
    let make = async || {
        let body =
            json!({"text": {"content": "上新"}, "visible_range": {"sender_list": {"user_list": ["li"]}}});
        shop.post("externalcontact/add_moment_task", body).await
    };
    assert_eq!(make().await["errcode"], 0);
    assert_eq!(make().await["errcode"], 41078);
    shop.clock.advance(1_000);
    assert_eq!(make().await["errcode"], 0);
    shop.clock.advance(1_000);
    let waiting = shop.sandbox.waiting_moments(CORPID);
    let mut shown: Vec<usize> = waiting
        .iter()
        .map(|(id, member)| {
            let visible = shop.sandbox.member_publishes_moment(CORPID, id, member);
            visible.unwrap().len()
        })
        .collect();
    shown.sort_unstable();
    assert_eq!(shown, [0, 3]);
}

#[tokio::test]
async fn a_member_may_leave_customers_out_where_that_was_allowed() {
    let shop = Shop::open().await;
    let make = async |allow_select: bool| {
        let body = json!({"sender": "li", "external_userid": ["wm1", "wm2"], "allow_select": allow_select,
            "text": {"content": "会员日"}});
        let answer = shop.post("externalcontact/add_msg_template", body).await;
        answer["msgid"].as_str().unwrap().to_owned()
    };
    let (open, fixed) = (make(true).await, make(false).await);
    shop.clock.advance(1_000);
    let without = |msgid: &str| {
        shop.sandbox
            .member_confirms_without(CORPID, msgid, "li", &["wm2"])
    };
    assert!(without(&fixed).is_err());
    assert_eq!(without(&open).unwrap().reached, ["wm1"]);
    assert_eq!(
        shop.results(&open, "li").await,
        HashMap::from([("wm1".to_owned(), 1), ("wm2".to_owned(), 0)])
    );
}

#[tokio::test]
async fn a_member_who_is_banned_or_long_away_takes_nobody_over() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    for (expected, is_banned, is_long_away) in [(40143, true, false), (40205, false, true)] {
        let member = Member {
            userid: "wu".into(),
            name: "wu".into(),
            department: vec![21],
            is_banned,
            is_long_away,
            ..Member::default()
        };
        shop.sandbox.hire(CORPID, member).unwrap();
        let started = client
            .transfer_customers(Leaver::OnJob, &li(), &wu(), &["wm1".into()], None)
            .await
            .unwrap();
        assert_eq!(started[0].refused, Some(expected));
    }
}

#[tokio::test]
async fn a_member_who_is_renamed_keeps_everything_and_a_restart_knows_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = Some(folder.path().join("world.jsonl"));
    let shop = Shop::at(data.clone()).await;
    let app = App::listen(&shop, 0).await;
    let chat = shop.sandbox.create_group(CORPID, "li", "一店", &["wm1"]).unwrap();
    let msgid = shop.broadcast("li", &["wm1"]).await["msgid"]
        .as_str()
        .unwrap()
        .to_owned();
    shop.sandbox.flush().await;
    shop.sandbox.rename_member(CORPID, "Li", "Li_Na").unwrap();
    assert!(
        shop.sandbox.rename_member(CORPID, "wu", "LI_NA").is_err(),
        "taken"
    );
    shop.sandbox.callbacks_settled().await;
    assert_eq!(field(app.heard().last().unwrap(), "NewUserID"), Some("Li_Na"));
    shop.sandbox.flush().await;
    let again = Shop::at(data).await;
    again.clock.advance(1_000);
    for shop in [&shop, &again] {
        let listed = shop.get("externalcontact/list?userid=li_na").await;
        assert_eq!(listed["external_userid"], json!(["wm1", "wm2", "wm3"]));
        assert_eq!(shop.get("externalcontact/list?userid=li").await["errcode"], 40003);
        let follow = shop.get("externalcontact/get?external_userid=wm1").await["follow_user"][0].clone();
        assert_eq!(follow["userid"], "Li_Na");
        let group = shop
            .post("externalcontact/groupchat/get", json!({"chat_id": chat}))
            .await;
        assert_eq!(group["group_chat"]["owner"], "Li_Na");
        assert_eq!(group["group_chat"]["member_list"][0]["userid"], "Li_Na");
        let waiting = shop.sandbox.waiting_broadcasts(CORPID);
        assert_eq!(waiting, [(msgid.clone(), "li_na".to_owned())]);
    }
}
