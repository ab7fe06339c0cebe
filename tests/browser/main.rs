//! Drives a running demo in headless Chromium: signs in as each persona, opens the pages on a phone and on a desk, in
//! both themes and both languages. A console error, a request that leaves the machine, a page wider than its window or
//! a missing main heading fails.
//!
//! `scripts/test` starts the demo and the driver and sets `DIANYU_DEMO_JSON` and `DIANYU_DRIVER`. With
//! `DIANYU_SHOTS` set, every page is also kept there as a picture.

mod driver;

use std::path::PathBuf;

use driver::Browser;
use serde_json::Value;

const WINDOWS: [(&str, u32, u32); 2] = [("390", 390, 844), ("1280", 1280, 900)];
/// Colours and language.
const LOOKS: [(&str, &str); 4] = [("light", "zh"), ("dark", "en"), ("dark", "zh"), ("light", "en")];

/// Every look on every window is for whoever looks at the pictures; what is checked shows in half of them.
fn looks(window: &str, is_for_people: bool) -> &'static [(&'static str, &'static str)] {
    match window {
        _ if is_for_people => &LOOKS,
        "390" => &LOOKS[..2],
        _ => &LOOKS[2..],
    }
}

/// Where the question is built, and in which language: on every window in each, or in half of them.
fn asked_at(is_for_people: bool) -> Vec<(u32, u32, &'static str)> {
    let windows = WINDOWS.into_iter().zip(["zh", "en"]);
    let windows = windows.flat_map(|((_, width, height), first)| {
        let langs = ["zh", "en"].into_iter();
        let langs = langs.filter(move |lang| is_for_people || *lang == first);
        langs.map(move |lang| (width, height, lang))
    });
    windows.collect()
}

/// A page to look at: a name for the picture and where it is.
struct Place {
    name: &'static str,
    from: &'static str,
    /// Part of a link to follow from there: the first whose address goes on with an id.
    follow: &'static str,
    /// What is put behind the address found.
    then: &'static str,
}

const fn at(name: &'static str, from: &'static str) -> Place {
    Place {
        name,
        from,
        follow: "",
        then: "",
    }
}

const fn by_link(name: &'static str, from: &'static str, follow: &'static str, then: &'static str) -> Place {
    Place {
        name,
        from,
        follow,
        then,
    }
}

fn places(role: &str) -> Vec<Place> {
    match role {
        "associate" => vec![
            at("workbench", "/"),
            by_link("task", "/", "/tasks/", ""),
            at("contacts", "/contacts"),
            by_link("contact", "/contacts", "/contacts/", ""),
            at("moments", "/moments"),
            by_link("moment", "/moments", "/moments/", ""),
            at("links", "/links"),
            by_link("link", "/links", "/links/", ""),
            at("follow-ups", "/follow-ups"),
            at("me", "/me"),
        ],
        "manager" => vec![
            at("report", "/"),
            at("report-week", "/?period=week"),
            at("contacts-store", "/contacts"),
            by_link("contact-store", "/contacts", "/contacts/", ""),
            at("me-manager", "/me"),
        ],
        "regional" => vec![at("overview-region", "/")],
        "marketer" => vec![
            at("overview", "/"),
            at("segments", "/segments"),
            at("segment-new", "/segments/new"),
            by_link("segment", "/segments", "/segments/", ""),
            at("campaigns", "/campaigns"),
            by_link("live", "/campaigns", "/campaigns/", ""),
            by_link("deliveries", "/campaigns", "/campaigns/", "/deliveries"),
            by_link("result", "/campaigns?state=finished", "/campaigns/", "/result"),
            at("composer-new", "/campaigns/new"),
            at("moments-hq", "/moments"),
            at("moment-new", "/moments/new"),
            at("links-hq", "/links"),
            by_link("link-hq", "/links", "/links/", ""),
            by_link("store-report", "/", "/stores/", "/report"),
            at("orders", "/orders"),
            at("contacts-hq", "/contacts?added=90"),
            at("tags", "/tags"),
            by_link("tag-group", "/tags", "/tags/groups/", ""),
            at("marks", "/tags/marks"),
            at("tag-rules", "/tags/rules"),
            at("import", "/contacts/import"),
            at("exports", "/contacts/exports"),
            at("duplicates", "/contacts/duplicates"),
            at("mark-new", "/tags/marks/new?list=%2Fcontacts%3Fadded%3D90"),
        ],
        _ => vec![
            at("admin-home", "/"),
            at("admin-me", "/me"),
            at("platform", "/admin/platform"),
            at("platform-sync", "/admin/platform/sync"),
            at("stores", "/admin/stores"),
            at("fields", "/admin/fields"),
        ],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_persona_finds_their_way() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let demo: Value =
        serde_json::from_str(&std::fs::read_to_string(setting("DIANYU_DEMO_JSON")).unwrap()).unwrap();
    let url = demo["url"].as_str().unwrap().to_owned();
    let shots = std::env::var("DIANYU_SHOTS").ok().map(PathBuf::from);
    if let Some(folder) = &shots {
        std::fs::create_dir_all(folder).unwrap();
    }
    let mut browser = Browser::open(&setting("DIANYU_DRIVER")).await;
    for (role, is_inside) in [("associate", true), ("manager", false)] {
        let personas = demo["personas"].as_array().unwrap();
        let persona = personas.iter().find(|persona| persona["role"] == role).unwrap();
        sign_in_by_platform(&mut browser, &url, persona, is_inside).await;
    }
    // What a refused sign-in logs, and where it led, is no page's fault.
    browser.console_errors().await;
    browser.requests().await;
    let mut seen = 0;
    for persona in demo["personas"].as_array().unwrap() {
        let role = persona["role"].as_str().unwrap();
        sign_in(&mut browser, &url, persona).await;
        let mut pages = find(&mut browser, &url, role).await;
        if role == "marketer" {
            for (width, height, lang) in asked_at(shots.is_some()) {
                browser.window(width, height).await;
                browser.cookie(&url, "lang", lang).await;
                let name = format!("segment-asked-{width}-{lang}");
                let called = format!("华东金卡买裙子 {width} {lang}");
                let address = ask(&mut browser, &url, lang, &called).await;
                pages.push((name, address));
            }
            browser.window(WINDOWS[0].1, WINDOWS[0].2).await;
            browser.cookie(&url, "lang", "zh").await;
            pages.extend(compose(&mut browser, &url).await);
        }
        if role == "admin" {
            have_checks_made(&mut browser, &url).await;
            have_all_synced(&mut browser, &url).await;
        }
        for (window, width, height) in WINDOWS {
            browser.window(width, height).await;
            for &(theme, lang) in looks(window, shots.is_some()) {
                browser.cookie(&url, "theme", theme).await;
                browser.cookie(&url, "lang", lang).await;
                for (name, address) in &pages {
                    browser.go(address).await;
                    // What is folded away must fit as well.
                    browser
                        .run(
                            "document.querySelectorAll('main details').forEach(fold => { fold.open = true })",
                        )
                        .await;
                    let what = format!("{role} {name} {window} {theme} {lang}");
                    check(&mut browser, &url, &what, width, lang).await;
                    if let Some(folder) = &shots {
                        let file = format!("{name}-{window}-{theme}.{lang}.png");
                        browser.picture(&folder.join(file)).await;
                    }
                    seen += 1;
                }
            }
        }
    }
    browser.close().await;
    println!("{seen} pages opened");
}

async fn sign_in(browser: &mut Browser, url: &str, persona: &Value) {
    browser.forget().await;
    browser.window(1280, 900).await;
    browser.cookie(url, "lang", "zh").await;
    browser.go(&format!("{url}/contacts")).await;
    assert!(
        browser.address().await.contains("/sign-in"),
        "signed out, a page leads to sign-in"
    );
    browser.press("details.more summary").await;
    browser.fill("login", persona["login"].as_str().unwrap()).await;
    browser
        .fill("password", persona["password"].as_str().unwrap())
        .await;
    browser.follow("form[action='/sign-in'] button").await;
    assert!(
        browser.address().await.ends_with("/contacts"),
        "signing in leads on: {}",
        persona["role"]
    );
}

/// WeCom's own web view, as it calls itself.
const INSIDE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 14_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                      Mobile/15E148 wxwork/4.1.22 MicroMessenger/7.0.1";
const DESK: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36";

/// The platform's page is another host than ours: pages under test are looked at afterwards.
async fn sign_in_by_platform(browser: &mut Browser, url: &str, persona: &Value, is_inside: bool) {
    let userid = persona["userid"].as_str().expect("a member of the platform");
    browser.forget().await;
    browser.agent(if is_inside { INSIDE } else { DESK }).await;
    browser.cookie(url, "lang", "zh").await;
    browser.go(&format!("{url}/contacts")).await;
    browser.follow("a[href^='/auth/wecom/start']").await;
    let there = browser.address().await;
    let page = if is_inside {
        "/connect/oauth2/authorize"
    } else {
        "/wwlogin/sso/login"
    };
    assert!(there.contains(page), "{userid} is led to {there}");
    browser
        .follow(&format!("button[name=person][value='{userid}']"))
        .await;
    let back = browser.address().await;
    assert!(back.ends_with("/contacts"), "{userid} comes back to {back}");
    // The address that brought them in opens nothing a second time.
    browser.forget().await;
    browser.cookie(url, "lang", "zh").await;
    browser
        .go(&format!("{url}/auth/wecom/callback?code=used&state=used"))
        .await;
    let said = browser
        .run("return document.querySelector('.errs') ? document.querySelector('.errs').innerText : ''")
        .await;
    assert!(said.as_str().unwrap_or_default().contains("没登上"), "{said}");
}

/// Names and addresses of a persona's pages, each reached as a reader reaches it.
async fn find(browser: &mut Browser, url: &str, role: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for place in places(role) {
        browser.go(&format!("{url}{}", place.from)).await;
        let mut address = format!("{url}{}", place.from);
        if !place.follow.is_empty() {
            let link = browser
                .link_with(place.follow)
                .await
                .unwrap_or_else(|| panic!("{role}: no link to {} on {}", place.follow, place.from));
            let path = link[url.len()..].split(['?', '#']).next().unwrap_or_default();
            let path = path.trim_end_matches(place.then);
            address = format!("{url}{path}{}", place.then);
        }
        found.push((place.name.to_owned(), address));
    }
    found
}

/// Builds the question that is always asked: gold members in the East who bought dresses in 90 days and were not written
/// to four times this month. A row a condition, and the sentence says it back; answers the saved segment's address.
async fn ask(browser: &mut Browser, url: &str, lang: &str, name: &str) -> String {
    let began = std::time::Instant::now();
    let kinds = match lang {
        "zh" => ["区域", "最近买过", "群发不超过"],
        _ => ["Region", "Bought lately", "Sent at most"],
    };
    browser.go(&format!("{url}/segments/new")).await;
    choose(browser, 0, "value", "金卡").await;
    for (row, kind) in kinds.into_iter().enumerate() {
        browser.follow("button[name=do][value=add]").await;
        browser.run("window.isOld = true").await;
        choose(browser, row + 1, "kind", kind).await;
        browser.settle("another kind of condition").await;
    }
    choose(browser, 1, "value", "华东").await;
    browser.fill_in("#rows-2 [name=value]", "连衣裙").await;
    browser.fill_in("#rows-2 [name=days]", "90").await;
    browser.fill_in("#rows-3 [name=days]", "30").await;
    browser.fill_in("#rows-3 [name=times]", "3").await;
    let count = until_said(browser, "#count .reach").await;
    browser.fill("name", name).await;
    browser.follow("button[name=do][value=save]").await;
    let sentence = browser.text(".answer").await;
    for part in ["金卡", "华东", "连衣裙", "90", "30", "3", count.as_str()] {
        assert!(sentence.contains(part), "{part}: {sentence}");
    }
    println!("the question was built in {:.1?}: {sentence}", began.elapsed());
    browser.address().await
}

/// Chooses by what is read.
async fn choose(browser: &mut Browser, row: usize, field: &str, word: &str) {
    let script = format!(
        "const choice = document.querySelector('#rows-{row} select[name={field}]');
         choice.value = [...choice.options].find(option => option.text.trim() === '{word}').value;
         for (const kind of ['input', 'change']) choice.dispatchEvent(new Event(kind, {{ bubbles: true }}))"
    );
    browser.run(&script).await;
}

/// What stands there once the answer to what was typed last is in: twice the same, a while apart.
async fn until_said(browser: &mut Browser, selector: &str) -> String {
    let mut before = String::new();
    for _ in 0..60 {
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        let said = browser.text(selector).await;
        if !said.is_empty() && said == before {
            return said;
        }
        before = said;
    }
    panic!("{selector} says {before}");
}

/// Writes a draft through the form, step by step, and answers its four pages.
async fn compose(browser: &mut Browser, url: &str) -> Vec<(String, String)> {
    browser.go(&format!("{url}/campaigns/new")).await;
    browser.press("input[name=audience][value=segment]").await;
    browser
        .run("const choice = document.querySelector('select[name=segment]'); choice.selectedIndex = 1; choice.dispatchEvent(new Event('change', { bubbles: true }))")
        .await;
    next(browser, "/content").await;
    browser.fill("name", "冬日羊绒会员先享").await;
    browser
        .fill(
            "text",
            "你好，新到的羊绒大衣到店了，给你留了一件，这两天来试试吗？",
        )
        .await;
    next(browser, "/time").await;
    next(browser, "/review").await;
    let draft = browser.address().await.replace("/review", "");
    ["audience", "content", "time", "review"]
        .into_iter()
        .enumerate()
        .map(|(step, page)| (format!("composer-{}", step + 1), format!("{draft}/{page}")))
        .collect()
}

/// Looks at a page again and again until it says so: `script` answers `null` as long as it does not.
async fn until(browser: &mut Browser, address: &str, what: &str, script: &str) -> Value {
    for _ in 0..120 {
        browser.go(address).await;
        let answer = browser.run(script).await;
        if !answer.is_null() {
            return answer;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    panic!("{what}: not within a minute");
}

/// Presses "check now", as an administrator does, and reads what was found.
async fn have_checks_made(browser: &mut Browser, url: &str) {
    let address = format!("{url}/admin/platform");
    browser.go(&address).await;
    browser
        .follow("form[action='/admin/platform/checks'] button")
        .await;
    let made = "const rows = [...document.querySelectorAll('main tbody tr')];
        const is_made = rows.length > 0 && !document.querySelector('button[disabled]');
        return is_made ? [document.querySelector('.answer').innerText, rows.map(row => row.textContent)] : null";
    let found = until(browser, &address, "the checks are made", made).await;
    let answer = found[0].as_str().unwrap_or_default();
    assert!(!answer.contains("不通过：") && answer.contains('项'), "{answer}");
    let rows: Vec<&str> = found[1]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(rows.len() >= 28, "{rows:?}");
    for (check, finding) in [
        ("数据库", "可以写入"),
        ("公开地址", "通到这里"),
        ("回调地址", "能答上企业微信的验证"),
        ("权限：客户朋友圈", "企业微信允许我们读取"),
    ] {
        let row = rows.iter().find(|row| row.starts_with(check));
        let row = row.unwrap_or_else(|| panic!("no row `{check}`: {rows:?}"));
        assert!(row.contains("正常") && row.contains(finding), "{row}");
    }
}

/// Starts a sync and waits for its end.
async fn have_all_synced(browser: &mut Browser, url: &str) {
    let address = format!("{url}/admin/platform/sync");
    browser.go(&address).await;
    let runs = "return document.querySelectorAll('main section:last-of-type tbody tr').length";
    let before = browser.run(runs).await.as_u64().unwrap_or_default();
    browser.follow("form[action='/admin/platform/sync'] button").await;
    let ended = "return document.querySelector(\"form[action='/admin/platform/sync/end']\") ? null
        : [...document.querySelectorAll('main section:first-of-type tbody tr')].map(row => row.innerText)";
    let steps = until(browser, &address, "the sync ends", ended).await;
    let steps: Vec<&str> = steps
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(steps.len(), 4, "{steps:?}");
    assert!(steps.iter().all(|step| step.contains("完成")), "{steps:?}");
    let contacts = steps
        .iter()
        .find(|step| step.starts_with("客户\t") || step.starts_with("客户\n"));
    let contacts = contacts.unwrap_or_else(|| panic!("no step for contacts: {steps:?}"));
    assert!(contacts.contains("位成员"), "{contacts}");
    let after = browser.run(runs).await.as_u64().unwrap_or_default();
    assert_eq!(after, (before + 1).min(20), "the run is listed");
    let last = browser
        .run("return document.querySelector('main section:last-of-type tbody tr').innerText")
        .await;
    let last = last.as_str().unwrap_or_default();
    assert!(last.contains("手动同步") && last.contains("完成"), "{last}");
}

async fn next(browser: &mut Browser, leads_to: &str) {
    browser.follow("button[name=do][value=next]").await;
    let address = browser.address().await;
    assert!(
        address.ends_with(leads_to),
        "the next step is {leads_to}, not {address}"
    );
}

async fn check(browser: &mut Browser, url: &str, what: &str, width: u32, lang: &str) {
    let errors = browser.console_errors().await;
    assert!(errors.is_empty(), "{what}: the console says {errors:?}");
    // Where the page and the browser itself (its new tab) may ask: nothing of it leaves the machine.
    let at_home = [url, "data:", "chrome://"];
    let strangers: Vec<String> = browser
        .requests()
        .await
        .into_iter()
        .filter(|request| !at_home.iter().any(|home| request.starts_with(home)))
        .collect();
    assert!(
        strangers.is_empty(),
        "{what}: requests leave the machine: {strangers:?}"
    );
    let facts = browser
        .run("return [document.documentElement.scrollWidth, document.querySelectorAll('h1').length, document.title, document.body.innerText, document.documentElement.lang, document.documentElement.dataset.theme, getComputedStyle(document.body).backgroundColor]")
        .await;
    let scroll = facts[0].as_u64().unwrap_or(u64::MAX);
    assert!(
        scroll <= u64::from(width) + 1,
        "{what}: {scroll} px wide in a window of {width}"
    );
    assert_eq!(facts[1], 1, "{what}: one main heading");
    assert!(
        !facts[2].as_str().unwrap_or_default().is_empty(),
        "{what}: a title"
    );
    let text = facts[3].as_str().unwrap_or_default();
    for bad in ["NaN", "undefined", "Internal", "{{", "⟦"] {
        assert!(!text.contains(bad), "{what}: the page says {bad}");
    }
    let shown = facts[4].as_str().unwrap_or_default();
    assert!(shown.starts_with(lang), "{what}: the page is in {shown}");
    assert!(
        what.contains(facts[5].as_str().unwrap_or("no theme")),
        "{what}: the page's colours are {}",
        facts[5]
    );
    let ground = brightness(facts[6].as_str().unwrap_or_default());
    assert!(
        (ground < 128) == what.contains("dark"),
        "{what}: the page's ground is {}",
        facts[6]
    );
    let size = browser.html_size().await;
    assert!(size <= 25 * 1024, "{what}: {size} bytes of HTML");
}

/// The mean of a colour's parts, as `rgb(17, 21, 19)` gives them.
fn brightness(colour: &str) -> u32 {
    let parts: Vec<u32> = colour
        .split(|character: char| !character.is_ascii_digit())
        .filter_map(|part| part.parse().ok())
        .take(3)
        .collect();
    parts.iter().sum::<u32>() / 3
}

fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; scripts/test sets it"))
}
