//! Answers as input from a stranger: none of them does more than fail its call.

use std::sync::atomic::AtomicUsize;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::routing::get;
use futures_util::future::{BoxFuture, join_all};
use futures_util::stream;
use tower_http::compression::CompressionLayer;

use super::*;

const MIB: usize = 1024 * 1024;
const TOKEN: &str = r#"{"errcode":0,"access_token":"tok0","expires_in":7200}"#;

/// What each read of the client makes of a body, with its path.
async fn reads(fake: &Fake, client: &Client, body: &str) -> Vec<(&'static str, Result<()>)> {
    let (li, wm1) = (&UserId::from("li"), &ExternalUserId::from("wm1"));
    let members = std::slice::from_ref(li);
    let (from, until) = (Timestamp(0), Timestamp(1));
    let mut reads: Vec<BoxFuture<'_, (&'static str, Result<()>)>> = Vec::new();
    macro_rules! read {
        ($path:literal, $call:expr) => {
            fake.tell($path, &[body; 3]);
            reads.push(Box::pin(async { ($path, $call.await.map(drop)) }));
        };
    }
    read!("department/list", client.departments());
    read!("user/list", client.members(1));
    read!("user/get", client.member(li));
    read!("externalcontact/get_follow_user_list", client.follow_users());
    read!("externalcontact/get", client.contact(wm1));
    read!(
        "externalcontact/batch/get_by_user",
        client.contacts_of(members, None)
    );
    read!("externalcontact/list", client.contact_ids(li));
    read!("externalcontact/get_corp_tag_list", client.tags());
    read!(
        "externalcontact/get_groupmsg_list_v2",
        client.broadcasts(from, until, None)
    );
    read!(
        "externalcontact/get_groupmsg_task",
        client.broadcast_members("m", None)
    );
    read!(
        "externalcontact/get_groupmsg_send_result",
        client.broadcast_results("m", li, None)
    );
    read!(
        "externalcontact/get_moment_task",
        client.moment_members("m", None)
    );
    read!("externalcontact/add_msg_template", client.add_broadcast("{}"));
    read!("auth/getuserinfo", client.identity("c"));
    join_all(reads).await
}

#[tokio::test]
async fn what_is_no_answer_fails_its_call_and_nothing_else() {
    let deep = format!(r#"{{"errcode":0,"department":{}"#, "[".repeat(200_000));
    let nested = format!(
        r#"{{"errcode":0,"errmsg":{}1{}}}"#,
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    let bodies = [
        "",
        " ",
        "null",
        "[]",
        "17",
        r#""ok""#,
        "<html><body>502 Bad Gateway</body></html>",
        r#"{"errcode":0,"errmsg":"ok","departm"#,
        r#"{"errcode":"none"}"#,
        r#"{"errcode":{"a":1}}"#,
        r#"{"errcode":99999999999999999999}"#,
        r#"{"errcode":1.5}"#,
        r#"{"errcode":0,"errcode":0}"#,
        r#"{"errcode":0,"errmsg":"a","errmsg":"b"}"#,
        "{\"errcode\":0,\"errmsg\":\"\u{0}\"}",
        "{} {}",
        deep.as_str(),
        nested.as_str(),
    ];
    join_all(bodies.map(|body| async move {
        let (fake, client) = fake().await;
        for (path, outcome) in reads(&fake, &client, body).await {
            let fault = fault(outcome);
            let shown = &body[..body.len().min(60)];
            assert_eq!(fault.code, None, "{path}: {shown}");
            assert!(fault.message.len() < 400, "{path}: {shown}");
        }
        // None of it is remembered.
        fake.0.told.lock().unwrap().clear();
        client.departments().await.unwrap();
    }))
    .await;
}

#[tokio::test]
async fn lists_and_fields_of_the_wrong_type_are_refused_or_empty() {
    let (fake, client) = fake().await;
    let wrong = [
        r#"{"department":{"id":1}}"#,
        r#"{"department":"all"}"#,
        r#"{"department":[1,2]}"#,
        r#"{"department":[{"id":"one"}]}"#,
        r#"{"department":[{"name":"no id"}]}"#,
        r#"{"department":[{"id":1,"id":2}]}"#,
        r#"{"department":[],"department":[]}"#,
        r#"{"department":[{"id":1,"name":{"zh":"a"}}]}"#,
    ];
    fake.tell("department/list", &wrong);
    for body in wrong {
        let fault = fault(client.departments().await);
        assert_eq!((fault.code, fault.advice), (None, Advice::Bug), "{body}");
    }
    let right = [
        r#"{"department":null}"#,
        r#"{"department":[],"later":[[[[{}]]]]}"#,
        r#"{"errmsg":null,"errcode":null}"#,
    ];
    fake.tell("department/list", &right);
    for body in right {
        assert_eq!(client.departments().await.unwrap(), [], "{body}");
    }
}

#[tokio::test]
async fn ids_that_were_not_asked_for_are_refused() {
    let (fake, client) = fake().await;
    let (li, wm1) = (UserId::from("li"), ExternalUserId::from("wm1"));
    let contact = |id: &str, cursor: &str| {
        format!(
            r#"{{"external_contact":{{"external_userid":"{id}"}},"follow_user":[],"next_cursor":"{cursor}"}}"#
        )
    };
    fake.tell("externalcontact/get", &[&contact("wmOther", "")]);
    assert_eq!(fault(client.contact(&wm1).await).advice, Advice::Bug);
    fake.tell(
        "externalcontact/get",
        &[&contact("wm1", "c"), &contact("wmOther", "")],
    );
    assert_eq!(fault(client.contact(&wm1).await).advice, Advice::Bug);

    let pair = |userid: &str| {
        format!(
            r#"{{"external_contact_list":[{{"external_contact":{{"external_userid":"wm1"}},"follow_info":{{"userid":"{userid}"}}}}]}}"#
        )
    };
    fake.tell(
        "externalcontact/batch/get_by_user",
        &[&pair("LI"), &pair("of_another_corp")],
    );
    let members = [li.clone()];
    assert_eq!(client.contacts_of(&members, None).await.unwrap().items.len(), 1);
    assert_eq!(
        fault(client.contacts_of(&members, None).await).advice,
        Advice::Bug
    );

    fake.tell("user/get", &[r#"{"userid":"Li"}"#, r#"{"userid":"wu"}"#]);
    client.member(&li).await.unwrap();
    assert_eq!(fault(client.member(&li).await).advice, Advice::Bug);
}

/// A platform whose departments never end, and how much of them was read.
fn endless(pulled: Arc<AtomicUsize>) -> Router {
    let list = move || {
        let pulled = Arc::clone(&pulled);
        let megabytes = (0..100).map(move |_| {
            pulled.fetch_add(MIB, Ordering::SeqCst);
            Ok::<_, std::io::Error>(Bytes::from(vec![b' '; MIB]))
        });
        async move { Body::from_stream(stream::iter(megabytes)) }
    };
    Router::new()
        .route("/cgi-bin/gettoken", get(|| async { TOKEN }))
        .route("/cgi-bin/department/list", get(list))
}

#[tokio::test]
async fn a_hundred_megabytes_are_not_read() {
    let pulled = Arc::new(AtomicUsize::new(0));
    let client = serve(endless(Arc::clone(&pulled)))
        .await
        .client(credentials("right"));
    assert!(fault(client.departments().await).message.contains("16 MiB"));
    let of_each_try = pulled.load(Ordering::SeqCst) / 3;
    assert!(of_each_try < 32 * MIB, "{of_each_try}");
}

#[tokio::test]
async fn a_small_answer_that_unpacks_to_a_hundred_megabytes_is_not_read() {
    let pulled = Arc::new(AtomicUsize::new(0));
    let router = endless(Arc::clone(&pulled)).layer(CompressionLayer::new().gzip(true));
    let client = serve(router).await.client(credentials("right"));
    let fault = fault(client.departments().await);
    assert!(
        fault.message.contains("16 MiB") || fault.message.contains("10 s"),
        "{}",
        fault.message
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let inside = Fake::default();
    let elsewhere = inside.start().await;
    let to = format!("{}/cgi-bin/department/list", elsewhere.base_url);
    let router = Router::new()
        .route("/cgi-bin/gettoken", get(|| async { TOKEN }))
        .route(
            "/cgi-bin/department/list",
            get(move || async move { (StatusCode::FOUND, [(header::LOCATION, to)]) }),
        );
    let client = serve(router).await.client(credentials("right"));
    assert!(fault(client.departments().await).message.contains("HTTP 302"));
    assert_eq!(inside.asked("department/list").len(), 0);
}
