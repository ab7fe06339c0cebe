//! The administrators' pages about the platform.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_has_the_checks_made_and_reads_them() {
    let clinic = Clinic::open().await;
    let mut admin = Visitor::of(&clinic.shop, Role::Admin, None, None).await;
    let page = admin.get("/admin/platform").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("还没有检查过"), "{}", page.text);
    assert!(
        page.text.contains("上次清查更正了 1,000 条里的 <b>3</b> 条"),
        "{}",
        page.text
    );
    // The visitor's own server is not what its public address leads to: one thing is wrong.
    let made = admin.post("/admin/platform/checks", &[]).await;
    assert_eq!(
        (made.status, made.location.as_str()),
        (StatusCode::SEE_OTHER, "/admin/platform")
    );
    let page = admin.get("/admin/platform").await;
    assert!(
        page.text.contains("要处理") && page.text.contains("DIANYU_PUBLIC_URL"),
        "{}",
        page.text
    );
    assert!(page.text.contains("权限：客户朋友圈"), "{}", page.text);
    for secret in SECRETS {
        assert!(!page.text.contains(secret));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_sees_the_platform_or_starts_a_sync() {
    let shop = World::open().await;
    for (role, store, associate) in [
        (Role::Marketer, None, None),
        (Role::Manager, Some(21), None),
        (Role::Associate, None, Some(31)),
    ] {
        let mut visitor = Visitor::of(&shop, role, store, associate).await;
        for address in ["/admin/platform", "/admin/platform/sync", "/admin/stores"] {
            let page = visitor.get(address).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{role:?} {address}");
        }
        let started = visitor.post("/admin/platform/sync", &[]).await;
        assert_eq!(started.status, StatusCode::FORBIDDEN, "{role:?}");
    }
    assert_eq!(shop.number("select count(*) from sync_run").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_starts_a_sync_watches_it_and_stops_it() {
    let shop = World::open().await;
    let mut admin = Visitor::of(&shop, Role::Admin, None, None).await;
    let page = admin.get("/admin/platform/sync").await;
    assert!(page.text.contains("还没有同步过"), "{}", page.text);
    let started = admin.post("/admin/platform/sync", &[]).await;
    assert_eq!(started.location, "/admin/platform/sync");
    assert_eq!(
        shop.number("select count(*) from sync_run where state = 'running'")
            .await,
        1
    );
    assert_eq!(
        shop.number("select count(*) from job where kind = 'sync.carry_on'")
            .await,
        1
    );
    // As far as the reader came, with a step that no page has heard of.
    shop.run("update sync_step set state = 'running', done = 2, total = 5, seen = 740, failed = 1, started_at = 0 where step = 'contacts'")
        .await;
    shop.run(
        "insert into sync_step (corp_id, run_id, step, sort, state, done, total, seen, changed, closed, failed)
         select corp_id, id, 'dreams', 9, 'waiting', 0, 0, 0, 0, 0, 0 from sync_run",
    )
    .await;
    shop.run(
        "insert into sync_part (corp_id, run_id, part, members, state, problem)
         select corp_id, id, 4, '[\"qian\"]', 'failed', 'platform refused with 84074: `externalcontact/batch/get_by_user`: no' from sync_run",
    )
    .await;
    let page = admin.get("/admin/platform/sync").await;
    assert!(
        page.text.contains("http-equiv=\"refresh\""),
        "it renews itself without a script"
    );
    let part = admin.get("/admin/platform/sync/part").await;
    for word in ["740", "2 / 5 位成员", "dreams", "qian", "权限配置", "84074"] {
        assert!(
            page.text.contains(word) && part.text.contains(word),
            "{word}: {}",
            part.text
        );
    }
    let run = page.text.split("name=\"run\" value=\"").nth(1).unwrap();
    let run = run.split('"').next().unwrap().to_owned();
    let stopped = admin.post("/admin/platform/sync/end", &[("run", &run)]).await;
    assert_eq!(stopped.location, "/admin/platform/sync");
    assert_eq!(
        shop.number("select count(*) from sync_run where state = 'stopped'")
            .await,
        1
    );
    let again = admin.post("/admin/platform/sync/end", &[("run", &run)]).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert_eq!(
        shop.number("select count(*) from audit_entry where action in ('sync.start', 'sync.stop')")
            .await,
        2
    );
    let asked = shop
        .number("select count(*) from job where kind = 'sync.carry_on'")
        .await;
    assert_eq!(asked, 1, "the job finds the run stopped and ends");
}
