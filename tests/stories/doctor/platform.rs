//! The platform as it treats us.

use dianyu::cache::Rate;
use dianyu::sandbox::{Fault, Plan};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_and_a_wrong_corpid_are_told_apart() {
    let clinic = Clinic::open().await;
    clinic.set_app(AppChange {
        secret: Some("reset-in-the-console".into()),
        ..AppChange::default()
    });
    let report = clinic.examine().await;
    names(
        cause(&report),
        "credentials",
        &["40001", "secret", "dianyu corp set"],
    );
    assert_eq!(because(&report, "permission.tags"), Some("credentials"));

    let clinic = Clinic::open().await;
    clinic
        .shop
        .run("update corp set corpid = 'wwffffffffffffffff'")
        .await;
    names(
        cause(&clinic.examine().await),
        "credentials",
        &["40013", "wwffffffffffffffff"],
    );
}

/// What the app may call where nothing is missing.
const APIS: [&str; 14] = [
    "get_api_domain_ip",
    "department/*",
    "user/*",
    "externalcontact/get_follow_user_list",
    "externalcontact/batch/*",
    "externalcontact/get_corp_tag_list",
    "externalcontact/get_groupmsg_list_v2",
    "externalcontact/get_moment_list",
    "externalcontact/groupchat/*",
    "externalcontact/list_contact_way",
    "externalcontact/get_unassigned_list",
    "externalcontact/get_user_behavior_data",
    "externalcontact/customer_acquisition_quota",
    "externalcontact/get_product_album_list",
];

impl Clinic {
    fn may_not_call(&self, api: &str) {
        let apis = APIS.iter().filter(|one| **one != api);
        self.set_app(AppChange {
            apis: Some(apis.map(|one| (*one).to_owned()).collect()),
            ..AppChange::default()
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_is_missing_is_named_by_its_area() {
    let clinic = Clinic::open().await;
    clinic.may_not_call("externalcontact/get_moment_list");
    let report = clinic.examine().await;
    let line = cause(&report);
    names(line, "permission.moments", &["48002", "可调用接口的应用"]);
    let zh = dianyu::web::lang::check(dianyu::metrics::Lang::Zh, &line.check);
    assert_eq!(zh, "权限：客户朋友圈");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_may_not_be_read_has_a_way_out_of_its_own() {
    let clinic = Clinic::open().await;
    clinic.may_not_call("department/*");
    let report = clinic.examine().await;
    let line = cause(&report);
    let words = ["48002", "may not read departments", "可见范围", "--secret`"];
    names(line, "permission.directory", &words);
    assert!(!english(line).contains("可调用接口的应用"), "{line:?}");
    // What waits for it says so; what does not is looked at.
    assert_eq!(because(&report, "visible_range"), Some("permission.directory"));
    assert_eq!(because(&report, "permission.contacts"), None);

    let clinic = Clinic::open().await;
    clinic.sandbox.plan(Plan {
        api: "department/list".into(),
        fault: Fault::Errcode(60011),
        times: 2,
    });
    names(cause(&clinic.examine().await), "permission.directory", &["60011"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_visible_range_is_named_and_so_are_members_outside_it() {
    let clinic = Clinic::open().await;
    clinic.set_app(AppChange {
        members: Some(vec!["nobody".into()]),
        ..AppChange::default()
    });
    let report = clinic.examine().await;
    names(
        cause(&report),
        "visible_range",
        &["sees nobody", "5 members", "可见范围"],
    );
    assert_eq!(because(&report, "permission.contacts"), Some("visible_range"));

    clinic.set_app(AppChange {
        members: Some(vec!["li".into(), "wu".into(), "zhao".into()]),
        ..AppChange::default()
    });
    names(
        worry(&clinic.examine().await),
        "visible_range",
        &["2 members", "qian, sun"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_trusted_is_named_with_the_one_to_enter() {
    let clinic = Clinic::open().await;
    clinic.set_app(AppChange {
        trusted_ips: Some(vec!["203.0.113.9".parse().unwrap()]),
        ..AppChange::default()
    });
    let report = clinic.examine().await;
    names(
        cause(&report),
        "trusted_ip",
        &["60020", "enter 127.0.0.1", "企业可信IP"],
    );
    assert_eq!(because(&report, "permission.tags"), Some("trusted_ip"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_app_is_named() {
    let clinic = Clinic::open().await;
    clinic.set_app(AppChange {
        is_disabled: Some(true),
        ..AppChange::default()
    });
    names(
        cause(&clinic.examine().await),
        "trusted_ip",
        &["disabled", "enable it"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_is_not_there_is_named() {
    let clinic = Clinic::open().await;
    let settings = config(&clinic.app.config.public_url, "http://127.0.0.1:1");
    let report = clinic.examined_with(settings, Ok(clinic.app.cache.clone())).await;
    names(
        cause(&report),
        "platform",
        &["nothing listens there", "DIANYU_WECOM_BASE_URL"],
    );
    assert_eq!(because(&report, "credentials"), Some("platform"));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_counted_wherever_they_were_made() {
    let clinic = Clinic::open().await;
    let rate = Rate {
        times: 1_000_000,
        within: Duration::from_secs(60),
        burst: 1_000,
    };
    let rates = ["minute", "hour"].map(|span| (format!("wecom:{span}:1:gettoken"), rate));
    // The platform's own limit, and of it what we allow ourselves, is 30 a minute.
    for _ in 0..26 {
        clinic.app.cache.admit(&rates, 100).await.unwrap();
    }
    let words = ["gettoken", "% of our share"];
    names(worry(&clinic.examine().await), "headroom", &words);
    // Another program sees it where the figures are shared, else says that it does not know.
    let report = clinic
        .examined_with(clinic.app.config.clone(), Ok(clinic.app.cache.clone()))
        .await;
    if clinic.app.cache.is_shared() {
        names(worry(&report), "headroom", &words);
    } else {
        let unknown = lines(&report, State::NotChecked);
        names(unknown[0], "headroom", &["only the running server"]);
        assert_eq!(unknown.len(), 1, "{unknown:?}");
    }
}
