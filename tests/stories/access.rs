//! Who may see what: every route there is, taken from the router itself, tried by people it is not for.
//!
//! Two corps hold the same ids everywhere. Corp 2's words all hold `别家`; in corp 1 the associate `li` has contacts, an
//! order, a campaign, a link and a moment that nobody below must see or change. Contact 101 is shared with `zhao` of
//! store 22: that store sees the contact, and nothing of what went on in store 21.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use dianyu::auth::{self, NewOperator, Policy, Role};
use dianyu::contacts::Phone;
use dianyu::ids::{AssociateId, ContactId, CorpId, StoreId};
use dianyu::routes::Entry;
use secrecy::{ExposeSecret, SecretString};
use tower::ServiceExt;

use crate::world::World;

const PASSWORD: &str = "tide-lantern-47-moss";

/// Somebody who tries.
struct Visitor {
    name: &'static str,
    cookie: Option<String>,
    csrf: String,
    key: Option<String>,
    /// What must never be in an answer to them.
    never: &'static [&'static str],
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_or_changes_what_is_not_theirs() {
    let shop = World::open().await;
    furnish(&shop).await;
    let (router, table) = dianyu::server::router(&shop.app);
    let visitors = visitors(&shop).await;
    let before = fingerprint(&shop).await;
    let mut wrong = Vec::new();
    for entry in &table {
        for visitor in &visitors {
            for filled in addresses(&entry.path) {
                try_one(&router, entry, visitor, &filled, &mut wrong).await;
                if entry.method != Method::GET {
                    let after = fingerprint(&shop).await;
                    if after != before {
                        wrong.push(format!(
                            "{} {filled} by {}: changed\n  {before}\n  {after}",
                            entry.method, visitor.name
                        ));
                        assert!(wrong.len() < 40, "{}", wrong.join("\n"));
                        // Go on from where it stood, so that one mistake is told once.
                        return assert!(wrong.is_empty(), "{}", wrong.join("\n"));
                    }
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong answers:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_has_a_policy_and_public_ones_are_known() {
    let shop = World::open().await;
    let (_, table) = dianyu::server::router(&shop.app);
    assert!(table.len() > 80, "only {} routes", table.len());
    let open: Vec<String> = table
        .iter()
        .filter(|entry| matches!(entry.policy, Policy::Public | Policy::OwnProof))
        .map(|entry| format!("{} {}", entry.method, entry.path))
        .collect();
    insta::assert_snapshot!(open.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn not_mine_and_not_there_read_the_same() {
    let shop = World::open().await;
    furnish(&shop).await;
    let (router, table) = dianyu::server::router(&shop.app);
    let visitors = visitors(&shop).await;
    for entry in table
        .iter()
        .filter(|entry| entry.method == Method::GET && entry.path.contains("{id}"))
    {
        let visitor = visitors
            .iter()
            .find(|visitor| visitor.name == "associate wu")
            .unwrap();
        if entry.path.starts_with("/api") {
            continue;
        }
        let mine = answer(
            &router,
            entry,
            visitor,
            &entry.path.replace("{id}", &target(&entry.path)),
        )
        .await;
        let nowhere = answer(&router, entry, visitor, &entry.path.replace("{id}", "999999999")).await;
        if mine.0 == StatusCode::OK {
            // A store's name or a campaign the associate takes part in may be theirs to see.
            continue;
        }
        assert_eq!(mine.0, nowhere.0, "{}", entry.path);
        assert_eq!(strip(&mine.1), strip(&nowhere.1), "{}", entry.path);
    }
}

/// What differs from request to request by design.
fn strip(body: &str) -> String {
    body.lines()
        .filter(|line| !line.contains("csrf") && !line.contains("nonce"))
        .collect()
}

async fn try_one(router: &Router, entry: &Entry, visitor: &Visitor, address: &str, wrong: &mut Vec<String>) {
    let (status, body) = answer(router, entry, visitor, address).await;
    let what = format!("{} {address} by {}", entry.method, visitor.name);
    // There is no platform behind this shop: what needs it may say so.
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        wrong.push(format!("{what}: {status}"));
    }
    for canary in visitor.never.iter().chain(&["13800006027", "0000 6027"]) {
        if body.contains(canary) {
            wrong.push(format!("{what}: tells `{canary}` ({status})"));
        }
    }
    let is_open = matches!(entry.policy, Policy::Public | Policy::OwnProof);
    if visitor.cookie.is_none() && visitor.key.is_none() && !is_open && status.is_success() {
        wrong.push(format!("{what}: {status} for nobody"));
    }
    if visitor.name == "key without scopes"
        && entry.path.starts_with("/api/v1")
        && status != StatusCode::FORBIDDEN
    {
        wrong.push(format!("{what}: {status}, not 403"));
    }
}

async fn answer(router: &Router, entry: &Entry, visitor: &Visitor, address: &str) -> (StatusCode, String) {
    let mut request = Request::builder()
        .method(entry.method.clone())
        .uri(address)
        .header(header::HOST, "127.0.0.1:8080")
        .header(header::ORIGIN, "http://127.0.0.1:8080");
    if let Some(cookie) = &visitor.cookie {
        request = request.header(header::COOKIE, format!("dianyu={cookie}"));
    }
    if let Some(key) = &visitor.key {
        request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
    }
    let body = if entry.method == Method::GET {
        Body::empty()
    } else if entry.path.starts_with("/api/") {
        request = request.header(header::CONTENT_TYPE, "application/json");
        Body::from(json_body(&entry.path))
    } else {
        request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        Body::from(format!(
            "csrf={}&name=x&text=x&remark=x&description=x&title=x&add=402&remove=402&tag=402&contact=102&contact_ids=102&fields-1201=x&what=x&due_day=2026-11-24&query=quiet%3D60&return_to=%2F&kind=channel&channel=x&to=off&into=403&keep=102&ids=102+114",
            visitor.csrf
        ))
    };
    let mut request = request.body(body).unwrap();
    request
        .extensions_mut()
        .insert(axum::extract::ConnectInfo(std::net::SocketAddr::from((
            [127, 0, 0, 1],
            4000,
        ))));
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    // Streams of events do not end by themselves.
    let body = tokio::time::timeout(
        std::time::Duration::from_millis(1_500),
        axum::body::to_bytes(response.into_body(), 4 * 1024 * 1024),
    )
    .await;
    let body = body.ok().and_then(Result::ok).unwrap_or_default();
    (status, String::from_utf8_lossy(&body).into_owned())
}

fn json_body(path: &str) -> &'static str {
    match path {
        path if path.ends_with("/contacts/tags") => r#"{"contact_ids":["102"],"add":["402"],"remove":[]}"#,
        "/api/v1/imports" => r#"{"kind":"contacts","text":"external_userid,birthday\nwmSim102,03-08\n"}"#,
        "/api/v1/exports" => r#"{"kind":"contacts"}"#,
        "/api/v1/tags/marks" => r#"{"rule":{"tag":"402"},"add":["402"]}"#,
        "/api/v1/tag-rules" => r#"{"when":{"channel":"x"},"tag_id":"402"}"#,
        path if path.starts_with("/api/v1/tag-rules/") => r#"{"on":false}"#,
        path if path.ends_with("/merge") => r#"{"merged_id":"114"}"#,
        path if path.ends_with("/undo") => "{}",
        path if path.ends_with("/merger") => r#"{"into":"403"}"#,
        "/api/v1/contact-fields" => r#"{"name":"x","kind":"text"}"#,
        "/api/v1/contacts/{id}" => r#"{"fields":{"1201":"x"}}"#,
        path if path.ends_with("/notes") => r#"{"text":"x"}"#,
        path if path.ends_with("/contacts/{id}/follow-ups") => r#"{"what":"x","due_day":"2026-11-24"}"#,
        "/api/v1/follow-ups/{id}" => r#"{"due_day":"2026-11-24"}"#,
        path if path.ends_with("/completion") || path.ends_with("/phone") => "{}",
        path if path.ends_with("/tags") => r#"{"add":["402"],"remove":[]}"#,
        _ => r#"{"name":"x"}"#,
    }
}

/// The route's address with li's and the store's ids in it.
fn addresses(path: &str) -> Vec<String> {
    if !path.contains('{') {
        return vec![path.to_owned()];
    }
    let filled = path
        .replace("{code}", "codeOfLi001")
        .replace("{order_no}", "CANARYORDER")
        .replace("{corp}", crate::world::CORPID)
        .replace("{associate}", "31")
        .replace("{hash}", "0")
        .replace("{name}", "app.css");
    let own = filled.replace("{id}", &target(path));
    assert!(!own.contains('{'), "`{path}` has a place this test does not fill");
    let shared = path
        .contains("/contacts/{id}")
        .then(|| filled.replace("{id}", "101"));
    std::iter::once(own).chain(shared).collect()
}

fn target(path: &str) -> String {
    if !path.contains("{id}") {
        return String::new();
    }
    let path = path.trim_start_matches("/api/v1");
    if path.starts_with("/tags/groups") {
        return "401".to_owned();
    }
    if path.starts_with("/admin/fields") {
        return "1201".to_owned();
    }
    let id = match path.split('/').nth(1).unwrap_or_default() {
        "stores" => 21,
        "regions" => 11,
        "associates" => 31,
        "contacts" => 102,
        "tag-groups" => 401,
        "tags" => 402,
        "welcomes" => 411,
        "campaigns" => 501,
        "tasks" => 511,
        "links" => 601,
        "moments" => 701,
        "segments" => 801,
        "imports" | "exports" => 102,
        "contact-fields" => 1201,
        "notes" => 1001,
        "follow-ups" => 1301,
        "tag-rules" => 402,
        "merges" => 1401,
        other => panic!("no target for `{other}`"),
    };
    id.to_string()
}

async fn visitors(shop: &World) -> Vec<Visitor> {
    let wu = sign_in(shop, shop.corp, "wu", Role::Associate, None, Some(32)).await;
    let north = sign_in(shop, shop.corp, "north", Role::Manager, Some(23), None).await;
    let lakeside = sign_in(shop, shop.corp, "lakeside", Role::Manager, Some(22), None).await;
    let zhao = sign_in(shop, shop.corp, "zhao", Role::Associate, None, Some(33)).await;
    let other = sign_in(shop, CorpId(2), "other-admin", Role::Admin, None, None).await;
    let tx = shop.begin().await;
    let scopes = ["welcomes:read".to_owned()];
    let (_, bare) = auth::add_key(&tx, &shop.act(), shop.corp, "bare", &scopes, None)
        .await
        .unwrap();
    let all: Vec<String> = auth::key_scopes().into_iter().map(str::to_owned).collect();
    let (_, others) = auth::add_key(&tx, &shop.act(), CorpId(2), "others", &all, None)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    shop.run("update api_key set scopes = 'none' where name = 'bare'")
        .await;
    let nobody: &[&str] = &[
        "客户10",
        "客户11",
        "李晓雯",
        "CANARYORDER",
        "静安嘉里店",
        "暗号",
        "别家",
    ];
    let sharing: &[&str] = &[
        "客户102",
        "客户105",
        "客户110",
        "李晓雯",
        "CANARYORDER",
        "暗号",
        "别家",
    ];
    let corp_2: &[&str] = &[
        "客户10",
        "客户11",
        "李晓雯",
        "吴桐",
        "静安嘉里店",
        "三里屯",
        "暗号",
    ];
    vec![
        Visitor {
            name: "nobody",
            cookie: None,
            csrf: String::new(),
            key: None,
            never: nobody,
        },
        Visitor {
            name: "associate wu",
            cookie: Some(wu.0),
            csrf: wu.1,
            key: None,
            never: &[
                "客户102",
                "客户103",
                "客户104",
                "客户107",
                "客户110",
                "CANARYORDER",
                "暗号",
                "别家",
            ],
        },
        Visitor {
            name: "manager of the north",
            cookie: Some(north.0),
            csrf: north.1,
            key: None,
            never: &[
                "客户101",
                "客户102",
                "客户105",
                "客户107",
                "李晓雯",
                "CANARYORDER",
                "暗号",
                "别家",
            ],
        },
        Visitor {
            name: "manager of the lakeside",
            cookie: Some(lakeside.0),
            csrf: lakeside.1,
            key: None,
            never: sharing,
        },
        Visitor {
            name: "associate zhao",
            cookie: Some(zhao.0),
            csrf: zhao.1,
            key: None,
            never: sharing,
        },
        Visitor {
            name: "admin of corp 2",
            cookie: Some(other.0),
            csrf: other.1,
            key: None,
            never: corp_2,
        },
        Visitor {
            name: "key of corp 2",
            cookie: None,
            csrf: String::new(),
            key: Some(others.expose_secret().to_owned()),
            never: corp_2,
        },
        Visitor {
            name: "key without scopes",
            cookie: None,
            csrf: String::new(),
            key: Some(bare.expose_secret().to_owned()),
            never: nobody,
        },
    ]
}

async fn sign_in(
    shop: &World,
    corp: CorpId,
    login: &str,
    role: Role,
    store: Option<i64>,
    associate: Option<i64>,
) -> (String, String) {
    let tx = shop.begin().await;
    let new = NewOperator {
        login: login.into(),
        name: login.into(),
        role,
        password: Some(SecretString::from(PASSWORD)),
        store: store.map(StoreId),
        region: None,
        associate: associate.map(AssociateId),
    };
    auth::add_operator(&tx, &shop.act(), corp, new).await.unwrap();
    tx.commit().await.unwrap();
    let session = auth::sign_in(&shop.app, login, &SecretString::from(PASSWORD), "127.0.0.1")
        .await
        .unwrap();
    let token = session.token.expose_secret().to_owned();
    let csrf = auth::operator(&shop.app, &token).await.unwrap().csrf;
    (token, csrf)
}

/// Everything of corp 1 that these visitors have no business changing.
async fn fingerprint(shop: &World) -> String {
    let mut parts = Vec::new();
    for (what, sql) in [
        (
            "contact",
            "select name || coalesce(birthday, '') || cast(updated_at as text) from contact where corp_id = 1 and id = 102",
        ),
        (
            "follow",
            "select remark || description || tags || state from follow where corp_id = 1 and id = 10231",
        ),
        (
            "timeline",
            "select cast(count(*) as text) from timeline where corp_id = 1 and contact_id = 102",
        ),
        (
            "values",
            "select value from contact_value where corp_id = 1 and contact_id = 102",
        ),
        (
            "views",
            "select cast(count(*) as text) from contact_view where corp_id = 1 and operator_id = 0",
        ),
        (
            "phones shown",
            "select cast(count(*) as text) from audit_entry where corp_id = 1 and action = 'contact.phone'",
        ),
        (
            "note",
            "select kind from timeline where corp_id = 1 and id = 1001",
        ),
        (
            "follow-up",
            "select state || due_day from follow_up where corp_id = 1 and id = 1301",
        ),
        (
            "follow-ups",
            "select cast(count(*) as text) from follow_up where corp_id = 1 and contact_id = 102",
        ),
        (
            "tags",
            "select cast(count(*) as text) from tag where corp_id = 1 and deleted_at is null",
        ),
        ("tag", "select name from tag where corp_id = 1 and id = 402"),
        (
            "group",
            "select name from tag_group where corp_id = 1 and id = 401 and deleted_at is null",
        ),
        (
            "segments",
            "select cast(count(*) as text) from segment where corp_id = 1 and deleted_at is null",
        ),
        (
            "segment",
            "select name || rule from segment where corp_id = 1 and id = 801",
        ),
        (
            "campaigns",
            "select cast(count(*) as text) from campaign where corp_id = 1",
        ),
        (
            "campaign",
            "select name || state || content || coalesce(approved_by, '') from campaign where corp_id = 1 and id = 501",
        ),
        (
            "delivery",
            "select state from delivery where corp_id = 1 and campaign_id = 501 and contact_id = 102",
        ),
        (
            "link",
            "select title || target || cast(coalesce(closed_at, 0) as text) from link where corp_id = 1 and id = 601",
        ),
        (
            "moments",
            "select cast(count(*) as text) from moment where corp_id = 1",
        ),
        (
            "moment",
            "select text || state from moment where corp_id = 1 and id = 701",
        ),
        (
            "welcomes",
            "select cast(count(*) as text) from welcome where corp_id = 1",
        ),
        (
            "welcome",
            "select text from welcome where corp_id = 1 and id = 411",
        ),
        (
            "store",
            "select name || code || status from store where corp_id = 1 and id = 21",
        ),
        (
            "stores",
            "select cast(count(*) as text) from store where corp_id = 1",
        ),
        ("region", "select name from region where corp_id = 1 and id = 11"),
        (
            "orders",
            "select cast(count(*) as text) from sale where corp_id = 1",
        ),
        (
            "operators",
            "select cast(count(*) as text) from operator where corp_id = 1",
        ),
        (
            "syncs",
            "select cast(count(*) as text) from sync_run where corp_id = 1",
        ),
        (
            "imports",
            "select cast(count(*) as text) from contact_import where corp_id = 1",
        ),
        (
            "import",
            "select state from contact_import where corp_id = 1 and id = 102",
        ),
        (
            "export",
            "select state from contact_export where corp_id = 1 and id = 102",
        ),
        (
            "markings",
            "select cast(count(*) as text) from marking where corp_id = 1",
        ),
        (
            "merges",
            "select cast(count(*) as text) || cast(coalesce(max(undone_at), 0) as text) from contact_merge where corp_id = 1",
        ),
        (
            "rules",
            "select cast(count(*) as text) from tag_rule where corp_id = 1 and deleted_at is null",
        ),
        (
            "rule",
            "select condition || cast(version as text) from tag_rule where corp_id = 1 and id = 402",
        ),
        (
            "marking",
            "select state || cast(turn as text) from marking where corp_id = 1 and id = 402",
        ),
        (
            "fields",
            "select cast(count(*) as text) from contact_field where corp_id = 1 and deleted_at is null",
        ),
        (
            "marks",
            "select cast(count(*) as text) from store_mark where corp_id = 1",
        ),
    ] {
        let value: Option<String> = dianyu::db::scalar(&shop.app.db, sql, vec![]).await.unwrap();
        parts.push(format!("{what}={}", value.unwrap_or_default()));
    }
    parts.join(" ")
}

/// In both corps, under the same ids: a tag, a segment, a campaign with li's contact, a link, a moment, an order.
async fn furnish(shop: &World) {
    let sealed = |column: &str| {
        shop.app
            .sealer
            .seal(&format!("2|corp|{column}|2"), "sandbox-secret")
    };
    // The name of a corp is on the sign-in page, where people choose theirs: it is no secret.
    shop.run(&format!(
        "insert into corp (id, corpid, name, zone, agent_id, secret_sealed, callback_token_sealed, callback_key_sealed,
           quota_mode, approval_over, link_hosts, mini_store, status, created_at)
         select 2, 'ww00000000000000ff', '乙公司', zone, agent_id, '{}', '{}', '{}',
           quota_mode, approval_over, link_hosts, mini_store, status, created_at from corp where id = 1",
        sealed("secret_sealed"),
        sealed("callback_token_sealed"),
        sealed("callback_key_sealed"),
    ))
    .await;
    for (table, columns, theirs) in [
        ("region", "id, name, department_id", "id, '别家区', department_id"),
        (
            "store",
            "id, code, name, region_id, zone, status, department_id, created_at",
            "id, code, '别家店', region_id, zone, status, department_id, created_at",
        ),
        (
            "associate",
            "id, userid, name, store_id, status, created_at, seen_at",
            "id, userid, '别家人', store_id, status, created_at, seen_at",
        ),
        (
            "contact",
            "id, external_userid, unionid, name, avatar, kind, gender, home_store_id, created_at, updated_at",
            "id, external_userid, unionid, '别家客', avatar, kind, gender, home_store_id, created_at, updated_at",
        ),
        (
            "follow",
            "id, contact_id, associate_id, store_id, state, remark, description, add_way, channel, tags, added_at, added_day, seen_at",
            "id, contact_id, associate_id, store_id, state, '别家', description, add_way, channel, tags, added_at, added_day, seen_at",
        ),
    ] {
        shop.run(&format!(
            "insert into {table} (corp_id, {columns}) select 2, {theirs} from {table} where corp_id = 1"
        ))
        .await;
    }
    for (corp, word) in [(1, "暗号"), (2, "别家")] {
        let code = if corp == 1 { "codeOfLi001" } else { "codeOther01" };
        let target = r#"{"kind":"web","url":"https://shop.example.com/home"}"#;
        for sql in [
            format!("insert into tag_group (corp_id, id, platform_id, name, sort, created_at) values ({corp}, 401, 'etg', '组', 1, 0)"),
            format!("insert into tag (corp_id, id, group_id, platform_id, name, sort, created_at) values ({corp}, 402, 401, 'ett', '签', 1, 0)"),
            format!("insert into welcome (corp_id, id, applies_to, text, attachments, created_at, updated_at) values ({corp}, 411, 'corp', '{word}', '[]', 0, 0)"),
            format!("insert into segment (corp_id, id, name, rule, version, created_by, created_at, updated_at) values ({corp}, 801, '{word}', '{{\"tag\":\"402\"}}', 1, 'system', 0, 0)"),
            format!("insert into link (corp_id, id, code, title, target, store_id, associate_id, created_by, created_at) values ({corp}, 601, '{code}', '{word}', '{target}', 21, 31, 'system', 0)"),
            format!(
                "insert into campaign (corp_id, id, name, state, rule, content, zone, late_after_minutes, holdout_percent, priority, created_by, version, created_at, updated_at)
                 values ({corp}, 501, '{word}', 'running', '{{\"tag\":\"402\"}}', '{{\"text\":\"{word}\",\"attachments\":[]}}', 'Asia/Shanghai', 30, 0, 0, 'system', 1, 0, 0)"
            ),
            format!(
                "insert into batch (corp_id, id, campaign_id, associate_id, store_id, link_id, state, contacts, marker, lease_epoch, polls, reminded, handed_at)
                 values ({corp}, 511, 501, 31, 21, 601, 'handed', 1, '{code}', 1, 0, 0, 0)"
            ),
            format!("insert into delivery (corp_id, campaign_id, contact_id, associate_id, store_id, batch_id, state, updated_at) values ({corp}, 501, 102, 31, 21, 511, 'tasked', 0)"),
            format!(
                "insert into timeline (corp_id, id, contact_id, associate_id, store_id, at, day, kind, detail)
                 values ({corp}, 1001, 101, 31, 21, 0, '2026-11-22', 'noted', '{{\"kind\":\"noted\",\"text\":\"{word}\"}}'),
                        ({corp}, 1002, 101, null, 21, 0, '2026-11-22', 'noted', '{{\"kind\":\"noted\",\"text\":\"{word}\"}}')"
            ),
            format!("insert into moment (corp_id, id, text, attachments, state, starts_at, created_by, created_at) values ({corp}, 701, '{word}', '[]', 'published', 0, 'system', 0)"),
            format!("insert into contact_field (corp_id, id, name, kind, choices, created_at) values ({corp}, 1201, '{}', 'text', '[]', 0)", if corp == 1 { "会员号" } else { word }),
            format!("insert into contact_value (corp_id, contact_id, field_id, value, updated_at) values ({corp}, 102, 1201, '{word}', 0)"),
            format!("insert into contact_view (corp_id, id, operator_id, name, query, shared, place_id, created_at) values ({corp}, 102, 0, '{word}', 'quiet=60', 'own', 0, 0)"),
            format!(
                "update contact set phone_last4 = '6027', phone_blind = 'x', phone_sealed = '{}' where corp_id = {corp} and id = 102",
                Phone::of(&shop.app.sealer, CorpId(corp), if corp == 1 { "13800006027" } else { "13911112222" })
                    .unwrap()
                    .sealed(&shop.app.sealer, CorpId(corp), ContactId(102))
            ),
            format!(
                "insert into follow_up (corp_id, id, contact_id, associate_id, what, due_day, state, created_by, created_at)
                 values ({corp}, 1301, 102, 31, '{word}', '2026-11-24', 'open', 'system', 0)"
            ),
            format!(
                "insert into contact_import (corp_id, id, name, state, head, columns, is_tabbed, total, loaded, unchanged, refused, created_by, created_at)
                 values ({corp}, 102, '{word}.csv', 'running', '[]', '[]', false, 9, 0, 0, 0, 'system', 0)"
            ),
            format!(
                "insert into contact_export (corp_id, id, state, filter, reach, fields, total, written, part, created_by, created_at, expires_at)
                 values ({corp}, 102, 'running', '{{}}', '\"Whole\"', '[]', 9, 0, 0, 'system', 0, 9000000000000)"
            ),
            format!(
                "insert into marking (corp_id, id, kind, state, set_tags, take_tags, reach, total, changed, unchanged, refused, turn, created_by, created_at)
                 values ({corp}, 402, 'asked', 'running', '[\"402\"]', '[]', '\"Whole\"', 9, 0, 0, 1, 0, 'system', 0)"
            ),
            format!(
                "insert into tag_rule (corp_id, id, version, condition, tag_id, is_on, since_at, created_by, created_at, updated_at)
                 values ({corp}, 402, 1, '{{\"channel\":\"{word}\"}}', 402, true, 0, 'system', 0, 0)"
            ),
            format!(
                "insert into tag_change (corp_id, id, contact_id, associate_id, tag_id, added, source, actor, at)
                 values ({corp}, 1, 102, 31, 402, true, 'rule', 'rule:402', 0)"
            ),
            format!(
                "insert into marking_refusal (corp_id, marking_id, contact_id, associate_id, why)
                 values ({corp}, 402, 102, 31, '{{\"text\":\"{word}\",\"key\":\"\",\"args\":[]}}')"
            ),
            format!(
                "insert into contact (corp_id, id, external_userid, unionid, name, avatar, kind, gender, created_at, updated_at)
                 values ({corp}, 114, 'wmSim114', 'union102', '{}', '', 1, 2, 0, 0)",
                if corp == 1 { "客户114" } else { "别家客" }
            ),
            format!("insert into contact_duplicate (corp_id, unionid) values ({corp}, 'union102')"),
            format!(
                "insert into merged_contact (corp_id, id, external_userid, unionid, name, avatar, kind, gender, created_at, updated_at,
                   contact_id, merge_id) values ({corp}, 113, 'wmSim113', 'union102', '{}', '', 1, 2, 0, 0, 102, 1401)",
                if corp == 1 { "客户113" } else { "别家客" }
            ),
            format!(
                "insert into contact_merge (corp_id, id, kept_id, merged_id, gave, created_by, created_at)
                 values ({corp}, 1401, 102, 113, '', 'system', 0)"
            ),
            format!("insert into export_part (corp_id, export_id, part, body) values ({corp}, 102, 0, '{word}')"),
            format!("insert into moment_task (corp_id, moment_id, associate_id, part, store_id, state, visible) values ({corp}, 701, 31, 0, 21, 'tasked', 0)"),
            format!(
                "insert into sale (corp_id, id, order_no, store_id, channel, paid_at, day, hour, contact_id, paid_fen, list_fen, items, body_hash, created_at)
                 values ({corp}, 901, '{}', 21, 'till', 1795399200000, '2026-11-22', 10, 102, 39800, 39800, 1, 'x', 0)",
                if corp == 1 { "CANARYORDER" } else { "别家单" }
            ),
            format!(
                "insert into credit (corp_id, order_id, part, associate_id, store_id, source, contact_id, paid_fen, day, rule_version)
                 values ({corp}, 901, 0, 31, 21, 'binding', 102, 39800, '2026-11-22', 1)"
            ),
        ] {
            shop.run(&sql).await;
        }
    }
}
