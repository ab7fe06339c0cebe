//! Faces: headquarters' page and the API.

use axum::body::Body;
use axum::http::StatusCode;
use dianyu::auth::Role;
use serde_json::json;

use crate::files::Program;
use crate::visitor::Visitor;
use crate::world::World;

async fn twins() -> World {
    let shop = World::open().await;
    shop.run("update contact set unionid = 'union102' where id = 105")
        .await;
    shop.run("insert into contact_duplicate (corp_id, unionid) values (1, 'union102')")
        .await;
    shop
}

#[tokio::test(flavor = "multi_thread")]
async fn headquarters_sees_merges_and_takes_back() {
    let shop = twins().await;
    let mut chen = Visitor::of(&shop, Role::Marketer, None, None).await;
    let list = chen.get("/contacts").await.text;
    assert!(list.contains("href=\"/contacts/duplicates\""));
    let page = chen.get("/contacts/duplicates").await.text;
    for word in ["客户102", "客户105", "…Sim105", "李晓雯", "吴桐", "合并成一位"] {
        assert!(page.contains(word), "`{word}`: {page}");
    }
    let nobody = chen.post("/contacts/duplicates", &[("keep", "x")]).await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
    let wrong = chen
        .post("/contacts/duplicates", &[("keep", "102"), ("ids", "105 102 106")])
        .await;
    assert!(wrong.said().join("").contains("才能合并"), "{}", wrong.text);
    assert_eq!(
        shop.number("select count(*) from contact_merge").await,
        0,
        "all or none"
    );

    let merged = chen
        .post("/contacts/duplicates", &[("keep", "102"), ("ids", "105 102")])
        .await;
    assert_eq!(merged.location, "/contacts/duplicates", "{}", merged.text);
    let page = chen.get("/contacts/duplicates").await.text;
    assert!(
        page.contains("合并过的客户") && !page.contains("合并成一位"),
        "{page}"
    );
    let moved = chen.get("/contacts/105").await;
    assert_eq!(
        (moved.status, moved.location.as_str()),
        (StatusCode::SEE_OTHER, "/contacts/102")
    );
    assert!(chen.get("/contacts/102").await.text.contains("吴桐"));
    // Who followed the other one sees her; nobody else learns that she was two.
    let mut wu = Visitor::of(&shop, Role::Associate, None, Some(32)).await;
    assert!(wu.get("/contacts").await.text.contains("客户102"));
    assert_eq!(wu.get("/contacts/105").await.location, "/contacts/102");
    let mut sun = Visitor::of(&shop, Role::Associate, None, Some(35)).await;
    assert_eq!(sun.get("/contacts/105").await.status, StatusCode::NOT_FOUND);

    let id = shop.number("select id from contact_merge").await;
    for (role, store, associate) in [(Role::Associate, None, Some(31)), (Role::Manager, Some(21), None)] {
        let mut visitor = Visitor::of(&shop, role, store, associate).await;
        assert!(
            !visitor
                .get("/contacts")
                .await
                .text
                .contains("/contacts/duplicates")
        );
        assert_eq!(
            visitor.get("/contacts/duplicates").await.status,
            StatusCode::FORBIDDEN
        );
        let tried = visitor.post(&format!("/merges/{id}/undo"), &[]).await;
        assert_eq!(tried.status, StatusCode::FORBIDDEN);
    }
    let undone = chen.post(&format!("/merges/{id}/undo"), &[]).await;
    assert_eq!(undone.location, "/contacts/duplicates", "{}", undone.text);
    let page = chen.get("/contacts/duplicates").await.text;
    assert!(page.contains("已撤销") && page.contains("合并成一位"), "{page}");
    let again = chen.post(&format!("/merges/{id}/undo"), &[]).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.said().join("").contains("已经撤销过了"), "{}", again.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_merges_once_and_takes_back() {
    let shop = twins().await;
    let program = Program::of(&shop, &["contacts:read", "contacts:merge"]).await;
    let ask = async |method: &str, path: &str, body: &str| {
        let headers = [("content-type", "application/json"), ("idempotency-key", path)];
        let headers = if method == "GET" {
            &headers[..0]
        } else {
            &headers[..]
        };
        program
            .ask(method, path, headers, Body::from(body.to_owned()))
            .await
    };
    let found = ask("GET", "/contacts/duplicates", "").await.json();
    assert_eq!(found["items"][0]["unionid"], "union102");
    assert_eq!(found["items"][0]["contacts"].as_array().unwrap().len(), 2);
    let body = r#"{"merged_id":"105"}"#;
    let made = ask("POST", "/contacts/102/merge", body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let id = made.id();
    let repeat = ask("POST", "/contacts/102/merge", body).await;
    assert_eq!((repeat.status, repeat.id()), (StatusCode::CREATED, id.clone()));
    let gone = ask("GET", "/contacts/105", "").await.json();
    assert_eq!(gone["id"], "102", "the kept one answers");
    let by_id = ask("GET", "/contacts?external_userid=wmSim105", "").await.json();
    assert_eq!(by_id["items"][0]["id"], "102");
    let list = ask("GET", "/merges", "").await.json();
    assert_eq!(list["items"][0]["merged_external_userid"], "wmSim105");
    assert_eq!(list["items"][0]["undo_first"], json!(null));
    let undone = ask("POST", &format!("/merges/{id}/undo"), "{}").await;
    assert_eq!(undone.status, StatusCode::OK, "{}", undone.text);
    assert!(undone.json()["undone_at"].is_string());
    assert_eq!(ask("GET", "/contacts/105", "").await.json()["id"], "105");
    let bare = Program::of(&shop, &["contacts:read", "contacts:write"]).await;
    let refused = bare.ask("GET", "/contacts/duplicates", &[], Body::empty()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}
