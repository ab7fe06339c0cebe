//! Headquarters and managers in a browser without script: every page asked over HTTP, every form posted as it stands.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use dianyu::auth::{self, NewOperator, Role};
use dianyu::ids::StoreId;
use secrecy::{ExposeSecret, SecretString};
use tower::ServiceExt;

use crate::world::World;

const PASSWORD: &str = "harbour-47-lantern-moss";

/// Somebody signed in, with a browser.
struct Browser {
    router: Router,
    cookie: String,
    csrf: String,
}

/// What came back.
struct Answer {
    status: StatusCode,
    location: String,
    text: String,
}

impl Browser {
    async fn of(shop: &World, login: &str, role: Role, store: Option<i64>) -> Self {
        let tx = shop.begin().await;
        let password = SecretString::from(PASSWORD);
        let new = NewOperator {
            login: login.into(),
            name: login.into(),
            role,
            password: Some(password.clone()),
            store: store.map(StoreId),
            region: None,
            associate: None,
        };
        auth::add_operator(&tx, &shop.act(), shop.corp, new)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let session = auth::sign_in(&shop.app, login, &password, "127.0.0.1")
            .await
            .unwrap();
        let token = session.token.expose_secret().to_owned();
        let csrf = auth::operator(&shop.app, &token).await.unwrap().csrf;
        let name = if shop.app.config.is_https() {
            "__Host-dianyu"
        } else {
            "dianyu"
        };
        Self {
            router: dianyu::web::router(shop.app.clone()).0,
            cookie: format!("{name}={token}"),
            csrf,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        let request = Request::get(path).header(header::COOKIE, &self.cookie);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut body = format!("csrf={}", self.csrf);
        for (name, value) in fields {
            body += &format!("&{name}={}", dianyu::web::session::encode(value));
        }
        let request = Request::post(path)
            .header(header::COOKIE, &self.cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response: Response<Body> = self.router.clone().oneshot(request).await.unwrap();
        let location = response.headers().get(header::LOCATION);
        let location = location
            .map(|to| to.to_str().unwrap().to_owned())
            .unwrap_or_default();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        Answer {
            status,
            location,
            text: String::from_utf8_lossy(&body).into_owned(),
        }
    }
}

#[tokio::test]
async fn every_board_opens_on_a_shop_that_sold_nothing() {
    let shop = World::open().await;
    let marketer = Browser::of(&shop, "xu", Role::Marketer, None).await;
    for path in [
        "/overview",
        "/overview?period=month&at=2026-10-05",
        "/stores/21/report",
        "/stores/21/report?from=2026-11-01&to=2026-11-10&sort=new",
        "/orders?store=21&from=2026-11-01&to=2026-11-10",
        "/segments",
        "/segments/new",
        "/campaigns",
        "/campaigns?state=draft",
        "/campaigns/new",
    ] {
        let answer = marketer.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        assert!(!answer.text.contains('⟦'), "{path} lacks a text: {}", answer.text);
    }
    let file = marketer.get("/stores/21/report.csv").await;
    assert!(file.text.contains("net_sales"), "{}", file.text);
    assert_eq!(
        marketer.get("/stores/21/report?at=yesterday").await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
}

#[tokio::test]
async fn a_manager_lands_on_the_stores_report_and_sees_no_other() {
    let shop = World::open().await;
    let manager = Browser::of(&shop, "zhou", Role::Manager, Some(21)).await;
    assert_eq!(manager.get("/").await.location, "/stores/21/report");
    assert_eq!(manager.get("/stores/21/report").await.status, StatusCode::OK);
    assert_eq!(
        manager.get("/stores/23/report").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(manager.get("/segments").await.status, StatusCode::FORBIDDEN);
    assert_eq!(manager.get("/campaigns/new").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_segment_is_built_row_by_row_and_kept_as_typed() {
    let shop = World::open().await;
    let marketer = Browser::of(&shop, "xu", Role::Marketer, None).await;
    let store = [
        ("group", "0"),
        ("kind", "store"),
        ("op", "is"),
        ("value", "21"),
        ("days", ""),
        ("times", ""),
        ("amount", ""),
    ];
    let with = |more: &[(&'static str, &'static str)]| [&store[..], more].concat();

    let added = marketer
        .post("/segments/new", &with(&[("name", "静安"), ("do", "add")]))
        .await;
    assert_eq!(added.status, StatusCode::SEE_OTHER);
    let again = marketer.get(&added.location).await;
    assert!(again.text.contains("value=\"静安\""), "{}", again.text);
    assert!(again.text.contains("属于静安嘉里店的客户，6 位。"));
    assert!(again.text.contains("加上这条后剩 6 位"));
    assert!(again.text.contains("还没选，先不算这一条"));

    let nameless = marketer
        .post("/segments/new", &with(&[("name", " "), ("do", "save")]))
        .await;
    assert_eq!(nameless.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(nameless.text.contains("<title>出错："), "{}", nameless.text);

    let counted = marketer.post("/segments/preview", &store).await;
    assert!(counted.text.contains(">6<"), "{}", counted.text);

    let saved = marketer
        .post("/segments/new", &with(&[("name", "静安"), ("do", "use")]))
        .await;
    assert!(
        saved.location.starts_with("/campaigns/new?segment="),
        "{} {}",
        saved.location,
        saved.text
    );
    assert!(marketer.get("/segments").await.text.contains("静安"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_builder_offers_what_there_is_and_keeps_what_a_rule_names() {
    let shop = World::open().await;
    let link = |id: i64, title: &str| {
        format!(
            "(1, {id}, 'code{id}', '{title}', '{{\"kind\":\"web\",\"url\":\"https://shop.example.com/\"}}', 21, 31, 'system', {id})"
        )
    };
    let links: Vec<String> = (1_000..1_100).map(|id| link(id, "新款")).collect();
    shop.run(&format!(
        "insert into link (corp_id, id, code, title, target, store_id, associate_id, created_by, created_at) values {}, {}",
        link(900, "冬日连衣裙"),
        links.join(", ")
    ))
    .await;
    shop.run(
        "insert into product (corp_id, id, sku, name, category, price_fen, page, status, updated_at) values
         (1, 1, 'D1', '碎花裙', '连衣裙', 100, '', 'on', 0), (1, 2, 'C1', '大衣', '外套', 100, '', 'on', 0), (1, 3, 'X', 'X', '', 1, '', 'on', 0)",
    )
    .await;
    shop.run("update follow set channel = '店内海报' where contact_id = 101")
        .await;
    shop.run("update associate set name = 'zz' where id = 31").await;
    let many: Vec<String> = (5_000..5_200)
        .map(|id| format!("(1, {id}, 'u{id}', 'a', 21, 'active', 0, 0)"))
        .collect();
    shop.run(&format!(
        "insert into associate (corp_id, id, userid, name, store_id, status, created_at, seen_at) values {}",
        many.join(", ")
    ))
    .await;
    let marketer = Browser::of(&shop, "xu", Role::Marketer, None).await;
    let row = |kind: &'static str, value: &'static str, days: &'static str| {
        [
            ("group", "0"),
            ("kind", kind),
            ("was", kind),
            ("op", "is"),
            ("value", value),
            ("days", days),
            ("times", ""),
            ("amount", ""),
        ]
    };

    // A link and an associate of a rule are named and stay chosen, however many others are offered before them.
    let named = [row("clicked", "900", "7"), row("associate", "31", "")].concat();
    let save = [&named[..], &[("name", "看过"), ("do", "save")]].concat();
    let segment = marketer.post("/segments/new", &save).await.location;
    let path = segment.split('?').next().unwrap();
    let page = marketer.get(path).await.text;
    for part in [
        "7 天内点过“冬日连衣裙”",
        r#"<option value="900" selected>冬日连衣裙 · zz · "#,
        r#"<option value="31" selected>zz</option>"#,
        r#"<option value="1099">新款 · zz · "#,
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(marketer.get("/segments").await.text.contains("点过“冬日连衣裙”"));

    // So does one whose days are still missing, and one that a refused form of a rule named.
    let undated = marketer
        .get("/segments/new?kind=clicked&value=900&days=")
        .await
        .text;
    assert!(
        undated.contains(r#"<option value="900" selected>冬日连衣裙"#),
        "{undated}"
    );
    let refused = marketer
        .post(
            "/tags/rules",
            &[("kind", "clicked"), ("link", "900"), ("tag", "")],
        )
        .await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        refused.text.contains(r#"<option value="900" selected>"#),
        "{}",
        refused.text
    );

    // A link that is gone is not taken for any link.
    shop.run("delete from link where id = 900").await;
    let page = marketer.get(path).await.text;
    assert!(page.contains(r#"<option value="900" selected>已不在的链接</option>"#));
    let kept = marketer.post(path, &save).await;
    assert_eq!(kept.status, StatusCode::UNPROCESSABLE_ENTITY);

    // Categories and channels are offered; one that no product is in is told at once.
    let bought = row("ordered", "裙子", "90");
    let told = "商品目录里没有“裙子”这个品类。目录里有：外套、连衣裙。";
    let page = marketer
        .post("/segments/new", &[&bought[..], &[("do", "update")]].concat())
        .await;
    let page = marketer.get(&page.location).await.text;
    assert!(
        page.contains(told) && page.contains(r#"<option value="连衣裙"></option>"#),
        "{page}"
    );
    assert!(
        marketer
            .post("/segments/preview", &bought)
            .await
            .text
            .contains(told)
    );
    let real = marketer
        .post("/segments/preview", &row("ordered", "连衣裙", "90"))
        .await;
    assert!(!real.text.contains("商品目录里没有"), "{}", real.text);
    let mut page = String::new();
    for _ in 0..100 {
        page = marketer.get("/segments/new?kind=channel&value=x").await.text;
        if page.contains(r#"<option value="店内海报"></option>"#) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(page.contains(r#"<option value="店内海报"></option>"#), "{page}");
    let rules = marketer.get("/tags/rules").await.text;
    for word in ["店内海报", "外套"] {
        assert!(
            rules.contains(&format!(r#"<option value="{word}"></option>"#)),
            "{rules}"
        );
    }

    // What was said of another kind of condition is not carried along.
    let turned: Vec<_> = row("region", "21", "")
        .map(|(name, value)| (name, if name == "was" { "store" } else { value }))
        .into_iter()
        .chain([("do", "update")])
        .collect();
    let turned = marketer.post("/segments/new", &turned).await.location;
    assert!(
        turned.contains("kind=region") && turned.contains("value=&"),
        "{turned}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_is_saved_as_it_was_sent_or_not_at_all() {
    let shop = World::open().await;
    let marketer = Browser::of(&shop, "xu", Role::Marketer, None).await;
    let row = |group: &'static str, kind: &'static str, value: &'static str, times: &'static str| {
        [
            ("group", group),
            ("kind", kind),
            ("op", "is"),
            ("value", value),
            ("days", "30"),
            ("times", times),
            ("amount", ""),
        ]
    };
    let save = [("name", "春"), ("do", "save")];
    let long: &'static str = "x".repeat(200).leak();
    let many: Vec<_> = (0..31).flat_map(|_| row("0", "added", "", "")).collect();
    for (fields, word) in [
        (many, "最多 30 条"),
        (row("0", "channel", long, "").to_vec(), "128"),
        (row("0", "ordered", "", "0").to_vec(), "0"),
        (row("0", "messaged-at-least", "", "0").to_vec(), "0"),
        (vec![("rule", r#"{"channel":"a\u0000b"}"#)], "128"),
    ] {
        let refused = marketer
            .post("/segments/new", &[&fields[..], &save].concat())
            .await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{fields:?}");
        assert!(refused.text.contains(word), "{word}: {}", refused.text);
    }
    assert_eq!(shop.number("select count(*) from segment").await, 0);

    // A rule deeper than the form is counted, and goes along whatever is pressed.
    let deep = r#"{"not":{"any":[{"store":"21"},{"all":[{"store":"23"},{"added":{"within_days":1}}]}]}}"#;
    let fields = [("rule", deep), ("name", "别处的")];
    let counted = marketer.post("/segments/preview", &fields).await;
    assert!(counted.text.contains("class=\"reach num\""), "{}", counted.text);
    let pressed = marketer
        .post("/segments/new", &[&fields[..], &[("do", "update")]].concat())
        .await;
    let page = marketer.get(&pressed.location).await.text;
    assert!(
        page.contains("value=\"别处的\"") && page.contains("name=\"rule\""),
        "{page}"
    );

    // The last row leaves an empty one, not what was saved before.
    let saved = marketer
        .post(
            "/segments/new",
            &[&row("0", "store", "21", "")[..], &save].concat(),
        )
        .await;
    let path = saved.location.split('?').next().unwrap().to_owned();
    let renamed = [("name", "夏"), ("do", "remove-0")];
    let emptied = marketer
        .post(&path, &[&row("0", "store", "21", "")[..], &renamed].concat())
        .await;
    let page = marketer.get(&emptied.location).await.text;
    assert!(
        page.contains("value=\"夏\"") && !page.contains("value=\"21\" selected"),
        "{page}"
    );
}

#[tokio::test]
async fn what_a_rule_may_not_mean_is_said_and_who_uses_a_segment_is_listed() {
    let shop = World::open().await;
    let marketer = Browser::of(&shop, "xu", Role::Marketer, None).await;
    let row = |group: &'static str, kind: &'static str, op: &'static str, value: &'static str| {
        [
            ("group", group),
            ("kind", kind),
            ("op", op),
            ("value", value),
            ("days", ""),
            ("times", ""),
            ("amount", ""),
        ]
    };
    let store = row("0", "store", "is", "21");
    let not_store = row("1", "store", "not", "21");
    let counted = marketer
        .post("/segments/preview", &[store, not_store].concat())
        .await;
    assert!(
        counted.text.contains("第 2 条和第 1 条不可能同时成立"),
        "{}",
        counted.text
    );
    // A script puts what is left after each group where the group is.
    assert!(
        counted
            .text
            .contains(r#"<template data-into="left-0">加上这条后剩 6 位</template>"#)
            && counted
                .text
                .contains(r#"<template data-into="left-1">加上这条后剩 0 位</template>"#),
        "{}",
        counted.text
    );
    let either = row("0", "store", "not", "21");
    let everybody = marketer
        .post("/segments/preview", &[store, either].concat())
        .await;
    assert!(everybody.text.contains("没有筛掉任何人"), "{}", everybody.text);
    let found = marketer.post("/segments/preview", &store).await;
    assert!(!found.text.contains("note w"), "{}", found.text);

    let save = [&store[..], &[("name", "静安"), ("do", "save")]].concat();
    let saved = marketer.post("/segments/new", &save).await;
    let segment = saved.location.split('?').next().unwrap().to_owned();
    assert!(marketer.get(&segment).await.text.contains("还没有群发用到它"));
    let id = segment.rsplit('/').next().unwrap().to_owned();
    let begun = marketer
        .post(
            "/campaigns/new",
            &[
                ("audience", "segment"),
                ("segment", id.as_str()),
                ("holdout", "0"),
            ],
        )
        .await;
    assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.text);
    let campaign = begun.location.trim_end_matches("/content");
    let page = marketer.get(&segment).await;
    assert!(
        page.text.contains(&format!("href=\"{campaign}\"")) && page.text.contains("草稿"),
        "{}",
        page.text
    );
}

#[tokio::test]
async fn a_campaign_is_written_page_by_page_and_scheduled() {
    let shop = World::open().await;
    let marketer = Browser::of(&shop, "xu", Role::Marketer, None).await;
    let nobody = marketer
        .post("/campaigns/new", &[("audience", "segment"), ("holdout", "10")])
        .await;
    assert_eq!(nobody.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(nobody.text.contains("先选发给谁"));

    let rule = r#"{"store":"21"}"#;
    let begun = marketer
        .post(
            "/campaigns/new",
            &[("audience", "rule"), ("rule", rule), ("holdout", "0")],
        )
        .await;
    let base = begun
        .location
        .strip_suffix("/content")
        .unwrap_or_else(|| panic!("{}", begun.text))
        .to_owned();
    for page in ["audience", "content", "time", "review"] {
        let answer = marketer.get(&format!("{base}/{page}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{page}: {}", answer.text);
    }

    let content = |text: &'static str| {
        [
            ("name", "冬日先享"),
            ("text", text),
            ("link_title", "连衣裙"),
            ("link_url", "https://shop.example.com/dress"),
        ]
    };
    let wrong = marketer
        .post(&format!("{base}/content"), &content("你好{称呼}"))
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", wrong.text);
    assert!(
        wrong.text.contains("你好{称呼}") && wrong.text.contains("href=\"#text\""),
        "{}",
        wrong.text
    );
    let right = marketer
        .post(&format!("{base}/content"), &content("我是{导购}"))
        .await;
    assert_eq!(right.location, format!("{base}/time"), "{}", right.text);

    let at = |date: &'static str| {
        [
            ("when", "at"),
            ("date", date),
            ("clock", "10:00"),
            ("deadline", "same"),
        ]
    };
    let impossible = marketer.post(&format!("{base}/time"), &at("2026-02-30")).await;
    assert_eq!(impossible.status, StatusCode::UNPROCESSABLE_ENTITY);
    let timed = marketer.post(&format!("{base}/time"), &at("2026-11-29")).await;
    assert_eq!(timed.location, format!("{base}/review"), "{}", timed.text);

    let review = marketer.get(&timed.location).await;
    assert!(
        review.text.contains("2 位导购把它发给 6 位客户"),
        "{}",
        review.text
    );
    assert!(review.text.contains("我是xu"), "the preview is by sender");
    let scheduled = marketer.post(&format!("{base}/schedule"), &[]).await;
    assert_eq!(scheduled.location, base, "{}", scheduled.text);
    let live = marketer.get(&base).await;
    assert!(
        live.text.contains("已定时") && live.text.contains("要发给 6 位客户"),
        "{}",
        live.text
    );
    assert_eq!(
        marketer.get(&format!("{base}/review")).await.status,
        StatusCode::CONFLICT
    );
    for page in ["live", "result", "deliveries", "deliveries?state=planned"] {
        assert_eq!(
            marketer.get(&format!("{base}/{page}")).await.status,
            StatusCode::OK,
            "{page}"
        );
    }

    let back = marketer.post(&format!("{base}/call-off"), &[]).await;
    assert_eq!(back.location, format!("{base}/review"), "{}", back.text);
    assert_eq!(
        marketer.post(&format!("{base}/delete"), &[]).await.location,
        "/campaigns"
    );
}

#[tokio::test]
async fn a_second_person_approves_what_is_large() {
    let shop = World::open().await;
    shop.run("update corp set approval_over = 3").await;
    let writer = Browser::of(&shop, "xu", Role::Marketer, None).await;
    let other = Browser::of(&shop, "chen", Role::Marketer, None).await;
    let rule = r#"{"store":"21"}"#;
    let begun = writer
        .post(
            "/campaigns/new",
            &[("audience", "rule"), ("rule", rule), ("holdout", "0")],
        )
        .await;
    let base = begun.location.strip_suffix("/content").unwrap().to_owned();
    let review = format!("{base}/review");
    assert!(
        writer
            .get(&review)
            .await
            .text
            .contains("把这一页的网址发给另一位")
    );
    assert!(other.get(&review).await.text.contains("批准（6 位）"));
    let approved = other.post(&format!("{base}/approve"), &[]).await;
    assert_eq!(approved.location, review, "{}", approved.text);
    assert!(writer.get(&review).await.text.contains("现在发出（6 位）"));
}
