//! Files: what headquarters knows of contacts comes in row by row, and contacts go out to those who may see them.

mod export;
mod page;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use dianyu::auth;
use dianyu::contacts::{self, FieldKind};
use dianyu::files::{self, Import, State};
use dianyu::ids::{FieldId, ImportId};
use dianyu::jobs::runner;
use dianyu::page::PageOf;
use secrecy::ExposeSecret;
use serde_json::Value;
use tower::ServiceExt;

use crate::world::World;

/// Contacts beside those of the world, numbered from here.
const FIRST: i64 = 1_000_000;

/// A program with a key.
pub struct Program {
    router: axum::Router,
    key: String,
}

pub struct Answered {
    pub status: StatusCode,
    pub text: String,
}

impl Answered {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn id(&self) -> String {
        self.json()["id"].as_str().unwrap().to_owned()
    }
}

impl Program {
    pub async fn of(shop: &World, scopes: &[&str]) -> Self {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let tx = shop.begin().await;
        let (_, key) = auth::add_key(&tx, &shop.act(), shop.corp, "files", &scopes, None)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        Self {
            router: dianyu::api::router(shop.app.clone()).0,
            key: key.expose_secret().to_owned(),
        }
    }

    pub async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Body) -> Answered {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("authorization", format!("Bearer {}", self.key));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self
            .router
            .clone()
            .oneshot(request.body(body).unwrap())
            .await
            .unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 64 << 20).await.unwrap();
        Answered {
            status,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    pub async fn get(&self, path: &str) -> Answered {
        self.ask("GET", path, &[], Body::empty()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answered {
        let json = [("content-type", "application/json")];
        self.ask("POST", path, &json, Body::from(body.to_string())).await
    }

    /// In pieces, as a connection gives them.
    pub async fn send(&self, text: &str) -> Answered {
        self.send_once(text, "").await
    }

    async fn send_once(&self, text: &str, key: &str) -> Answered {
        let pieces: Vec<_> = text
            .as_bytes()
            .chunks(777)
            .map(|piece| Ok::<_, std::io::Error>(piece.to_vec()))
            .collect();
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        let mut headers = vec![("content-type", "text/csv; charset=utf-8")];
        if !key.is_empty() {
            headers.push(("idempotency-key", key));
        }
        self.ask("POST", "/imports?name=members.csv", &headers, body)
            .await
    }
}

impl World {
    /// So many more contacts of `li`: `wmFile0`, `wmFile1`, …
    pub async fn crowd(&self, count: i64) {
        let tx = self.begin().await;
        let people = (0..count).map(|n| {
            dianyu::args![
                1i64,
                FIRST + n,
                format!("wmFile{n}"),
                format!("unionFile{n}"),
                format!("顾客{n}"),
                "",
                1i64,
                2i64,
                0i64,
                0i64
            ]
        });
        let head = "insert into contact (corp_id, id, external_userid, unionid, name, avatar, kind, gender, created_at,
             updated_at)";
        dianyu::db::insert_many(&tx, head, people.collect::<Vec<_>>(), "")
            .await
            .unwrap();
        let follows = (0..count).map(|n| {
            dianyu::args![
                1i64,
                FIRST + n,
                FIRST + n,
                31i64,
                21i64,
                "active",
                "",
                "",
                1i64,
                "",
                " ",
                1_000 + n,
                "2026-10-24",
                0i64
            ]
        });
        let head =
            "insert into follow (corp_id, id, contact_id, associate_id, store_id, state, remark, description,
             add_way, channel, tags, added_at, added_day, seen_at)";
        dianyu::db::insert_many(&tx, head, follows.collect::<Vec<_>>(), "")
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn field(&self, name: &str, kind: FieldKind, choices: &[&str]) -> FieldId {
        let choices: Vec<String> = choices.iter().map(|choice| (*choice).to_owned()).collect();
        let tx = self.begin().await;
        let id = contacts::add_field(&tx, &self.act(), self.corp, name, kind, &choices)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        id
    }

    async fn last_import(&self) -> Import {
        let page = files::list_imports(&self.app.db, &self.whole(), &PageOf::first(1))
            .await
            .unwrap();
        page.items.into_iter().next().unwrap()
    }

    async fn rows_that_wait(&self) -> i64 {
        self.number("select count(*) from import_part").await
    }

    /// All that an import may change, as one text.
    async fn known(&self) -> Vec<String> {
        let sql = "select c.external_userid || ' ' || coalesce(c.birthday, '-') || ' ' || coalesce(c.phone_last4, '-')
               || ' ' || coalesce(cast(c.opted_out_at as text), '-') || ' ' || cast(c.updated_at as text)
               || ' ' || coalesce((select v.value from contact_value v where v.corp_id = c.corp_id
                 and v.contact_id = c.id), '-')
             from contact c where c.corp_id = 1 order by c.id";
        dianyu::db::scalars(&self.app.db, sql, vec![]).await.unwrap()
    }
}

fn counts(import: &Import) -> (State, i64, i64, i64) {
    (import.state, import.loaded, import.unchanged, import.refused)
}

/// 3,000 rows in several kinds of wrong, 37 of them.
fn members() -> String {
    let mut text = String::from("external_userid,phone,birthday,opted_out,鞋码\r\n");
    for n in 0..3_000 {
        let phone = 13_800_000_000i64 + n;
        let day = n % 28 + 1;
        let row = match n {
            40 => "wmNobody,13800000040,03-08,no,38".to_owned(),
            41 => ",,03-08,no,38".to_owned(),
            42 => format!("wmFile{n},{phone},02-30,no,38"),
            43 => format!("wmFile{n},{phone},03-08,perhaps,38"),
            44 => format!("wmFile{n},{phone},03-08,no,large"),
            45 => format!("wmFile{n},{phone},03-08,no"),
            46 => format!("wmFile{n},\"{phone},03-08,no,38"),
            47 => "wmFile0,13800000000,03-08,no,38".to_owned(),
            1_000..1_029 => format!("wmFile{n},call me,03-{day:02},no,38"),
            // Orders are looked for by every new number: a few are enough.
            _ if n % 10 == 5 => format!("wmFile{n},+86 {phone},1990/3/{day},否,{}.50", 35 + n % 8),
            _ => format!("wmFile{n},,1990/3/{day},否,{}.50", 35 + n % 8),
        };
        text.push_str(&row);
        text.push_str("\r\n");
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn good_rows_are_loaded_bad_ones_named_and_the_same_file_changes_nothing() {
    let shop = World::open().await;
    shop.crowd(3_000).await;
    shop.field("鞋码", FieldKind::Number, &[]).await;
    let program = Program::of(&shop, &["contacts:import"]).await;
    let file = members();

    let begun = program.send(&file).await;
    assert_eq!(begun.status, StatusCode::CREATED, "{}", begun.text);
    assert_eq!(begun.json()["total"], 3_000);
    assert_eq!(shop.rows_that_wait().await, 3);
    let plain = "select count(*) from import_part where rows like '%13800000001%'";
    assert_eq!(shop.number(plain).await, 0, "numbers that wait are sealed");
    runner::settle(&shop.app).await;
    assert_eq!(counts(&shop.last_import().await), (State::Done, 2_963, 0, 37));
    let leftovers = "select (select count(*) from import_part) + (select count(*) from import_found)";
    assert_eq!(shop.number(leftovers).await, 0);

    let known = shop.known().await;
    let at = shop.now().0;
    assert!(
        known.contains(&format!("wmFile5 03-06 0005 - {at} 40.5")),
        "{}",
        known[17]
    );
    assert!(
        known.contains(&"wmFile42 - - - 0 -".to_owned()),
        "a bad row changes nothing"
    );

    // Every refused row is told, by its line in the file.
    let told = program
        .get(&format!("/imports/{}/refused", begun.id()))
        .await
        .text;
    let told = told.strip_prefix('\u{feff}').unwrap();
    let mut rows = csv::Reader::from_reader(told.as_bytes());
    let head: Vec<String> = rows.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(
        head[4..],
        ["鞋码", "refused_row", "refused_column", "refused_reason"]
    );
    let rows: Vec<Vec<String>> = rows
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect();
    assert_eq!(rows.len(), 37);
    let why = |line: &str| {
        let row = rows.iter().find(|row| row[5] == line).unwrap();
        (row[6].as_str(), row[7].as_str())
    };
    for (line, column, reason) in [
        ("42", "external_userid", "there is no `wmNobody`"),
        ("43", "", "it names no contact"),
        ("44", "birthday", "it is not a birthday"),
        ("45", "opted_out", "write `yes` or `no`"),
        ("46", "鞋码", "it is not a number"),
        ("47", "", "it cannot be read"),
        ("48", "", "it cannot be read"),
        ("49", "external_userid", "the contact is in row 2 already"),
        ("1002", "phone", "it is not a phone number"),
    ] {
        let (at, said) = why(line);
        assert!(at == column && said.starts_with(reason), "{line}: {at}: {said}");
    }
    let kept_plain = "select count(*) from import_refusal where cells like '%call me%'";
    assert_eq!(
        shop.number(kept_plain).await,
        0,
        "and those that were refused too"
    );

    // The same again: nothing is different, and the same rows are bad.
    program.send(&file).await;
    runner::settle(&shop.app).await;
    assert_eq!(counts(&shop.last_import().await), (State::Done, 0, 2_963, 37));
    assert_eq!(shop.known().await, known);

    // The file of refused rows comes back as it is, and is refused for the same reasons; mended, it is loaded.
    let again = program.send(told).await;
    assert_eq!(again.status, StatusCode::CREATED, "{}", again.text);
    runner::settle(&shop.app).await;
    let last = shop.last_import().await;
    assert_eq!((last.total, last.refused), (37, 36), "one was a repeat");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_broke_off_goes_on_and_one_that_is_stopped_does_not() {
    let shop = World::open().await;
    shop.crowd(3_000).await;
    shop.field("鞋码", FieldKind::Number, &[]).await;
    let program = Program::of(&shop, &["contacts:import"]).await;
    let id = program.send(&members()).await.id();
    let import = ImportId(id.parse().unwrap());
    files::take_part(&shop.app, shop.corp, import).await.unwrap();
    let broken_off = shop.last_import().await;
    assert_eq!((broken_off.state, broken_off.taken()), (State::Running, 1_000));
    // Two at once: each row is taken by one of them.
    let (one, other) = tokio::join!(
        files::take_part(&shop.app, shop.corp, import),
        files::take_part(&shop.app, shop.corp, import)
    );
    assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
    runner::settle(&shop.app).await;
    assert_eq!(counts(&shop.last_import().await), (State::Done, 2_963, 0, 37));

    let id = program.send(&members()).await.id();
    files::take_part(&shop.app, shop.corp, ImportId(id.parse().unwrap()))
        .await
        .unwrap();
    let stop = format!("/imports/{id}/cancellation");
    let stopped = program.post(&stop, &serde_json::json!({})).await;
    assert_eq!(stopped.json()["state"], "stopped", "{}", stopped.text);
    runner::settle(&shop.app).await;
    let last = shop.last_import().await;
    assert_eq!(
        (last.state, last.taken(), shop.rows_that_wait().await),
        (State::Stopped, 1_000, 0)
    );
    let again = program.post(&stop, &serde_json::json!({})).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_table_of_ours_is_refused_whole_and_leaves_nothing() {
    let shop = World::open().await;
    let program = Program::of(&shop, &["contacts:import"]).await;
    for (text, pointer) in [
        ("external_userid,vip,birthday\nwmSim101,1,03-08\n", "/rows/1/vip"),
        ("birthday\n03-08\n", "/rows/1"),
        ("external_userid,birthday\n\n", "/file"),
        ("", "/file"),
        ("external_userid,birthday\nwmSim101,\0\n", "/file"),
    ] {
        let refused = program.send(text).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{text}");
    }
    let broken = [
        Ok("external_userid,birthday\nwmSim101,03-08\n"),
        Err(std::io::Error::other("gone")),
    ];
    let body = Body::from_stream(futures_util::stream::iter(broken));
    let csv = [("content-type", "text/csv")];
    let refused = program.ask("POST", "/imports", &csv, body).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    let left = "select (select count(*) from contact_import) + (select count(*) from import_part)";
    assert_eq!(shop.number(left).await, 0);
    assert_eq!(runner::settle(&shop.app).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_found_by_phone_or_unionid_and_a_repeat_of_the_request_is_one_import() {
    let shop = World::open().await;
    let program = Program::of(&shop, &["contacts:import"]).await;
    let small = serde_json::json!({
        "kind": "contacts", "name": "a.csv",
        "text": "unionid\tphone\nunion101\t138 0000 0101\nunion102\t13800000102\nunion103\t13800000102\n",
    });
    let begun = program.post("/imports", &small).await;
    assert_eq!(begun.status, StatusCode::CREATED, "{}", begun.text);
    runner::settle(&shop.app).await;
    assert_eq!(counts(&shop.last_import().await), (State::Done, 3, 0, 0));

    let by_phone = "phone,opted_out\n+8613800000101,yes\n13800000102,yes\n13800000199,yes\n";
    let first = program.send_once(by_phone, "k1").await;
    let second = program.send_once(by_phone, "k1").await;
    assert_eq!((first.status, first.id()), (second.status, second.id()));
    let other = program.send_once("phone,opted_out\n1380000,no\n", "k1").await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", other.text);
    assert_eq!(shop.number("select count(*) from contact_import").await, 2);
    runner::settle(&shop.app).await;
    assert_eq!(
        counts(&shop.last_import().await),
        (State::Done, 1, 0, 2),
        "one has two owners, one none"
    );
    let out = "select id from contact where corp_id = 1 and opted_out_at is not null";
    assert_eq!(shop.number(out).await, 101);
    let told = program
        .get(&format!("/imports/{}/refused", first.id()))
        .await
        .text;
    assert!(
        told.contains("2 contacts have it") && told.contains("no contact with this phone"),
        "{told}"
    );
}
