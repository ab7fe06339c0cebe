//! Exports: harmless cells, frozen scope, only for who asked and while they may.

use axum::http::StatusCode;
use dianyu::auth::Role;
use dianyu::contacts::FieldKind;
use dianyu::files;
use dianyu::ids::{AssociateId, ExportId};
use dianyu::jobs::runner;
use dianyu::scope::{Reach, Scope};
use dianyu::time::DAY_MS;
use serde_json::json;

use super::Program;
use crate::visitor::Visitor;
use crate::world::{World, ZONE};

fn records(text: &str) -> Vec<Vec<String>> {
    let text = text.strip_prefix('\u{feff}').expect("a byte order mark");
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes());
    reader
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

async fn knows(shop: &World) {
    shop.field("鞋码", FieldKind::Number, &[]).await;
    let program = Program::of(shop, &["contacts:import"]).await;
    let file = "external_userid,phone,birthday,opted_out,鞋码\nwmSim101,13812345678,03-08,yes,38\n";
    assert_eq!(program.send(file).await.status, StatusCode::CREATED);
    runner::settle(&shop.app).await;
    for sql in [
        "update contact set name = '=HYPERLINK(\"http://x\")' where id = 101 and corp_id = 1",
        "update follow set remark = '@老客' where contact_id = 101 and associate_id = 33",
        "update contact set name = '-2+3' where id = 102 and corp_id = 1",
    ] {
        shop.run(sql).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_go_out_whole_part_by_part_with_no_formula_and_no_phone_number() {
    let shop = World::open().await;
    shop.crowd(2_500).await;
    knows(&shop).await;
    let program = Program::of(&shop, &["contacts:export"]).await;
    let begun = program.post("/exports", &json!({"kind": "contacts"})).await;
    assert_eq!(begun.status, StatusCode::CREATED, "{}", begun.text);
    assert_eq!(begun.json()["total"], 2_512);
    let file = format!("/exports/{}/file", begun.id());
    assert_eq!(
        program.get(&file).await.status,
        StatusCode::CONFLICT,
        "not written yet"
    );
    runner::settle(&shop.app).await;
    assert_eq!(shop.number("select count(*) from export_part").await, 3);
    let text = program.get(&file).await.text;
    let rows = records(&text);
    assert_eq!(rows.len(), 2_513);
    assert_eq!(rows[0][0], "external_userid");
    assert_eq!(rows[0][12..], ["exported", "鞋码"]);
    let ids: std::collections::HashSet<&str> = rows[1..].iter().map(|row| row[0].as_str()).collect();
    assert_eq!(ids.len(), 2_512, "each once");
    let row = rows.iter().find(|row| row[0] == "wmSim101").unwrap();
    assert_eq!(row[1], "'=HYPERLINK(\"http://x\")");
    assert_eq!(row[2], "'@老客");
    assert_eq!(row[9..12], ["03-08", "5678", "yes"]);
    assert_eq!(row[13], "38");
    for row in &rows[1..] {
        assert!(row[12].contains("(api_key:"), "whose copy it is: {}", row[12]);
        let now = shop.now().local(ZONE).format("%Y-%m-%d").to_string();
        assert!(row[12].contains(&now), "and of when: {}", row[12]);
    }
    for row in &rows {
        for cell in row {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
        }
    }
    assert!(!text.contains("13812345678"));
    let noted = "select count(*) from audit_entry where action in ('export.start', 'export.download')";
    assert_eq!(shop.number(noted).await, 2);

    // Narrowed as the list is.
    let narrow = json!({"kind": "contacts", "filter": {"store": "23"}});
    let begun = program.post("/exports", &narrow).await;
    runner::settle(&shop.app).await;
    let rows = records(&program.get(&format!("/exports/{}/file", begun.id())).await.text);
    assert_eq!(rows.len(), 1 + 3);

    // Another key of the same corp gets nothing, and after a day nobody does.
    let other = Program::of(&shop, &["contacts:export"]).await;
    assert_eq!(other.get(&file).await.status, StatusCode::NOT_FOUND);
    shop.app.clock.advance(DAY_MS);
    assert_eq!(program.get(&file).await.status, StatusCode::NOT_FOUND);
    let tx = shop.begin().await;
    files::sweep(&tx, shop.corp, shop.now()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(shop.number("select count(*) from export_part").await, 0);
    assert_eq!(shop.number("select count(*) from contact_export").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_broke_off_goes_on_and_one_that_is_stopped_leaves_nothing() {
    let shop = World::open().await;
    shop.crowd(2_500).await;
    let program = Program::of(&shop, &["contacts:export"]).await;
    let whole = json!({"kind": "contacts"});
    let begin = || program.post("/exports", &whole);
    let id = begin().await.id();
    // Somebody began and vanished: the first part is there.
    let parts = "select count(*) from export_part";
    files::write_part(&shop.app, shop.corp, ExportId(id.parse().unwrap()))
        .await
        .unwrap();
    assert_eq!(shop.number(parts).await, 1);
    runner::settle(&shop.app).await;
    let told = program.get(&format!("/exports/{id}")).await.json();
    assert_eq!(
        (told["state"].as_str(), told["written"].as_i64()),
        (Some("done"), Some(2_512))
    );
    assert_eq!(shop.number(parts).await, 3);

    let id = begin().await.id();
    files::write_part(&shop.app, shop.corp, ExportId(id.parse().unwrap()))
        .await
        .unwrap();
    let stopped = program
        .post(&format!("/exports/{id}/cancellation"), &json!({}))
        .await;
    assert_eq!(stopped.json()["state"], "stopped", "{}", stopped.text);
    runner::settle(&shop.app).await;
    assert_eq!(shop.number(parts).await, 3, "only the first one's");
    let file = program.get(&format!("/exports/{id}/file")).await;
    assert_eq!(file.status, StatusCode::CONFLICT);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_gets_what_they_see_and_only_while_they_see_it() {
    let shop = World::open().await;
    let mut li = Visitor::of(&shop, Role::Associate, None, Some(31)).await;
    let begun = li.post("/contacts/exports", &[("return_to", "/contacts")]).await;
    assert_eq!(begun.location, "/contacts/exports", "{}", begun.text);
    runner::settle(&shop.app).await;
    let page = li.get("/contacts/exports").await;
    let file = page.text.split("href=\"").find(|rest| rest.contains("/file\""));
    let file = file.unwrap().split('"').next().unwrap().to_owned();
    let rows = records(&li.get(&file).await.text);
    let mut ids: Vec<&str> = rows[1..].iter().map(|row| row[0].as_str()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["wmSim101", "wmSim102", "wmSim103", "wmSim104"]);
    assert_eq!(rows[0][10], "手机后四位", "the head is in the reader's language");

    // Nobody else, however much they see.
    let mut admin = Visitor::of(&shop, Role::Admin, None, None).await;
    assert_eq!(admin.get(&file).await.status, StatusCode::NOT_FOUND);

    // A manager who was given another store meanwhile.
    let mut zhou = Visitor::of(&shop, Role::Manager, Some(21), None).await;
    zhou.post("/contacts/exports", &[("return_to", "/contacts")])
        .await;
    runner::settle(&shop.app).await;
    let page = zhou.get("/contacts/exports").await;
    let file = page.text.split("href=\"").find(|rest| rest.contains("/file\""));
    let file = file.unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(records(&zhou.get(&file).await.text).len(), 1 + 6);
    shop.run("update operator set store_id = 22 where login = 'manager-21'")
        .await;
    assert_eq!(zhou.get(&file).await.status, StatusCode::NOT_FOUND);
}

#[test]
fn a_scope_covers_another_when_it_sees_as_much() {
    let scope = |reach| Scope {
        corp: dianyu::ids::CorpId(1),
        reach,
    };
    let stores = |ids: &[i64]| {
        scope(Reach::Stores(
            ids.iter().map(|id| dianyu::ids::StoreId(*id)).collect(),
        ))
    };
    let own = |id| scope(Reach::Own(AssociateId(id)));
    let whole = scope(Reach::Whole);
    for (now, then, covers) in [
        (&whole, &stores(&[21]), true),
        (&stores(&[21, 22]), &stores(&[22]), true),
        (&stores(&[21]), &stores(&[21, 22]), false),
        (&stores(&[21]), &whole, false),
        (&own(31), &own(31), true),
        (&own(31), &own(32), false),
        (&stores(&[21]), &own(31), false),
    ] {
        assert_eq!(now.covers(then), covers, "{now:?} {then:?}");
    }
    let elsewhere = Scope::whole(dianyu::ids::CorpId(2));
    assert!(!elsewhere.covers(&whole));
}
