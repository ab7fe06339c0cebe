//! The client against a small platform on loopback that counts what it is asked and answers as it is told.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::io::AsyncReadExt as _;

use super::*;
use crate::ids::{ExternalUserId, UserId};
use crate::time::Timestamp;
use crate::wecom::broadcast::ResultStatus;
use crate::wecom::login::Identity;
use crate::wecom::message::Message;

mod hostile;
mod quiet;
mod storm;

#[derive(Clone, Default)]
struct Fake(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// The number of the token that works; earlier ones do not.
    token: AtomicI64,
    /// Answers told in advance, by path; then `{}` with errcode 0.
    told: Mutex<HashMap<String, VecDeque<String>>>,
    asked: Mutex<Vec<(String, String)>>,
}

impl Fake {
    async fn start(&self) -> Platform {
        serve(Router::new().fallback(answer).with_state(self.clone())).await
    }

    fn tell(&self, path: &str, answers: &[&str]) {
        let mut told = self.0.told.lock().unwrap();
        let answers = answers.iter().map(|answer| (*answer).to_owned());
        told.entry(path.to_owned()).or_default().extend(answers);
    }

    fn asked(&self, path: &str) -> Vec<String> {
        let asked = self.0.asked.lock().unwrap();
        let of_path = asked.iter().filter(|(asked, _)| asked == path);
        of_path.map(|(_, body)| body.clone()).collect()
    }

    fn kill_token(&self) {
        self.0.token.fetch_add(1, Ordering::SeqCst);
    }
}

async fn serve(router: Router) -> Platform {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    Platform::new(&format!("http://{address}"), Cache::memory())
}

async fn answer(
    State(fake): State<Fake>,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
    body: axum::body::Bytes,
) -> Response {
    let body = String::from_utf8_lossy(&body).into_owned();
    let path = uri.path().trim_start_matches("/cgi-bin/").to_owned();
    let asked = if body.is_empty() {
        uri.query().unwrap_or_default().to_owned()
    } else {
        body
    };
    fake.0.asked.lock().unwrap().push((path.clone(), asked));
    if path == "gettoken" && query["corpsecret"] != "right" {
        return r#"{"errcode":40001,"errmsg":"invalid credential wrong, hint: [1], from ip: 127.0.0.1"}"#
            .into_response();
    }
    let now = fake.0.token.load(Ordering::SeqCst);
    if path != "gettoken" && query.get("access_token") != Some(&format!("tok{now}")) {
        return r#"{"errcode":40014,"errmsg":"invalid access_token"}"#.into_response();
    }
    let told = fake
        .0
        .told
        .lock()
        .unwrap()
        .get_mut(&path)
        .and_then(VecDeque::pop_front);
    match told {
        Some(answer) if answer == "502" => (StatusCode::BAD_GATEWAY, "<html>").into_response(),
        Some(answer) => answer.into_response(),
        None if path == "gettoken" => {
            format!(r#"{{"errcode":0,"errmsg":"ok","access_token":"tok{now}","expires_in":7200}}"#)
                .into_response()
        }
        None => r#"{"errcode":0,"errmsg":"ok"}"#.into_response(),
    }
}

fn credentials(secret: &str) -> Credentials {
    Credentials {
        corp: CorpId(7),
        corpid: "ww1a2b3c4d5e6f7a8b".into(),
        agent_id: 1000002,
        secret: secret.into(),
    }
}

async fn fake() -> (Fake, Client) {
    let fake = Fake::default();
    let client = fake.start().await.client(credentials("right"));
    (fake, client)
}

fn fault<T: std::fmt::Debug>(outcome: Result<T>) -> PlatformFault {
    match outcome {
        Err(Error::Platform(fault)) => fault,
        other => panic!("not a platform fault: {other:?}"),
    }
}

#[tokio::test]
async fn a_token_killed_under_fifty_calls_is_fetched_once_more() {
    let (fake, client) = fake().await;
    client.departments().await.unwrap();
    assert_eq!(fake.asked("gettoken").len(), 1);
    fake.kill_token();
    let calls = (0..50).map(|_| client.departments());
    for outcome in futures_util::future::join_all(calls).await {
        outcome.unwrap();
    }
    assert_eq!(fake.asked("gettoken").len(), 2);
}

#[tokio::test]
async fn a_cold_start_under_fifty_calls_fetches_one_token() {
    let (fake, client) = fake().await;
    let calls = (0..50).map(|_| client.departments());
    for outcome in futures_util::future::join_all(calls).await {
        outcome.unwrap();
    }
    assert_eq!(fake.asked("gettoken").len(), 1);
}

#[tokio::test]
async fn a_wrong_secret_fails_once_and_a_new_one_works_at_once() {
    let fake = Fake::default();
    let platform = fake.start().await;
    let wrong = platform.client(credentials("wrong"));
    for _ in 0..20 {
        let fault = fault(wrong.departments().await);
        assert_eq!((fault.code, fault.advice), (Some(40001), Advice::TellAdmin));
        assert!(!fault.message.contains("wrong"), "{}", fault.message);
    }
    assert_eq!(fake.asked("gettoken").len(), 1);
    platform.client(credentials("right")).departments().await.unwrap();
}

#[tokio::test]
async fn a_token_that_stays_refused_is_not_chased() {
    let (fake, client) = fake().await;
    fake.tell(
        "department/list",
        &[r#"{"errcode":42001,"errmsg":"access_token tok0 expired"}"#; 2],
    );
    let fault = fault(client.departments().await);
    assert_eq!(fault.code, Some(42001));
    assert!(matches!(fault.advice, Advice::Retry { .. }));
    assert!(!fault.message.contains("tok0"));
    assert_eq!(fake.asked("gettoken").len(), 2);
    assert_eq!(fake.asked("department/list").len(), 2);
}

#[tokio::test]
async fn the_cache_holds_no_token_in_the_clear() {
    let (_fake, client) = fake().await;
    client.departments().await.unwrap();
    let kept = client.cache().get("wecom:token:7:1000002").await.unwrap();
    assert!(!kept.contains("tok0") && kept.starts_with("k1."));
}

#[tokio::test]
async fn an_old_token_is_renewed_by_one_while_it_still_serves() {
    let (fake, client) = fake().await;
    let key = "wecom:token:7:1000002";
    let old = format!(r#"{{"token":"tok0","fresh_until":0,"ends":{}}}"#, i64::MAX);
    let sealed = client.sealer().seal(key, &old);
    client.cache().put(key, &sealed, Duration::from_secs(60)).await;
    let calls = (0..20).map(|_| client.departments());
    for outcome in futures_util::future::join_all(calls).await {
        outcome.unwrap();
    }
    while client.cache().get(key).await.as_deref() == Some(sealed.as_str()) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    client.departments().await.unwrap();
    assert_eq!(fake.asked("gettoken").len(), 1);
}

#[tokio::test]
async fn instances_on_one_cache_fetch_one_token() {
    let fake = Fake::default();
    let one = fake.start().await;
    let other = Platform::new(&one.base_url, one.cache.clone());
    let clients = [
        one.client(credentials("right")),
        other.client(credentials("right")),
    ];
    let calls = (0..40).map(|n| clients[n % 2].departments());
    for outcome in futures_util::future::join_all(calls).await {
        outcome.unwrap();
    }
    assert_eq!(fake.asked("gettoken").len(), 1);
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    let (fake, client) = fake().await;
    let endless = format!(r#"{{"errcode":0,"msgid":"{}"}}"#, "m".repeat(MAX_ANSWER));
    fake.tell("externalcontact/add_msg_template", &[&endless]);
    assert_eq!(fault(client.add_broadcast("{}").await).advice, Advice::Unknown);
}

#[tokio::test]
async fn the_rate_limit_is_remembered_for_its_minute() {
    let (fake, client) = fake().await;
    fake.tell(
        "department/list",
        &[r#"{"errcode":45009,"errmsg":"api freq out of limit"}"#],
    );
    for _ in 0..5 {
        let fault = fault(client.departments().await);
        assert_eq!(fault.code, Some(45009));
        assert!(
            matches!(
                fault.advice,
                Advice::Retry {
                    after_ms: 50_000..=60_000
                }
            ),
            "{fault:?}"
        );
    }
    assert_eq!(fake.asked("department/list").len(), 1);
    client.tags().await.unwrap();
}

#[tokio::test]
async fn reads_are_tried_three_times() {
    let (fake, client) = fake().await;
    fake.tell(
        "department/list",
        &["502", r#"{"errcode":-1,"errmsg":"system busy"}"#],
    );
    client.departments().await.unwrap();
    assert_eq!(fake.asked("department/list").len(), 3);
    fake.tell("user/get", &["<html>", "<html>", "{\"errcode\":0,\"errm", "{}"]);
    let fault = fault(client.member(&"li".into()).await);
    assert_eq!(fault.code, None);
    assert!(matches!(fault.advice, Advice::Retry { .. }));
    assert_eq!(fake.asked("user/get").len(), 3);
}

#[tokio::test]
async fn a_broadcast_is_never_repeated() {
    let (fake, client) = fake().await;
    let path = "externalcontact/add_msg_template";
    let doubtful = [
        "502",
        "<html>",
        r#"{"errcode":0,"errmsg":"ok","msgi"#,
        r#"{"errcode":0,"errmsg":"ok"}"#,
        r#"{"errcode":-1,"errmsg":"system busy"}"#,
        r#"{"errcode":987654,"errmsg":"never heard of"}"#,
    ];
    fake.tell(path, &doubtful);
    for answer in doubtful {
        assert_eq!(
            fault(client.add_broadcast("{}").await).advice,
            Advice::Unknown,
            "{answer}"
        );
    }
    assert_eq!(fake.asked(path).len(), doubtful.len());
    fake.tell(
        path,
        &[r#"{"errcode":41048,"errmsg":"no customer","fail_list":[]}"#],
    );
    let fault = fault(client.add_broadcast("{}").await);
    assert_eq!((fault.code, fault.advice), (Some(41048), Advice::Drop));
}

#[tokio::test]
async fn a_broadcast_goes_out_as_it_was_frozen_even_with_a_dead_token() {
    let (fake, client) = fake().await;
    client.departments().await.unwrap();
    fake.kill_token();
    let path = "externalcontact/add_msg_template";
    fake.tell(
        path,
        &[r#"{"errcode":0,"errmsg":"ok","fail_list":["wm2"],"msgid":"msg1"}"#],
    );
    let body = r#"{"sender":"li","chat_type":"single","text":{"content":"周末 会员日"}}"#;
    let handed = client.add_broadcast(body).await.unwrap();
    assert_eq!((handed.msgid.as_str(), handed.fail_list.len()), ("msg1", 1));
    assert_eq!(fake.asked(path), [body, body]);
}

#[tokio::test]
async fn a_reset_after_the_request_leaves_a_broadcast_unknown() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicI64::new(0));
    let seen = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            seen.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0u8; 4096]).await;
        }
    });
    let client = with_token(&format!("http://{address}")).await;
    assert_eq!(fault(client.add_broadcast("{}").await).advice, Advice::Unknown);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_refused_connection_is_certainly_not_sent() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = with_token(&format!("http://{address}")).await;
    let fault = fault(client.add_broadcast("{}").await);
    assert!(matches!(fault.advice, Advice::Retry { .. }), "{fault:?}");
    assert!(
        !fault.message.contains("http") && !fault.message.contains("tok"),
        "{}",
        fault.message
    );
}

/// A client whose token was fetched elsewhere.
async fn with_token(base_url: &str) -> Client {
    let (_fake, before) = fake().await;
    before.departments().await.unwrap();
    Platform::new(base_url, before.cache().clone()).client(credentials("right"))
}

#[tokio::test]
async fn five_tags_are_marked_at_once_and_no_more() {
    let api = Api::freely("externalcontact/mark_tag").at_once(5);
    let (_fake, client) = fake().await;
    let by = Instant::now() + DEADLINE;
    let mut turns = Vec::new();
    for _ in 0..5 {
        let turn = client.platform.turns.take(CorpId(7), api, Lane::Normal, by).await;
        turns.push(turn.ok().unwrap());
    }
    let (userid, external_userid) = ("li".into(), "wm1".into());
    let sixth = client.mark_tags(&userid, &external_userid, &["et1"], &[]);
    assert!(
        tokio::time::timeout(Duration::from_millis(100), sixth)
            .await
            .is_err()
    );
    turns.pop();
    client
        .mark_tags(&userid, &external_userid, &["et1"], &[])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_member_without_customers_has_an_empty_list() {
    let (fake, client) = fake().await;
    let refusal = r#"{"errcode":84061,"errmsg":"not external contact","external_userid":[]}"#;
    fake.tell("externalcontact/list", &[refusal]);
    fake.tell("externalcontact/get", &[refusal]);
    assert_eq!(client.contact_ids(&"li".into()).await.unwrap(), []);
    assert_eq!(fault(client.contact(&"wm1".into()).await).code, Some(84061));
}

#[tokio::test]
async fn followers_are_read_to_the_end() {
    let (fake, client) = fake().await;
    let page = |userid: &str, next: &str| {
        format!(
            r#"{{"errcode":0,"errmsg":"ok","external_contact":{{"external_userid":"wm1","name":"晴天","type":1,"unionid":"o1","new":1}},
                "follow_user":[{{"userid":"{userid}","createtime":"1719830401","add_way":99,"tags":[
                    {{"tag_id":"etB","type":1}},{{"tag_name":"老客","type":2}},{{"tag_id":"etA","type":3}}]}}],
                "next_cursor":"{next}"}}"#
        )
    };
    fake.tell("externalcontact/get", &[&page("li", "c1"), &page("wu", "")]);
    let detail = client.contact(&"wm1".into()).await.unwrap();
    assert_eq!(detail.contact.unionid.as_deref(), Some("o1"));
    let followers: Vec<&str> = detail
        .follow_users
        .iter()
        .map(|follow| follow.userid.as_str())
        .collect();
    assert_eq!(followers, ["li", "wu"]);
    assert_eq!(detail.follow_users[0].tag_ids, ["etA", "etB"]);
    assert_eq!(detail.follow_users[0].createtime, 1719830401);
    assert!(fake.asked("externalcontact/get")[1].contains("cursor=c1"));
}

#[tokio::test]
async fn a_circle_of_cursors_ends() {
    let (fake, client) = fake().await;
    let page = r#"{"external_contact":{"external_userid":"wm1"},"follow_user":[],"next_cursor":"again"}"#;
    fake.tell("externalcontact/get", &[page; 100]);
    assert_eq!(fault(client.contact(&"wm1".into()).await).advice, Advice::Bug);
}

#[tokio::test]
async fn customers_of_members_come_page_by_page() {
    let (fake, client) = fake().await;
    fake.tell(
        "externalcontact/batch/get_by_user",
        &[r#"{"errcode":0,"external_contact_list":[],"next_cursor":"c2"}"#,
          r#"{"errcode":0,"external_contact_list":[{"external_contact":{"external_userid":"wm1","type":1},
              "follow_info":{"userid":"li","tag_id":["etA"],"remark_mobiles":null,"state":"s1"}}],"next_cursor":""}"#],
    );
    let members = ["li".into(), UserId::from("wu")];
    let short = client.contacts_of(&members, None).await.unwrap();
    assert_eq!((short.items.len(), short.next.as_deref()), (0, Some("c2")));
    let last = client.contacts_of(&members, short.next.as_deref()).await.unwrap();
    assert_eq!(
        (last.items[0].follow.tag_ids.as_slice(), last.next),
        (["etA".to_owned()].as_slice(), None)
    );
    let asked = &fake.asked("externalcontact/batch/get_by_user")[1];
    assert_eq!(asked, r#"{"cursor":"c2","limit":100,"userid_list":["li","wu"]}"#);
}

#[tokio::test]
async fn broadcast_records_are_read_however_they_are_written() {
    let (fake, client) = fake().await;
    fake.tell(
        "externalcontact/get_groupmsg_list_v2",
        &[r#"{"errcode":0,"group_msg_list":[{"msgid":"m1","create_time":"1719830600","text":{"content":"您好"},
              "attachments":[{"msgtype":"later","later":{}},{"msgtype":"miniprogram","miniprogram":{"appid":"wx1","page":"p?t=1"}}]},
              {"msgid":"m2","create_time":1719830601}]}"#],
    );
    let listed = client.broadcasts(Timestamp(0), Timestamp(1), None).await.unwrap();
    assert_eq!(listed.items[0].create_time, Timestamp::from_seconds(1719830600));
    assert_eq!(listed.items[0].message.attachments.len(), 1);
    assert_eq!(
        (listed.items[1].message.clone(), listed.next),
        (Message::default(), None)
    );

    fake.tell(
        "externalcontact/get_groupmsg_task",
        &[r#"{"task_list":[{"userid":"a","status":0},{"userid":"b","status":1},{"userid":"c","status":2,"send_time":1719832000}]}"#],
    );
    let members = client.broadcast_members("m1", None).await.unwrap().items;
    assert_eq!(
        members.iter().map(|member| member.sent).collect::<Vec<_>>(),
        [false, true, true]
    );

    fake.tell(
        "externalcontact/get_groupmsg_send_result",
        &[r#"{"send_list":[{"external_userid":"wm1","status":1,"send_time":1719832000},{"external_userid":"wm2","status":2},
              {"external_userid":"wm3","status":3},{"external_userid":"wm4","status":9},{"chat_id":"wr1","status":1}]}"#],
    );
    let results = client
        .broadcast_results("m1", &"c".into(), None)
        .await
        .unwrap()
        .items;
    let statuses: Vec<ResultStatus> = results.iter().map(|result| result.status).collect();
    use ResultStatus::{NotFriend, QuotaUsed, Sent, Unknown};
    assert_eq!(statuses, [Sent, NotFriend, QuotaUsed, Unknown(9)]);
    assert_eq!(results[0].send_time, Some(Timestamp::from_seconds(1719832000)));

    fake.tell(
        "externalcontact/cancel_groupmsg_send",
        &[r#"{"errcode":41093,"errmsg":"cancelled"}"#],
    );
    client.cancel_broadcast("m1").await.unwrap();
}

#[tokio::test]
async fn notices_moments_and_sign_in_speak_the_platforms_words() {
    let (fake, client) = fake().await;
    fake.tell(
        "message/send",
        &[r#"{"errcode":0,"invaliduser":"guide_x|guide_y","msgid":"n1"}"#],
    );
    let sent = client
        .send_card(&["Li".into(), "wu".into()], "t", "d", "http://a")
        .await
        .unwrap();
    assert_eq!(sent.invalid, ["guide_x".into(), UserId::from("guide_y")]);
    assert!(fake.asked("message/send")[0].contains(r#""enable_duplicate_check":1"#));

    fake.tell(
        "externalcontact/add_moment_task",
        &[r#"{"errcode":0,"jobid":"j1"}"#],
    );
    assert_eq!(
        client
            .add_moment(&Message::default(), &["li".into()], &[])
            .await
            .unwrap(),
        "j1"
    );
    let range = r#"{"visible_range":{"sender_list":{"user_list":["li"]}}}"#;
    assert_eq!(fake.asked("externalcontact/add_moment_task"), [range]);

    fake.tell(
        "externalcontact/get_moment_task_result",
        &[r#"{"status":2}"#,
          r#"{"status":3,"result":{"errcode":0,"moment_id":"mom1","invalid_sender_list":{"user_list":["gone"]}}}"#,
          r#"{"status":3,"result":{"errcode":40007,"errmsg":"invalid media_id, hint: [1]"}}"#],
    );
    use crate::wecom::moment::MomentJob;
    assert_eq!(client.moment_job("j1").await.unwrap(), MomentJob::Running);
    let done = client.moment_job("j1").await.unwrap();
    assert!(matches!(done, MomentJob::Done { moment_id, .. } if moment_id == "mom1"));
    let failed = client.moment_job("j1").await.unwrap();
    assert_eq!(
        failed,
        MomentJob::Failed {
            code: 40007,
            message: "invalid media_id".into()
        }
    );

    fake.tell(
        "externalcontact/get_moment_comments",
        &[r#"{"comment_list":[{"external_userid":"wm1","create_time":5},{"userid":"li","create_time":6}],"like_list":null}"#],
    );
    let interactions = client.moment_interactions("mom1", &"li".into()).await.unwrap();
    let of_customer = (ExternalUserId::from("wm1"), Timestamp::from_seconds(5));
    assert_eq!(
        (interactions.comments, interactions.likes),
        (vec![of_customer], vec![])
    );

    fake.tell(
        "media/upload_attachment",
        &[r#"{"errcode":0,"type":"image","media_id":"M1","created_at":1}"#],
    );
    assert_eq!(
        client
            .upload_moment_image("a.png", b"\x89PNGx".to_vec())
            .await
            .unwrap(),
        "M1"
    );
    let form = fake.asked("media/upload_attachment").remove(0);
    assert!(
        form.contains(r#"name="media"; filename="a.png""#) && form.contains("image/png"),
        "{form}"
    );

    fake.tell(
        "auth/getuserinfo",
        &[
            r#"{"errcode":0,"UserId":"li","DeviceId":"d"}"#,
            r#"{"errcode":0,"openid":"o","external_userid":"wm1"}"#,
        ],
    );
    assert_eq!(
        client.identity("c1").await.unwrap(),
        Identity::Member("li".into())
    );
    let stranger = Identity::Stranger {
        external_userid: Some("wm1".into()),
    };
    assert_eq!(client.identity("c2").await.unwrap(), stranger);
}
