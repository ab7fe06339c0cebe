//! How true the mirror is: callbacks, sweeps, jobs.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn callbacks_that_stay_away_are_named() {
    let clinic = Clinic::open().await;
    clinic.callback_came(DAY_MS + HOUR_MS).await;
    let report = clinic.examine().await;
    assert!(!report.has_failed(), "{report:#?}");
    names(
        lines(&report, State::Warning)[0],
        "callbacks",
        &["25 hours ago", "接收消息"],
    );
    clinic.shop.run("delete from inbox").await;
    let report = clinic.examine().await;
    names(cause(&report), "callbacks", &["no callback has come"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_drifts_and_jobs_that_wait_are_named() {
    let clinic = Clinic::open().await;
    clinic.swept(0, 80).await;
    let report = clinic.examine().await;
    names(
        cause(&report),
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
    let report = clinic.examine().await;
    names(cause(&report), "jobs", &["120 minutes", "--no-jobs"]);
}
