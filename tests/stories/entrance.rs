//! Signing in through the platform, walked over its own pages: inside its app, and by a code to scan on a desk.

use axum::http::StatusCode;
use dianyu::auth::Role;
use dianyu::sandbox::{Fault, Plan};
use dianyu::time::MINUTE_MS;

use crate::street::Street;
use crate::visitor::{Answer, Visitor, operator};

const INSIDE: &str = "Mozilla/5.0 (iPhone) wxwork/4.1.22 MicroMessenger/7.0.1";

/// Goes to the platform's page, presses one member's button there, and answers where that leads.
async fn chosen(to: &str, person: &str) -> String {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let page = client.get(to).send().await.unwrap().text().await.unwrap();
    let hidden = |name: &str| {
        let rest = page
            .split(&format!("name=\"{name}\" value=\""))
            .nth(1)
            .unwrap_or_default();
        rest.split('"').next().unwrap_or_default().replace("&amp;", "&")
    };
    let fields = ["appid", "redirect_uri", "state", "scope"].map(|name| (name, hidden(name)));
    let (base, _) =
        to.split_at(to.find('/').unwrap() + 2 + to[to.find('/').unwrap() + 2..].find('/').unwrap());
    let form: Vec<(&str, String)> = fields
        .into_iter()
        .chain([("person", person.to_owned())])
        .collect();
    let back = client
        .post(format!("{base}/login/choice"))
        .form(&form)
        .send()
        .await
        .unwrap();
    let back = back.headers()["location"].to_str().unwrap().to_owned();
    back.strip_prefix("http://127.0.0.1:8080")
        .unwrap_or_else(|| panic!("{back}"))
        .to_owned()
}

/// From our door to the platform's page and back to ours.
async fn walk(visitor: &mut Visitor, return_to: &str, person: &str) -> Answer {
    let start = visitor
        .get(&format!("/auth/wecom/start?corp=1&return_to={return_to}"))
        .await;
    assert_eq!(start.status, StatusCode::SEE_OTHER);
    let back = chosen(&start.location, person).await;
    visitor.get(&back).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_associate_comes_in_from_the_app_and_a_manager_by_a_code_to_scan() {
    let street = Street::open().await;
    operator(&street.shop, Role::Associate, None, Some(31)).await;
    operator(&street.shop, Role::Manager, Some(22), Some(33)).await;
    let mut li = Visitor::new(&street.shop);
    li.agent = INSIDE;
    let start = li.get("/auth/wecom/start?return_to=/contacts").await;
    assert!(
        start.location.contains("/connect/oauth2/authorize?"),
        "{}",
        start.location
    );
    let back = chosen(&start.location, "li").await;
    let entered = li.get(&back).await;
    assert_eq!(
        (entered.status, entered.location.as_str()),
        (StatusCode::SEE_OTHER, "/contacts")
    );
    let page = li.get("/contacts").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.text.contains("客户104") && !page.text.contains("客户107"),
        "her own customers"
    );

    let mut zhao = Visitor::new(&street.shop);
    let start = zhao.get("/auth/wecom/start").await;
    assert!(
        start.location.contains("/wwlogin/sso/login?"),
        "{}",
        start.location
    );
    let back = chosen(&start.location, "zhao").await;
    let entered = zhao.get(&back).await;
    assert_eq!(
        (entered.status, entered.location.as_str()),
        (StatusCode::SEE_OTHER, "/")
    );
    let home = zhao.get("/").await;
    assert_eq!(home.location, "/stores/22/report");
    assert_eq!(zhao.get(&home.location).await.status, StatusCode::OK);
    assert_eq!(zhao.get("/stores/21/report").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_from_elsewhere_used_or_too_old_opens_nothing() {
    let street = Street::open().await;
    operator(&street.shop, Role::Associate, None, Some(31)).await;
    let mut li = Visitor::new(&street.shop);
    let start = li.get("/auth/wecom/start").await;
    let back = chosen(&start.location, "li").await;

    let mut thief = Visitor::new(&street.shop);
    thief.get("/sign-in").await;
    refused(&mut thief, &back, StatusCode::UNAUTHORIZED, "这个浏览器").await;

    assert_eq!(li.get(&back).await.status, StatusCode::SEE_OTHER);
    let mut again = Visitor::new(&street.shop);
    refused(&mut again, &back, StatusCode::UNAUTHORIZED, "这个浏览器").await;
    // The same browser after signing out: the state is used up.
    let reused = li.get(&back).await;
    assert_eq!(reused.status, StatusCode::UNAUTHORIZED);

    let mut slow = Visitor::new(&street.shop);
    let start = slow.get("/auth/wecom/start").await;
    let back = chosen(&start.location, "li").await;
    street.after(11 * MINUTE_MS);
    refused(&mut slow, &back, StatusCode::UNAUTHORIZED, "过期").await;
    for made_up in [
        "/auth/wecom/callback",
        "/auth/wecom/callback?code=x&state=",
        "/auth/wecom/callback?code=x&state=00000000000000000000000000000000",
    ] {
        refused(&mut slow, made_up, StatusCode::UNAUTHORIZED, "没登上").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_staff_or_has_left_reads_why_and_stays_outside() {
    let street = Street::open().await;
    operator(&street.shop, Role::Associate, None, Some(31)).await;
    operator(&street.shop, Role::Associate, None, Some(34)).await;
    street
        .shop
        .run("update associate set status = 'left', left_at = 1 where id = 34")
        .await;
    // A customer, a member without an account here, a member who left.
    for person in ["wmSim101", "wu", "qian"] {
        let mut visitor = Visitor::new(&street.shop);
        let answer = walk(&mut visitor, "/contacts", person).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{person}");
        let said = answer.said().join("");
        assert!(
            said.contains("还没开通") && said.contains("管理员"),
            "{person}: {said}"
        );
        assert!(!visitor.is_signed_in(), "{person}");
        assert!(
            answer.text.contains("return_to=/contacts"),
            "the way in still leads where it was to"
        );
        assert!(
            !answer.text.contains("callback?"),
            "nothing on the page repeats the used address"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_platform_or_a_code_it_does_not_know_is_said_and_the_next_try_works() {
    let street = Street::open().await;
    operator(&street.shop, Role::Associate, None, Some(31)).await;
    let mut li = Visitor::new(&street.shop);
    let start = li.get("/auth/wecom/start").await;
    let back = chosen(&start.location, "li").await;
    let state = back.split("state=").nth(1).unwrap();
    let wrong = format!("/auth/wecom/callback?code=neverissued&state={state}");
    refused(&mut li, &wrong, StatusCode::BAD_GATEWAY, "没认出你").await;

    street.sandbox.plan(Plan {
        api: "auth/getuserinfo".into(),
        fault: Fault::Status(502),
        times: 50,
    });
    let answer = walk(&mut li, "/", "li").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert!(answer.said().join("").contains("没认出你"));
    street.sandbox.forget_plans();
    assert_eq!(walk(&mut li, "/", "li").await.status, StatusCode::SEE_OTHER);
    assert!(li.is_signed_in());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_back_that_leaves_the_house_is_not_taken() {
    let street = Street::open().await;
    operator(&street.shop, Role::Associate, None, Some(31)).await;
    for elsewhere in ["//evil.example", "https://evil.example/", "/%5Cevil.example"] {
        let mut li = Visitor::new(&street.shop);
        let entered = walk(&mut li, elsewhere, "li").await;
        assert_eq!(entered.location, "/", "{elsewhere}");
    }
}

async fn refused(visitor: &mut Visitor, back: &str, status: StatusCode, word: &str) {
    let answer = visitor.get(back).await;
    assert_eq!(answer.status, status, "{back}");
    let said = answer.said().join("");
    assert!(said.contains(word), "{back}: {said}");
    assert!(!visitor.is_signed_in(), "{back}");
}
