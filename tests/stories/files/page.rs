//! The pages: a table sent from a browser, what became of it, fields of its own, and who may do what.

use axum::http::StatusCode;
use dianyu::auth::Role;
use dianyu::jobs::runner;

use super::Program;
use crate::visitor::Visitor;
use crate::world::World;

const HERE: &str = "/contacts/import";

#[tokio::test(flavor = "multi_thread")]
async fn a_table_from_a_spreadsheet_is_imported_and_its_bad_rows_are_told_in_chinese() {
    let shop = World::open().await;
    let mut chen = Visitor::of(&shop, Role::Admin, None, None).await;
    chen.get("/admin/fields").await;
    let field = [
        ("name", "会员等级"),
        ("kind", "choice"),
        ("choices", "金卡\r\n银卡\r\n"),
    ];
    let added = chen.post("/admin/fields", &field).await;
    assert_eq!(added.location, "/admin/fields", "{}", added.text);
    let twice = chen.post("/admin/fields", &field).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(twice.said().join("").contains("同名"), "{:?}", twice.said());

    assert!(
        chen.get(HERE).await.text.contains("会员等级"),
        "the hint names the fields"
    );
    let text = "external_userid,生日,会员等级\r\nwmSim101,3月8日,金卡\r\nwmSim102,3月8日,铜卡\r\nwmSim103,13月8日,\r\n";
    let (gb, _, _) = encoding_rs::GB18030.encode(text);
    let sent = chen.upload(HERE, "会员.csv", &gb).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
    let under_way = chen.get(&sent.location).await.text;
    assert!(
        under_way.contains("http-equiv=\"refresh\"") && under_way.contains("停下来"),
        "{under_way}"
    );
    runner::settle(&shop.app).await;
    let told = chen.get(&sent.location).await.text;
    for word in [
        "会员.csv",
        "不在这些选项里：金卡, 银卡",
        "不是生日",
        "<b>2 行</b>没收下",
    ] {
        assert!(told.contains(word), "`{word}`: {told}");
    }
    let file = chen.get(&format!("{}/refused", sent.location)).await.text;
    assert!(file.contains("wmSim103,13月8日,,4,生日,不是生日"), "{file}");
    assert_eq!(
        shop.number("select count(*) from contact where birthday = '03-08'")
            .await,
        1
    );
    assert!(chen.get(HERE).await.text.contains("会员.csv"));

    let id = chen.get("/admin/fields").await.text;
    let id = id
        .split("/admin/fields/")
        .nth(1)
        .unwrap()
        .split('/')
        .next()
        .unwrap();
    let deleted = chen.post(&format!("/admin/fields/{id}/end"), &[]).await;
    assert_eq!(deleted.location, "/admin/fields", "{}", deleted.text);
    assert_eq!(shop.number("select count(*) from contact_value").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_file_is_said_in_chinese_and_a_stale_form_is_refused() {
    let shop = World::open().await;
    let mut chen = Visitor::of(&shop, Role::Marketer, None, None).await;
    let utf16: Vec<u8> = "a,b\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let long = format!("external_userid,vip\n{}", "wmSim101,1\n".repeat(50_000));
    for (file, word) in [
        (&b"external_userid,vip\nwmSim101,1\n"[..], "“vip”"),
        (long.as_bytes(), "“vip”"),
        (&b"birthday\n03-08\n"[..], "用来找到客户"),
        (&b""[..], "文件里没有内容"),
        (&utf16[..], "GB18030"),
    ] {
        let refused = chen.upload(HERE, "a.csv", file).await;
        assert_eq!(
            refused.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{}",
            refused.text
        );
        let said = refused.said().join("");
        assert!(said.contains(word), "{word}: {said}");
    }
    let none = chen.upload(HERE, "", b"").await;
    assert!(none.said().join("").contains("先选一个文件"), "{}", none.text);
    chen.forget_token();
    let good = b"external_userid,birthday\nwmSim101,03-08\n";
    assert_eq!(
        chen.upload(HERE, "a.csv", good).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(shop.number("select count(*) from contact_import").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_headquarters_and_fields_are_the_administrators() {
    let shop = World::open().await;
    let good = b"external_userid,birthday\nwmSim102,03-08\n";
    for (role, store, associate, brings, defines) in [
        (Role::Admin, None, None, true, true),
        (Role::Marketer, None, None, true, false),
        (Role::Manager, Some(21), None, false, false),
        (Role::Associate, None, Some(31), false, false),
    ] {
        let mut visitor = Visitor::of(&shop, role, store, associate).await;
        let list = visitor.get("/contacts").await.text;
        assert!(
            list.contains("action=\"/contacts/exports\""),
            "{role:?} may export"
        );
        assert_eq!(list.contains("href=\"/contacts/import\""), brings, "{role:?}");
        let page = visitor.get(HERE).await;
        assert_eq!(page.status == StatusCode::OK, brings, "{role:?}");
        let sent = visitor.upload(HERE, "a.csv", good).await;
        assert_eq!(
            sent.status == StatusCode::SEE_OTHER,
            brings,
            "{role:?} {}",
            sent.status
        );
        let fields = visitor.get("/admin/fields").await;
        assert_eq!(fields.status == StatusCode::OK, defines, "{role:?}");
    }
    assert_eq!(shop.number("select count(*) from contact_import").await, 2);
    runner::settle(&shop.app).await;
    let program = Program::of(&shop, &["contacts:read"]).await;
    assert_eq!(
        program.send("external_userid,birthday\n").await.status,
        StatusCode::FORBIDDEN
    );
    let whole = serde_json::json!({"kind": "contacts"});
    assert_eq!(
        program.post("/exports", &whole).await.status,
        StatusCode::FORBIDDEN
    );
}
