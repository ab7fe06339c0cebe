//! Values in the chain's own fields.

use axum::http::StatusCode;
use dianyu::auth::Role;
use dianyu::contacts::{self, FieldKind};
use dianyu::ids::FieldId;
use serde_json::json;

use crate::files::Program;
use crate::visitor::Visitor;
use crate::world::World;

/// Shoe size, level, anniversary, and what somebody likes.
async fn fields(shop: &World) -> [FieldId; 4] {
    let tx = shop.begin().await;
    let levels = ["金卡".to_owned(), "银卡".to_owned()];
    let mut ids = Vec::new();
    for (name, kind) in [
        ("鞋码", FieldKind::Number),
        ("会员等级", FieldKind::Choice),
        ("纪念日", FieldKind::Date),
        ("爱吃", FieldKind::Text),
    ] {
        let choices = if kind == FieldKind::Choice {
            &levels[..]
        } else {
            &[]
        };
        let id = contacts::add_field(&tx, &shop.act(), shop.corp, name, kind, choices).await;
        ids.push(id.unwrap());
    }
    tx.commit().await.unwrap();
    ids.try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_checked_by_their_kind_and_all_of_them_or_none_are_written() {
    let shop = World::open().await;
    let [size, level, day, likes] = fields(&shop).await;
    let program = Program::of(&shop, &["contacts:read", "contacts:write"]).await;
    let patch = async |body: serde_json::Value| {
        let json = [("content-type", "application/json")];
        let body = axum::body::Body::from(body.to_string());
        program.ask("PATCH", "/contacts/102", &json, body).await
    };
    let written = patch(json!({"fields": {
        size.to_string(): "038.50", level.to_string(): "金卡", day.to_string(): "2020年3月8日", likes.to_string(): " 火锅 "
    }}))
    .await;
    assert_eq!(written.status, StatusCode::OK, "{}", written.text);
    let held = |answer: &serde_json::Value| -> Vec<String> {
        let own = answer["own_fields"].as_array().unwrap();
        own.iter()
            .map(|one| {
                format!(
                    "{}={}",
                    one["name"].as_str().unwrap(),
                    one["value"].as_str().unwrap()
                )
            })
            .collect()
    };
    let all = ["鞋码=38.5", "会员等级=金卡", "纪念日=2020-03-08", "爱吃=火锅"];
    assert_eq!(held(&written.json()), all);

    // One wrong value: the others of the call stay as they were.
    for (field, value, way) in [
        (
            size,
            "三十八",
            "`鞋码`: it is not a number; write it like `1234.5`",
        ),
        (level, "铜卡", "`会员等级`: it is none of 金卡, 银卡"),
        (
            day,
            "2020-02-30",
            "`纪念日`: it is not a day; write it like `2026-11-23`",
        ),
    ] {
        let refused = patch(json!({"fields": {likes.to_string(): "面", field.to_string(): value}})).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
        let errors = refused.json()["errors"].clone();
        assert_eq!(
            errors,
            json!([{"pointer": format!("/fields/{field}"), "message": way}])
        );
    }
    let unknown = patch(json!({"fields": {"77": "x"}})).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    assert!(unknown.text.contains("/fields/77"), "{}", unknown.text);
    let other = patch(json!({"fields": {}, "name": "x"})).await;
    assert_eq!(other.status, StatusCode::BAD_REQUEST, "{}", other.text);
    assert_eq!(held(&program.get("/contacts/102").await.json()), all);

    let cleared = patch(json!({"fields": {level.to_string(): null, likes.to_string(): ""}})).await;
    assert_eq!(held(&cleared.json()), ["鞋码=38.5", "纪念日=2020-03-08"]);
    let nobody = program.ask(
        "PATCH",
        "/contacts/999",
        &[("content-type", "application/json")],
        r#"{"fields":{}}"#.into(),
    );
    assert_eq!(nobody.await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_associate_writes_facts_on_the_customers_page_and_only_there() {
    let shop = World::open().await;
    let [size, level, ..] = fields(&shop).await;
    let (size, level) = (format!("fields-{size}"), format!("fields-{level}"));
    let mut li = Visitor::of(&shop, Role::Associate, None, Some(31)).await;
    let saved = li
        .post("/contacts/102/fields", &[(&size, "38"), (&level, "银卡")])
        .await;
    assert_eq!(saved.location, "/contacts/102", "{}", saved.text);
    let page = li.get("/contacts/102").await.text;
    assert!(page.contains("<span>鞋码</span><span>38</span>"), "{page}");
    assert!(page.contains(r#"<option value="银卡" selected>"#), "{page}");

    let wrong = li
        .post("/contacts/102/fields", &[(&size, "三十九"), (&level, "金卡")])
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.said(), ["鞋码：不是数字，写成 1234.5 这样"]);
    assert!(wrong.text.contains("value=\"三十九\"") && wrong.text.contains(&format!("href=\"#{size}\"")));
    let kept = "select count(*) from contact_value where value in ('38', '银卡')";
    assert_eq!(shop.number(kept).await, 2, "nothing of it was written");

    let mut wu = Visitor::of(&shop, Role::Associate, None, Some(32)).await;
    let refused = wu.post("/contacts/102/fields", &[(&size, "40")]).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    let cleared = li.post("/contacts/102/fields", &[(&size, "")]).await;
    assert_eq!(cleared.location, "/contacts/102");
    assert_eq!(shop.number("select count(*) from contact_value").await, 1);
}
