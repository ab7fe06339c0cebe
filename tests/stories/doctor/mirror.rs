//! How true the mirror is: callbacks, sweeps, jobs.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn callbacks_that_stay_away_are_named() {
    let clinic = Clinic::open().await;
    clinic.callback_came(DAY_MS + HOUR_MS).await;
    names(
        worry(&clinic.examine().await),
        "callbacks",
        &["25 hours ago", "接收消息"],
    );
    clinic.shop.run("delete from inbox").await;
    names(
        cause(&clinic.examine().await),
        "callbacks",
        &["no callback has come"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_drifts_and_jobs_that_wait_are_named() {
    let clinic = Clinic::open().await;
    clinic.swept(0, 80).await;
    names(
        cause(&clinic.examine().await),
        "sweep",
        &["corrected 80 of 1000", "callbacks get lost"],
    );

    let clinic = Clinic::open().await;
    let at = clinic.app.now().plus_ms(-2 * HOUR_MS).0;
    clinic
        .shop
        .run(&format!(
            "insert into job (id, corp_id, kind, payload, lane, state, run_at, attempts, lease_epoch, lease_until, created_at)
             values (1, 1, 'sync.nightly', '{{}}', 5, 'waiting', {at}, 0, 0, 0, {at})"
        ))
        .await;
    names(
        cause(&clinic.examine().await),
        "jobs",
        &["120 minutes", "--no-jobs"],
    );

    let clinic = Clinic::open().await;
    let at = clinic.app.now().plus_ms(-2 * HOUR_MS).0;
    clinic
        .shop
        .run(&format!(
            "insert into inbox (corp_id, body_hash, body, received_at, state) values (1, 'u', '<xml/>', {at}, 'new')"
        ))
        .await;
    names(
        cause(&clinic.examine().await),
        "jobs",
        &["1 jobs and callbacks", "120 minutes"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corp_that_was_just_connected_is_told_what_to_open() {
    let clinic = Clinic::open().await;
    clinic.shop.run("delete from inbox").await;
    let now = clinic.app.now().0;
    clinic
        .shop
        .run(&format!("update corp set created_at = {now}"))
        .await;
    let words = [
        "no callback has come yet",
        "接收消息",
        "/wecom/ww1a2b3c4d5e6f7a8b/callback",
    ];
    names(worry(&clinic.examine().await), "callbacks", &words);
}

impl Clinic {
    /// A sync that began so long ago, whose lease ends in `lease_ms` by the database.
    async fn syncs_since(&self, ago_ms: i64, lease_ms: i64) {
        let began = self.app.now().plus_ms(-ago_ms).0;
        let now = dianyu::db::Conn::backend(&self.app.db).now_ms();
        self.shop
            .run(&format!(
                "insert into sync_run (corp_id, id, kind, state, started_at, ended_at, lease_epoch, lease_until)
                 values (1, 7, 'nightly', 'running', {began}, null, 1, {now} + {lease_ms})"
            ))
            .await;
        self.shop
            .run(&format!(
                "insert into sync_step (corp_id, run_id, step, sort, state, done, total, seen, changed, closed, failed, started_at)
                 values (1, 7, 'contacts', 2, 'running', 1, 5, 40, 0, 0, 0, {began})"
            ))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_does_not_come_on_is_named_though_the_last_one_was_well() {
    let clinic = Clinic::open().await;
    clinic.syncs_since(40 * MINUTE_MS, MINUTE_MS).await;
    let words = [
        "nothing new for 40 minutes",
        "`dianyu sync --corp ww1a2b3c4d5e6f7a8b`",
    ];
    names(cause(&clinic.examine().await), "sweep", &words);
    clinic
        .shop
        .run("update sync_step set problem = 'the platform reported its rate limit' where run_id = 7")
        .await;
    names(
        cause(&clinic.examine().await),
        "sweep",
        &["minutes: the platform reported"],
    );
    // A part that was begun five minutes ago is progress.
    let lately = clinic.app.now().plus_ms(-5 * MINUTE_MS).0;
    clinic
        .shop
        .run(&format!(
            "insert into sync_part (corp_id, run_id, part, step, members, state, began_at) values (1, 7, 0, 'contacts', '[]', 'open', {lately})"
        ))
        .await;
    sound(&clinic.examine().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_nobody_works_on_is_named_unless_a_job_goes_on_with_it() {
    let clinic = Clinic::open().await;
    clinic.syncs_since(10 * MINUTE_MS, -5 * MINUTE_MS).await;
    let words = [
        "nobody works on it since 5 minutes",
        "`--no-jobs`",
        "`dianyu sync --corp",
    ];
    names(cause(&clinic.examine().await), "sweep", &words);
    let soon = clinic.app.now().plus_ms(MINUTE_MS).0;
    clinic
        .shop
        .run(&format!(
            "insert into job (id, corp_id, kind, payload, lane, state, run_at, attempts, lease_epoch, lease_until, created_at)
             values (1, 1, 'sync.carry_on', '{{}}', 5, 'waiting', {soon}, 0, 0, 0, {soon})"
        ))
        .await;
    let report = clinic.examine().await;
    assert!(!report.has_failed(), "{report:#?}");
    // A job that was begun by a worker that is gone goes on with nothing: said once, where jobs are.
    let now = dianyu::db::Conn::backend(&clinic.app.db).now_ms();
    clinic
        .shop
        .run(&format!(
            "update job set state = 'running', lease_until = {now} - {}",
            10 * MINUTE_MS
        ))
        .await;
    let report = clinic.examine().await;
    names(
        cause(&report),
        "jobs",
        &["1 jobs were begun", "10 minutes", "--no-jobs"],
    );
    assert_eq!(because(&report, "sweep"), Some("jobs"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_under_way_is_waited_for() {
    let clinic = Clinic::open().await;
    clinic.shop.run("delete from sync_step").await;
    clinic.shop.run("delete from sync_run").await;
    clinic.syncs_since(MINUTE_MS, MINUTE_MS).await;
    names(
        worry(&clinic.examine().await),
        "sweep",
        &["under way", "has read 40"],
    );
}
