//! Rules that ask the chain's own fields.

use axum::http::StatusCode;
use dianyu::auth::Role;
use dianyu::contacts::{self, FieldKind};
use dianyu::error::Error;
use dianyu::ids::FieldId;
use dianyu::segments::{self, OwnField, Rule};
use serde_json::json;

use crate::visitor::{Visitor, encoded};
use crate::world::World;

/// A number, a choice, a day and a text; of 102 it is 38.5, 金卡, 2026-03-08 and 火锅, of 103 36 and 银卡.
async fn fields(shop: &World) -> [FieldId; 4] {
    let levels = ["金卡".to_owned(), "银卡".to_owned()];
    let mut ids = Vec::new();
    for (name, kind, choices, of_102, of_103) in [
        ("鞋码", FieldKind::Number, &levels[..0], "38.5", "36"),
        ("等级", FieldKind::Choice, &levels[..], "金卡", "银卡"),
        ("纪念日", FieldKind::Date, &levels[..0], "2026-03-08", ""),
        ("爱吃", FieldKind::Text, &levels[..0], "火锅", ""),
    ] {
        let tx = shop.begin().await;
        let id = contacts::add_field(&tx, &shop.act(), shop.corp, name, kind, choices)
            .await
            .unwrap();
        for (contact, value) in [(102, of_102), (103, of_103)] {
            let given = [(id, Some(value.to_owned()))].into();
            contacts::set_values(
                &tx,
                &shop.act(),
                &shop.whole(),
                dianyu::ids::ContactId(contact),
                &given,
            )
            .await
            .unwrap();
        }
        tx.commit().await.unwrap();
        ids.push(id);
    }
    ids.try_into().unwrap()
}

async fn delete(shop: &World, field: FieldId) {
    let tx = shop.begin().await;
    contacts::delete_field(&tx, &shop.act(), shop.corp, field)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn what_a_field_cannot_be_asked_names_its_place_and_the_way_out() {
    let shop = World::open().await;
    let [size, level, day, likes] = fields(&shop).await;
    let reach = |id: &str| format!("there is no field `{id}` in your reach");
    for (field, at, why) in [
        (json!({"id": "77"}), "/id", reach("77")),
        (
            json!({"id": level, "is": ["金卡", "铜卡"]}),
            "/is/1",
            "`等级`: it is none of 金卡, 银卡".into(),
        ),
        (
            json!({"id": size, "is": ["38"]}),
            "/is/0",
            "`鞋码`: it is a number or a day; ask for it with `from` and `to`".into(),
        ),
        (
            json!({"id": likes, "to": "38"}),
            "/to",
            "`爱吃`: it is neither a number nor a day; ask for its values with `is`".into(),
        ),
        (
            json!({"id": day, "from": "38"}),
            "/from",
            "`纪念日`: it is not a day; write it like `2026-11-23`".into(),
        ),
        (
            json!({"id": size, "from": "2026-11-23"}),
            "/from",
            "`鞋码`: it is not a number; write it like `1234.5`".into(),
        ),
        (
            json!({"id": size, "from": "40", "to": "36"}),
            "/from",
            "`鞋码`: nothing lies from 40 to 36; `from` is the lower one".into(),
        ),
    ] {
        let rule = json!({"all": [{"store": "21"}, {"field": field}]});
        let rule = segments::rule::read(&rule, "/rule").unwrap();
        let Err(Error::Invalid(problems)) =
            segments::rule::check(&shop.app.db, &shop.whole(), &rule, "/rule").await
        else {
            panic!("{rule:?} may be asked");
        };
        let said: Vec<(&str, String)> = problems
            .iter()
            .map(|problem| (problem.pointer.as_str(), problem.message.to_string()))
            .collect();
        assert_eq!(said, [(format!("/rule/all/1/field{at}").as_str(), why)]);
    }
    for field in [
        json!({"id": level, "is": ["金卡", "银卡"]}),
        json!({"id": size, "from": "36", "to": "36"}),
        json!({"id": day, "to": "2026年3月8日"}),
        json!({"id": likes}),
    ] {
        let rule = segments::rule::read(&json!({"field": field}), "/rule").unwrap();
        for scope in [shop.whole(), shop.of_store(22)] {
            segments::rule::check(&shop.app.db, &scope, &rule, "/rule")
                .await
                .unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_whose_field_is_gone_says_so_and_is_wider_for_nobody() {
    let shop = World::open().await;
    let [_, level, ..] = fields(&shop).await;
    let rule = Rule::Not(Box::new(Rule::Field(OwnField {
        id: level,
        is: vec!["金卡".into()],
        from: None,
        to: None,
    })));
    let tx = shop.begin().await;
    let id = segments::create(&tx, &shop.act(), &shop.whole(), "非金卡", &rule)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    delete(&shop, level).await;
    assert_eq!(
        shop.number(&format!(
            "select count(*) from contact_value where field_id = {level}"
        ))
        .await,
        0
    );
    let Err(Error::Invalid(problems)) =
        segments::rule::segment(&shop.app.db, &shop.whole(), id, "/segment_id").await
    else {
        panic!("it is found");
    };
    assert_eq!(problems[0].pointer, "/segment_id");
    let why = format!("segment `非金卡`: there is no field `{level}` in your reach; change the segment");
    assert_eq!(problems[0].message.to_string(), why);
    let mut chen = Visitor::of(&shop, Role::Marketer, None, None).await;
    let page = chen.get(&format!("/segments/{id}")).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("自定义字段不在了"), "{}", page.text);
    assert!(page.text.contains("href=\"#rows-0\"") && !page.text.contains("class=\"reach num\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_by_own_fields_is_built_without_a_script() {
    let shop = World::open().await;
    let mut chen = Visitor::of(&shop, Role::Marketer, None, None).await;
    let offered = "<option value=\"field\"";
    assert!(
        !chen.get("/segments/new").await.text.contains(offered),
        "there is no field"
    );
    let [size, level, day, likes] = fields(&shop).await.map(|field| field.to_string());
    assert!(chen.get("/segments/new").await.text.contains(offered));

    let asked = |field: &str, value: &str, from: &str, to: &str| {
        let row = [
            ("group", "0"),
            ("kind", "field"),
            ("op", "is"),
            ("value", field),
            ("days", value),
            ("times", from),
            ("amount", to),
        ];
        row.map(|(name, value)| (name, value.to_owned()))
    };
    let address = |row: &[(&str, String)]| {
        let row = row
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)));
        format!("/segments/new?{}", row.collect::<Vec<_>>().join("&"))
    };
    for (row, shown, said) in [
        (asked("", "", "", ""), "<option value=\"\">请选择", "加第一个条件"),
        (
            asked(&size, "", "", ""),
            "name=\"times\" inputmode=\"decimal\"",
            "填了“鞋码”的客户，2 位",
        ),
        (
            asked(&size, "", "37", ""),
            "value=\"37\"",
            "鞋码从 37 起的客户，1 位",
        ),
        (
            asked(&size, "", "36", "1,038.50"),
            "value=\"1,038.50\"",
            "鞋码从 36 到 1038.5的客户，2 位",
        ),
        (asked(&size, "", "x", ""), "写数字或日期", "加第一个条件"),
        (
            asked(&level, "银卡", "", ""),
            "<option value=\"银卡\" selected",
            "等级是银卡的客户，1 位",
        ),
        (
            asked(&level, "", "", ""),
            "<option value=\"\">任意值",
            "填了“等级”的客户，2 位",
        ),
        (
            asked(&day, "", "", "2026-03-08"),
            "type=\"date\" name=\"amount\"",
            "纪念日到 2026-03-08 为止的客户，1 位",
        ),
        (
            asked(&likes, "火锅", "", ""),
            "name=\"days\" value=\"火锅\"",
            "爱吃是火锅的客户，1 位",
        ),
        // Another field was chosen and its inputs are not there yet.
        (asked(&size, "银卡", "", ""), "鞋码：是数字或日期", "加第一个条件"),
    ] {
        let page = chen.get(&address(&row)).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }

    let row = asked(&level, "银卡", "", "");
    let mut fields: Vec<(&str, &str)> = row.iter().map(|(name, value)| (*name, value.as_str())).collect();
    fields.extend([("name", "银卡客户"), ("do", "save")]);
    let saved = chen.post("/segments/new", &fields).await;
    assert!(saved.location.starts_with("/segments/"), "{}", saved.text);
    let again = chen.get(&saved.location).await.text;
    assert!(again.contains("<option value=\"银卡\" selected"), "{again}");
    assert!(chen.get("/segments").await.text.contains("等级是银卡"));

    // One of two values is two rows; a program's rule that no row says is shown all the same.
    let shared = |rule: serde_json::Value| format!("/segments/new?rule={}", encoded(&rule.to_string()));
    let two = json!({"field": {"id": level, "is": ["金卡", "银卡"]}});
    let page = chen.get(&shared(two.clone())).await.text;
    assert!(
        page.contains("等级是金卡或等级是银卡的客户，2 位") && page.contains("id=\"rows-1\""),
        "{page}"
    );
    let page = chen.get(&shared(json!({"not": two}))).await.text;
    assert!(page.contains("不（等级是金卡或银卡）"), "{page}");
}
