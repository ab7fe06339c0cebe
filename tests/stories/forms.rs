//! Forms that come back: bad input, a state that has changed, a platform that does not do it. What a reader is told is in
//! their language, and what they typed is still there.

use axum::http::StatusCode;
use dianyu::auth::Role;
use dianyu::sandbox::{Fault, Plan};

use crate::street::Street;
use crate::visitor::{Answer, Visitor, encoded};
use crate::world::World;

/// Every sentence has Chinese in it, and none an English one.
fn in_chinese(answer: &Answer, what: &str) -> String {
    let said = answer.said();
    assert!(
        !said.is_empty(),
        "{what}: {} says nothing:\n{}",
        answer.status,
        answer.text
    );
    for sentence in &said {
        assert!(
            sentence
                .chars()
                .any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter)),
            "{what}: `{sentence}`"
        );
        let words: Vec<&str> = sentence.split(' ').collect();
        let is_english =
            |word: &&str| word.len() > 1 && word.chars().all(|letter| letter.is_ascii_lowercase());
        assert!(
            !words.windows(2).any(|pair| pair.iter().all(is_english)),
            "{what}: `{sentence}`"
        );
        assert!(!sentence.contains('⟦'), "{what}: `{sentence}`");
    }
    said.join("\n")
}

/// The form came back (or the page that says why not), in Chinese, and holds what was typed.
async fn refused(visitor: &mut Visitor, address: &str, fields: &[(&str, &str)], word: &str, kept: &str) {
    let answer = visitor.post(address, fields).await;
    let what = format!("POST {address} {fields:?}");
    assert!(
        answer.status.is_client_error(),
        "{what}: {} {}",
        answer.status,
        answer.location
    );
    let said = in_chinese(&answer, &what);
    assert!(said.contains(word), "{what}: {said}");
    assert!(answer.text.contains(kept), "{what}: `{kept}` is lost");
}

async fn furnish(shop: &World) {
    for sql in [
        "insert into segment (corp_id, id, name, rule, version, created_by, created_at, updated_at) values
         (1, 801, '华东', '{\"region\":\"11\"}', 1, 'system', 0, 0),
         (1, 802, '没人', '{\"channel\":\"nobody\"}', 1, 'system', 0, 0)",
    ] {
        shop.run(sql).await;
    }
}

/// A draft for these people; answers its address.
async fn draft(visitor: &mut Visitor, segment: &str) -> String {
    let fields = [
        ("audience", "segment"),
        ("segment", segment),
        ("holdout", "0"),
        ("do", "next"),
    ];
    let made = visitor.post("/campaigns/new", &fields).await;
    made.location
        .strip_suffix("/content")
        .unwrap_or_else(|| panic!("{} {}", made.status, made.text))
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_composer_says_what_is_wrong_in_chinese() {
    let shop = World::open().await;
    furnish(&shop).await;
    let mut chen = Visitor::of(&shop, Role::Marketer, None, None).await;

    let new = "/campaigns/new";
    refused(
        &mut chen,
        new,
        &[("audience", "segment"), ("segment", "")],
        "先选",
        "",
    )
    .await;
    let gone = [("audience", "segment"), ("segment", "999"), ("do", "next")];
    refused(&mut chen, new, &gone, "换一个人群", "").await;
    let unknown = [
        ("audience", "rule"),
        ("rule", "{\"tag\":\"999\"}"),
        ("do", "next"),
    ];
    refused(&mut chen, new, &unknown, "标签", "").await;
    let unreadable = [("audience", "rule"), ("rule", "{\"colour\":1}"), ("do", "next")];
    refused(&mut chen, new, &unreadable, "条件", "").await;
    let holdout = [
        ("audience", "segment"),
        ("segment", "801"),
        ("holdout", "99"),
        ("do", "next"),
    ];
    refused(&mut chen, new, &holdout, "99", "").await;

    let campaign = draft(&mut chen, "801").await;
    let content = format!("{campaign}/content");
    let long = "字".repeat(1_400);
    let many = "名".repeat(61);
    for (fields, word, kept) in [
        (vec![("name", ""), ("text", "早")], "还没有名字", "早"),
        (vec![("name", many.as_str()), ("text", "早")], "61", many.as_str()),
        (vec![("name", "春"), ("text", " ")], "还没有内容", "春"),
        (
            vec![("name", "春"), ("text", "{customer} 早")],
            "{customer}",
            "{customer} 早",
        ),
        (
            vec![("name", "春"), ("text", long.as_str())],
            "太长",
            long.as_str(),
        ),
        (
            vec![
                ("name", "春"),
                ("text", "早"),
                ("link_title", "看"),
                ("link_url", "https://evil.example/"),
            ],
            "evil.example 不是公司允许的网站",
            "https://evil.example/",
        ),
        (
            vec![
                ("name", "春"),
                ("text", "早"),
                ("link_title", "看"),
                ("link_url", "http://shop.example.com/"),
            ],
            "https://",
            "http://shop.example.com/",
        ),
        (
            vec![
                ("name", "春"),
                ("text", "早"),
                ("link_title", ""),
                ("link_url", "https://shop.example.com/a"),
            ],
            "还没有标题",
            "https://shop.example.com/a",
        ),
        (
            vec![
                ("name", "春"),
                ("text", "早"),
                ("link_title", "看"),
                ("link_url", "https://a@shop.example.com/"),
            ],
            "用户名",
            "a@shop.example.com",
        ),
        (
            vec![("name", "春"), ("text", "早"), ("picture_url", "图片")],
            "不是网址",
            "#picture_url",
        ),
        (
            vec![
                ("name", "春"),
                ("text", "早"),
                ("extra_title", ""),
                ("extra_url", "https://shop.example.com/b"),
            ],
            "还没有标题",
            "#extra_title",
        ),
        (
            vec![
                ("name", "春"),
                ("text", "早"),
                ("extra_title", "看"),
                ("extra_url", "shop"),
            ],
            "不是网址",
            "#extra_url",
        ),
    ] {
        refused(&mut chen, &content, &fields, word, kept).await;
    }

    let time = format!("{campaign}/time");
    for (fields, word, kept) in [
        (
            vec![
                ("when", "at"),
                ("date", ""),
                ("clock", "10:00"),
                ("deadline", "none"),
            ],
            "没写全",
            "10:00",
        ),
        (
            vec![
                ("when", "at"),
                ("date", "2026-02-30"),
                ("clock", "10:00"),
                ("deadline", "none"),
            ],
            "没写全",
            "2026-02-30",
        ),
        (
            vec![
                ("when", "at"),
                ("date", "2026-12-01"),
                ("clock", "10:00"),
                ("deadline", "2026-11-30T10:00"),
            ],
            "截止时间",
            "2026-12-01",
        ),
        (
            vec![("when", "now"), ("date", ""), ("clock", ""), ("deadline", "soon")],
            "soon",
            "soon",
        ),
    ] {
        refused(&mut chen, &time, &fields, word, kept).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stops_a_schedule_is_said_in_chinese() {
    let shop = World::open().await;
    furnish(&shop).await;
    let mut chen = Visitor::of(&shop, Role::Marketer, None, None).await;

    let late = draft(&mut chen, "801").await;
    let past = [
        ("when", "at"),
        ("date", "2026-11-22"),
        ("clock", "10:00"),
        ("deadline", "none"),
        ("do", "next"),
    ];
    assert_eq!(
        chen.post(&format!("{late}/time"), &past).await.status,
        StatusCode::SEE_OTHER
    );
    refused(
        &mut chen,
        &format!("{late}/schedule"),
        &[],
        "已经过了",
        "id=\"date\"",
    )
    .await;

    let nobody = draft(&mut chen, "802").await;
    refused(
        &mut chen,
        &format!("{nobody}/schedule"),
        &[],
        "一位客户也没有",
        "",
    )
    .await;

    shop.run("update contact set opted_out_at = 1").await;
    let blocked = draft(&mut chen, "801").await;
    refused(&mut chen, &format!("{blocked}/schedule"), &[], "都发不了", "").await;
    shop.run("update contact set opted_out_at = null").await;

    shop.run("update corp set mini_store = null").await;
    let linkless = draft(&mut chen, "801").await;
    refused(
        &mut chen,
        &format!("{linkless}/schedule"),
        &[],
        "小店链接",
        "id=\"text\"",
    )
    .await;
    shop.run("update corp set mini_store = '{\"kind\":\"web\",\"url\":\"https://shop.example.com/home\"}'")
        .await;

    shop.run("update corp set approval_over = 1").await;
    let large = draft(&mut chen, "801").await;
    refused(&mut chen, &format!("{large}/schedule"), &[], "批准", "").await;
    shop.run("update corp set approval_over = null").await;

    // Scheduled: it is no draft any more, and its segment is in use.
    assert_eq!(
        chen.post(&format!("{large}/schedule"), &[]).await.status,
        StatusCode::SEE_OTHER
    );
    for page in ["content", "time", "audience"] {
        let fields = [
            ("audience", "segment"),
            ("segment", "801"),
            ("name", "春"),
            ("text", "早"),
        ];
        refused(&mut chen, &format!("{large}/{page}"), &fields, "不是草稿", "").await;
    }
    refused(&mut chen, &format!("{large}/schedule"), &[], "", "").await;
    refused(&mut chen, &format!("{large}/delete"), &[], "撤回来改", "").await;
    refused(
        &mut chen,
        "/segments/801",
        &[("do", "delete")],
        "在用这个人群",
        "",
    )
    .await;
    for (act, word) in [
        ("pause", "状态刚变了"),
        ("resume", "状态刚变了"),
        ("remind", "催不了"),
    ] {
        refused(&mut chen, &format!("{large}/{act}"), &[], word, "").await;
    }
    assert_eq!(
        chen.post(&format!("{large}/cancel"), &[]).await.status,
        StatusCode::SEE_OTHER
    );
    refused(&mut chen, &format!("{large}/cancel"), &[], "已经结束", "").await;
    refused(&mut chen, &format!("{large}/call-off"), &[], "状态刚变了", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_segment_builder_says_what_is_wrong_in_chinese() {
    let shop = World::open().await;
    furnish(&shop).await;
    let mut chen = Visitor::of(&shop, Role::Marketer, None, None).await;
    let row = |kind: &'static str, value: &'static str, days: &'static str, times: &'static str| {
        [
            ("group", "0"),
            ("kind", kind),
            ("op", "is"),
            ("value", value),
            ("days", days),
            ("times", times),
            ("amount", ""),
        ]
    };
    let many = "名".repeat(61);
    for (name, row, word, kept) in [
        ("春", row("tag", "", "", ""), "还没选", "春"),
        ("春", row("added", "", "0", ""), "天数", "value=\"0\""),
        ("春", row("ordered", "", "90", "x"), "整数", "value=\"x\""),
        // Readable, and refused by the rule's own limits or by whose it is.
        ("春", row("tag", "999", "", ""), "标签", "#rows-0"),
        ("春", row("store", "999", "", ""), "门店", "#rows-0"),
        ("", row("stage", "new", "", ""), "名字", ""),
        (many.as_str(), row("stage", "new", "", ""), "61", many.as_str()),
        (
            "华东",
            row("stage", "new", "", ""),
            "已经有叫“华东”的人群",
            "华东",
        ),
    ] {
        let fields: Vec<(&str, &str)> = [("do", "save"), ("name", name)].into_iter().chain(row).collect();
        refused(&mut chen, "/segments/new", &fields, word, kept).await;
    }
    for rule in [
        "x",
        "[]",
        "{\"all\":[]}",
        "{\"colour\":1}",
        "{\"tag\":1}",
        "{\"added\":{}}",
        "{\"added\":{\"within_days\":0}}",
        "{\"messaged\":{\"within_days\":7}}",
        "{\"messaged\":{\"within_days\":7,\"at_least\":3,\"at_most\":2}}",
        "{\"rfm\":{}}",
        "{\"rfm\":{\"r\":[6]}}",
        "{\"channel\":\"\"}",
        "{\"stage\":\"x\"}",
        "{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":{\"tag\":\"1\"}}}}}}}}}}",
    ] {
        let fields = [("do", "save"), ("name", "春"), ("rule", rule)];
        refused(&mut chen, "/segments/new", &fields, "", "").await;
        let shared = chen.get(&format!("/segments/new?rule={}", encoded(rule))).await;
        in_chinese(&shared, rule);
    }
    // A saved segment whose tag is gone opens, says so at its row, and can be mended.
    shop.run("update segment set rule = '{\"tag\":\"999\"}' where id = 802")
        .await;
    let broken = chen.get("/segments/802").await;
    assert_eq!(broken.status, StatusCode::OK);
    assert!(in_chinese(&broken, "a tag that is gone").contains("标签"));
    assert!(broken.text.contains("href=\"#rows-0\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn moments_and_links_say_what_is_wrong_in_chinese() {
    let shop = World::open().await;
    let mut chen = Visitor::of(&shop, Role::Marketer, None, None).await;
    let long = "字".repeat(2_001);
    for (fields, word, kept) in [
        (vec![("text", " ")], "还没有内容", ""),
        (vec![("text", long.as_str())], "太长", long.as_str()),
        (vec![("text", "上新 {customer}")], "{customer}", "上新 {customer}"),
        (
            vec![("text", "上新"), ("link_title", "看")],
            "还差链接地址",
            "上新",
        ),
        (
            vec![("text", "上新"), ("link_url", "https://shop.example.com/")],
            "还差链接标题",
            "上新",
        ),
        (
            vec![
                ("text", "上新"),
                ("link_title", "看"),
                ("link_url", "https://evil.example/"),
            ],
            "evil.example",
            "上新",
        ),
        (
            vec![("text", "上新"), ("send_at", "2026-11-22T10:00")],
            "已经过了",
            "2026-11-22T10:00",
        ),
        (vec![("text", "上新"), ("send_at", "soon")], "soon", "上新"),
        (vec![("text", "上新"), ("store", "999")], "发不了", "上新"),
        (vec![("text", "上新"), ("tag", "999")], "标签", "上新"),
        (vec![("text", "上新"), ("tag", "x")], "没读懂", ""),
    ] {
        refused(&mut chen, "/moments", &fields, word, kept).await;
    }

    let mut li = Visitor::of(&shop, Role::Associate, None, Some(31)).await;
    for (title, url, word) in [
        ("", "https://shop.example.com/", "标题"),
        ("看", "", "网址"),
        ("看", "shop", "网址"),
        ("看", "http://shop.example.com/", "https://"),
        ("看", "https://evil.example/", "evil.example"),
        (long.as_str(), "https://shop.example.com/", "太长"),
    ] {
        refused(&mut li, "/links", &[("title", title), ("url", url)], word, url).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customers_forms_and_addresses_say_what_is_wrong_in_chinese() {
    let shop = World::open().await;
    let mut li = Visitor::of(&shop, Role::Associate, None, Some(31)).await;
    let (remark, note) = ("名".repeat(21), "字".repeat(501));
    refused(&mut li, "/contacts/101/notes", &[("text", " ")], "还没写内容", "").await;
    refused(&mut li, "/contacts/101/notes", &[("text", &note)], "501", &note).await;
    let fields = [("remark", remark.as_str()), ("description", "爱羊绒")];
    refused(&mut li, "/contacts/101/remark", &fields, "21", "爱羊绒").await;
    refused(&mut li, "/contacts/101/tags", &[("add", "999")], "标签", "").await;
    refused(&mut li, "/contacts/101/tags", &[("add", "x")], "没读懂", "").await;
    refused(
        &mut li,
        "/contacts/tags",
        &[("id", "101"), ("tag", "999")],
        "标签",
        "",
    )
    .await;

    let mut zhou = Visitor::of(&shop, Role::Manager, Some(21), None).await;
    let report = "/stores/21/report";
    for (address, word) in [
        ("/contacts?tag=x".to_owned(), "筛选"),
        ("/contacts?added=0".to_owned(), "天数"),
        ("/contacts?after=x".to_owned(), "第一页"),
        (format!("{report}?period=year"), "year"),
        (format!("{report}?from=2026-02-30"), "2026-02-30"),
        (format!("{report}?from=2026-11-24&to=2026-11-20"), "366"),
    ] {
        let answer = zhou.get(&address).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{address}");
        assert!(in_chinese(&answer, &address).contains(word), "{address}");
    }
    let mut nobody = Visitor::new(&shop);
    nobody.get("/sign-in").await;
    let wrong = [("login", "li"), ("password", "x")];
    refused(&mut nobody, "/sign-in", &wrong, "账号或密码不对", "li").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_english_the_same_forms_speak_english() {
    let shop = World::open().await;
    let mut li = Visitor::of(&shop, Role::Associate, None, Some(31)).await;
    li.get("/contacts?lang=en").await;
    let answer = li.post("/contacts/101/notes", &[("text", " ")]).await;
    assert_eq!(
        answer.said(),
        ["Nothing is written yet. Write a sentence and save again"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_platform_fails_the_form_comes_back_with_everything_typed() {
    let street = Street::open().await;
    let mut li = Visitor::of(&street.shop, Role::Associate, None, Some(31)).await;
    let gold = street
        .shop
        .number("select id from tag where name = '金卡'")
        .await
        .to_string();
    let silver = street
        .shop
        .number("select id from tag where name = '银卡'")
        .await
        .to_string();
    let fail = |api: &str, fault: Fault| {
        street.sandbox.plan(Plan {
            api: api.into(),
            fault,
            times: 50,
        });
    };

    let typed = [("remark", "王姐"), ("description", "爱羊绒")];
    for (fault, word) in [
        (Fault::Errcode(48002), "48002"),
        (Fault::Errcode(84061), "不在导购的好友里"),
        (Fault::Status(502), "没响应"),
    ] {
        fail("externalcontact/remark", fault);
        refused(&mut li, "/contacts/101/remark", &typed, word, "爱羊绒").await;
        street.sandbox.forget_plans();
    }
    assert_eq!(
        street
            .shop
            .number("select count(*) from follow where remark = '王姐'")
            .await,
        0
    );
    assert_eq!(
        li.post("/contacts/101/remark", &typed).await.status,
        StatusCode::SEE_OTHER
    );

    fail("externalcontact/mark_tag", Fault::Errcode(48002));
    let chosen = format!("value=\"{gold}\" selected");
    refused(
        &mut li,
        "/contacts/101/tags",
        &[("add", &gold)],
        "没打上",
        &chosen,
    )
    .await;
    let bulk = [
        ("id", "102"),
        ("id", "103"),
        ("tag", gold.as_str()),
        ("return_to", "/contacts?q=103"),
    ];
    let answer = li.post("/contacts/tags", &bulk).await;
    assert!(in_chinese(&answer, "bulk").contains("没打上"));
    assert!(
        answer.text.contains("value=\"103\" checked"),
        "who was chosen stays chosen"
    );
    assert!(answer.text.contains(&chosen) && answer.text.contains("q=103"));
    assert!(
        !answer.text.contains("value=\"102\" checked"),
        "the list is narrowed as it was"
    );
    street.sandbox.forget_plans();

    // One of two: the other is done, and only the one that is not stays ticked.
    street.sandbox.plan(Plan {
        api: "externalcontact/mark_tag".into(),
        fault: Fault::Errcode(48002),
        times: 1,
    });
    let bulk = [
        ("id", "102"),
        ("id", "103"),
        ("tag", silver.as_str()),
        ("return_to", "/contacts"),
    ];
    let answer = li.post("/contacts/tags", &bulk).await;
    assert!(in_chinese(&answer, "one of two").contains("1 位没打上"));
    assert_eq!(answer.text.matches("\" checked").count(), 1);
}
