//! Notes: who wrote them, who sees them, and what is left of one that was taken away.

use axum::http::StatusCode;
use dianyu::auth::Role;
use dianyu::scope::Scope;
use dianyu::timeline::{self, Entry};
use serde_json::json;

use crate::files::Program;
use crate::visitor::Visitor;
use crate::world::{World, contact};
use dianyu::page::PageOf;

async fn kinds(shop: &World, scope: Scope, number: i64) -> Vec<String> {
    let told = timeline::of_contact(&shop.app.db, &scope, contact(number), &PageOf::first(20)).await;
    let told = told.unwrap().items;
    told.iter().map(|one| one.entry.kind().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_is_its_authors_to_take_away_and_leaves_a_trace() {
    let shop = World::open().await;
    let mut li = Visitor::of(&shop, Role::Associate, None, Some(31)).await;
    let noted = li.post("/contacts/101/notes", &[("text", "皮肤敏感")]).await;
    assert_eq!(noted.location, "/contacts/101", "{}", noted.text);
    let id = shop.number("select id from timeline where kind = 'noted'").await;
    let removal = format!("/notes/{id}/removal");
    let page = li.get("/contacts/101").await.text;
    assert!(page.contains("皮肤敏感") && page.contains(&removal), "{page}");

    // The store's manager sees it, under the associate's name, and does not take it away.
    let mut manager = Visitor::of(&shop, Role::Manager, Some(21), None).await;
    let page = manager.get("/contacts/101").await.text;
    assert!(
        page.contains("皮肤敏感") && page.contains("李晓雯") && !page.contains(&removal),
        "{page}"
    );
    let refused = manager.post(&removal, &[]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(
        refused.text.contains("只能由写的人或管理员删掉"),
        "{}",
        refused.text
    );
    // Another store that shares the customer does not know of it, nor that it is there.
    let mut zhao = Visitor::of(&shop, Role::Associate, None, Some(33)).await;
    assert!(!zhao.get("/contacts/101").await.text.contains("皮肤敏感"));
    assert_eq!(zhao.post(&removal, &[]).await.status, StatusCode::NOT_FOUND);

    shop.app.clock.advance(dianyu::time::HOUR_MS);
    let removed = li.post(&removal, &[]).await;
    assert_eq!(removed.location, "/contacts/101", "{}", removed.text);
    let page = li.get("/contacts/101").await.text;
    assert!(
        !page.contains("皮肤敏感") && page.contains("一条记录被删掉了"),
        "{page}"
    );
    assert_eq!(
        shop.number("select count(*) from timeline where detail like '%皮肤%'")
            .await,
        0
    );
    let audited = format!(
        "select count(*) from audit_entry where action = 'note.remove' and subject = 'contact:101'
           and detail like '%{id}%' and detail not like '%皮肤%'"
    );
    assert_eq!(shop.number(&audited).await, 1);
    assert_eq!(
        li.post(&removal, &[]).await.status,
        StatusCode::NOT_FOUND,
        "it is gone already"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_managers_note_has_their_name_and_an_administrator_may_take_any_away() {
    let shop = World::open().await;
    let mut manager = Visitor::of(&shop, Role::Manager, Some(21), None).await;
    manager.post("/contacts/102/notes", &[("text", "老顾客")]).await;
    let mut li = Visitor::of(&shop, Role::Associate, None, Some(31)).await;
    let page = li.get("/contacts/102").await.text;
    assert!(page.contains("老顾客") && page.contains("manager-21"), "{page}");
    let long = "字".repeat(501);
    let refused = li.post("/contacts/102/notes", &[("text", &long)]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);

    let id = shop.number("select id from timeline where kind = 'noted'").await;
    let mut admin = Visitor::of(&shop, Role::Admin, None, None).await;
    let removed = admin.post(&format!("/notes/{id}/removal"), &[]).await;
    assert_eq!(removed.location, "/contacts/102", "{}", removed.text);
    assert_eq!(kinds(&shop, shop.of_associate(31), 102).await, ["unnoted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_notes_once_and_takes_away_its_own() {
    let shop = World::open().await;
    let program = Program::of(&shop, &["contacts:read", "contacts:write"]).await;
    let headers = [("content-type", "application/json"), ("idempotency-key", "n1")];
    let body = || axum::body::Body::from(json!({"text": "会员日到店"}).to_string());
    let first = program.ask("POST", "/contacts/102/notes", &headers, body()).await;
    let again = program.ask("POST", "/contacts/102/notes", &headers, body()).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text);
    assert_eq!(first.text, again.text);
    assert_eq!(first.json()["kind"], "noted");
    assert_eq!(kinds(&shop, shop.whole(), 102).await, ["noted"]);
    let note = format!("/notes/{}", first.id());
    let other = Program::of(&shop, &["contacts:read", "contacts:write"]).await;
    let foreign = other.ask("DELETE", &note, &[], axum::body::Body::empty()).await;
    assert_eq!(foreign.status, StatusCode::CONFLICT, "{}", foreign.text);
    let removed = program.ask("DELETE", &note, &[], axum::body::Body::empty()).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT, "{}", removed.text);
    let told = timeline::of_contact(&shop.app.db, &shop.whole(), contact(102), &PageOf::first(5)).await;
    let told = told.unwrap().items;
    assert_eq!(
        told[0].entry,
        Entry::Unnoted {
            removed_at: shop.now()
        }
    );
    let empty = program.post("/contacts/102/notes", &json!({"text": " "})).await;
    assert_eq!(empty.json()["errors"][0]["pointer"], "/text");
}
