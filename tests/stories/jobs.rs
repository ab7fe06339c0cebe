//! Jobs: from the platform's door to our rows, and what becomes of a job that fails.

use std::time::Duration;

use dianyu::contacts::{self, ContactFilter};
use dianyu::ids::UserId;
use dianyu::job::{self, Job};
use dianyu::jobs::{self, schedule};
use dianyu::queue::{self, Lane, NewJob};
use dianyu::sandbox::{Fault, Member, Plan};
use dianyu::sync::{self, jobs::Nightly};
use dianyu::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use dianyu::wecom::crypto::CallbackCrypto;
use tokio_util::sync::CancellationToken;

use crate::street::Street;
use crate::world::{CORPID, World, ZONE};

impl World {
    async fn due<J: Job>(&self, job: J) {
        let tx = self.begin().await;
        job::enqueue(&tx, &self.app.ids, self.now(), self.corp, &job, self.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn live_pairs(&self) -> i64 {
        self.number("select count(*) from follow where state = 'active'")
            .await
    }
}

#[tokio::test]
async fn somebody_who_scans_is_a_contact_and_somebody_who_leaves_is_lost() {
    let street = Street::open().await;
    let shop = &street.shop;
    street.passer_by("wmZhou");
    street.sandbox.scan(CORPID, "wmZhou", "li", "door").unwrap();
    street.settle().await;
    assert_eq!(
        contacts::count(
            &shop.app.db,
            &shop.of_associate(31),
            &ContactFilter::default(),
            ZONE
        )
        .await
        .unwrap(),
        5
    );

    street.after(HOUR_MS);
    street
        .sandbox
        .member_tags(CORPID, "li", "wmZhou", &["etGold"], &[])
        .unwrap();
    street
        .sandbox
        .member_remarks(CORPID, "li", "wmZhou", "周小姐")
        .unwrap();
    street.settle().await;
    assert_eq!(
        shop.number("select count(*) from follow where remark = '周小姐' and tags = ' 51 '")
            .await,
        1
    );

    street.after(HOUR_MS);
    street.sandbox.customer_deletes(CORPID, "wmZhou", "li").unwrap();
    street.sandbox.member_deletes(CORPID, "wu", "wmSim105").unwrap();
    street.settle().await;
    assert_eq!(
        shop.number("select count(*) from follow where state = 'lost'")
            .await,
        1
    );
    assert_eq!(
        shop.number("select count(*) from follow where state = 'removed'")
            .await,
        1
    );
    for code in ["new_relations", "lost_relations", "staff_removed"] {
        let sql = format!("select value from associate_day where code = '{code}' and day = '2026-11-23'");
        assert_eq!(shop.number(&sql).await, 1, "{code}");
    }

    street.after(HOUR_MS);
    street.sandbox.scan(CORPID, "wmZhou", "li", "door").unwrap();
    street.settle().await;
    street.after(2 * HOUR_MS);
    street.settle().await;
    assert_eq!(
        shop.number("select count(*) from follow where state = 'lost'")
            .await,
        0
    );
    assert_eq!(
        shop.number("select count(*) from follow_period where until_at is null")
            .await,
        13
    );
}

#[tokio::test]
async fn a_platform_that_lags_is_asked_again() {
    let street = Street::open().await;
    let mut knobs = street.sandbox.knobs();
    knobs.read_lag_ms = 5_000;
    street.sandbox.set_knobs(knobs);
    street.passer_by("wmZhou");
    street.sandbox.scan(CORPID, "wmZhou", "li", "").unwrap();
    street.settle().await;
    assert_eq!(street.shop.live_pairs().await, 13);
    for _ in 0..4 {
        street.after(3_000);
        street.settle().await;
    }
    assert_eq!(street.shop.live_pairs().await, 14);
}

#[tokio::test]
async fn a_customer_who_left_before_the_platform_showed_them_is_lost_once_it_does() {
    let street = Street::open().await;
    let shop = &street.shop;
    let mut knobs = street.sandbox.knobs();
    knobs.read_lag_ms = 5_000;
    street.sandbox.set_knobs(knobs);
    street.passer_by("wmZhou");
    street.sandbox.scan(CORPID, "wmZhou", "li", "").unwrap();
    street.after(300);
    street.sandbox.customer_deletes(CORPID, "wmZhou", "li").unwrap();
    for pause in [0, 3_000, 3_000, 3_000, 2 * MINUTE_MS] {
        street.after(pause);
        street.settle().await;
    }
    assert_eq!(
        shop.number("select count(*) from follow f join contact c on c.id = f.contact_id where c.external_userid = 'wmZhou' and f.state = 'lost'")
            .await,
        1
    );
    assert_eq!(
        shop.number("select count(*) from follow_period where until_cause = 'contact'")
            .await,
        1
    );
    assert_eq!(
        shop.number("select value from store_day where store_id = 21 and code = 'lost_relations'")
            .await,
        1
    );
}

#[tokio::test]
async fn what_callbacks_lost_the_sweep_finds() {
    let street = Street::open().await;
    let shop = &street.shop;
    street.sandbox.set_callback(
        CORPID,
        "http://127.0.0.1:1/nowhere",
        "SimToken2026",
        "HeEyGmbtghpKtg83Nv5glN8DaDh0Y6aMKLRJGptqbOU",
    );
    street.passer_by("wmZhou");
    street.sandbox.scan(CORPID, "wmZhou", "qian", "").unwrap();
    street.sandbox.member_deletes(CORPID, "sun", "wmSim112").unwrap();
    street.sandbox.move_member(CORPID, "wu", vec![23]).unwrap();
    let hired = Member {
        userid: "Zheng".into(),
        name: "郑秀".into(),
        department: vec![22],
        ..Member::default()
    };
    street.sandbox.hire(CORPID, hired).unwrap();
    street.sandbox.scan(CORPID, "wmZhou", "Zheng", "").unwrap();
    street.after(2 * MINUTE_MS);
    for _ in 0..2 {
        shop.due(Nightly {}).await;
        jobs::settle(&shop.app).await;
    }
    assert_eq!(shop.live_pairs().await, 14);
    assert_eq!(shop.number("select count(*) from associate").await, 6);
    assert_eq!(
        shop.number("select count(*) from follow where associate_id = 32 and store_id = 23")
            .await,
        2
    );
    assert_eq!(shop.number("select count(*) from store").await, 3);
    shop.due(Nightly {}).await;
    jobs::settle(&shop.app).await;
    let run = sync::latest(&shop.app.db, &shop.whole()).await.unwrap().unwrap();
    assert_eq!((run.state.as_str(), run.corrections()), ("done", 0));
}

#[tokio::test]
async fn a_member_who_leaves_is_gone_at_once_and_a_new_one_is_known() {
    let street = Street::open().await;
    let shop = &street.shop;
    street.sandbox.resign(CORPID, "li").unwrap();
    street.settle().await;
    assert_eq!(
        shop.number("select count(*) from associate where status = 'left' and left_at is not null")
            .await,
        1
    );
    let hired = Member {
        userid: "Zheng".into(),
        name: "郑秀".into(),
        department: vec![22],
        ..Member::default()
    };
    street.sandbox.hire(CORPID, hired).unwrap();
    street.settle().await;
    let zheng = dianyu::directory::associate_by_userid(&shop.app.db, shop.corp, &UserId::from("zheng"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (zheng.name.as_str(), zheng.store_name.as_deref()),
        ("郑秀", Some("杭州湖滨店"))
    );
}

#[tokio::test]
async fn tags_made_in_the_console_are_mirrored() {
    let street = Street::open().await;
    street.sandbox.admin_adds_tag(CORPID, "会员等级", "黑卡").unwrap();
    street.settle().await;
    assert_eq!(
        street
            .shop
            .number("select count(*) from tag where name = '黑卡' and deleted_at is null")
            .await,
        1
    );
}

#[tokio::test]
async fn every_wrong_callback_gets_the_same_refusal_and_leaves_nothing() {
    let street = Street::open().await;
    street.sandbox.verify_callback(CORPID).await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let crypto = CallbackCrypto::new(
        "SimToken2026",
        "HeEyGmbtghpKtg83Nv5glN8DaDh0Y6aMKLRJGptqbOU",
        CORPID,
    )
    .unwrap();
    let encrypted = crypto.encrypt([7; 16], "<xml><Event>x</Event></xml>");
    let envelope = format!("<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>");
    let signed = format!(
        "?msg_signature={}&timestamp=1&nonce=2",
        crypto.signature("1", "2", &encrypted)
    );
    let other = street.url.replace(CORPID, "ww0000000000000009");
    let cases = [
        (format!("{}{signed}", street.url), "x".repeat(65 * 1024)),
        (format!("{}{signed}", street.url), "no xml".into()),
        (
            format!("{}{signed}", street.url),
            envelope.replace("Encrypt", "Plain"),
        ),
        (
            format!("{}?msg_signature=0&timestamp=1&nonce=2", street.url),
            envelope.clone(),
        ),
        (street.url.clone(), envelope.clone()),
        (format!("{other}{signed}"), envelope.clone()),
        (
            format!("{}{signed}", street.url.replace("/ww", "/%ff")),
            envelope.clone(),
        ),
        (
            format!("{}{signed}", street.url.replace("/ww", "/%00")),
            envelope.clone(),
        ),
    ];
    for (url, body) in cases {
        let answer = client.post(&url).body(body).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!((status.as_u16(), text.as_str()), (403, "refused\n"), "{url}");
    }
    assert_eq!(street.shop.number("select count(*) from inbox").await, 0);

    // An event somebody caught is not read out where the platform asks for its echo, nor is an old echo.
    let now = (street.shop.now().0 / 1_000).to_string();
    let old = (street.shop.now().0 / 1_000 - 601).to_string();
    let echo = crypto.encrypt([7; 16], "1616140317555161061");
    for (sent, asked, status) in [(&now, &encrypted, 403), (&old, &echo, 403), (&now, &echo, 200)] {
        let signature = crypto.signature(sent, "2", asked);
        let query = [
            ("msg_signature", signature.as_str()),
            ("timestamp", sent),
            ("nonce", "2"),
            ("echostr", asked),
        ];
        let answer = client.get(&street.url).query(&query).send().await.unwrap();
        let (answered, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!(answered, status, "{text}");
        assert!(!text.contains("Event"), "{text}");
    }

    for _ in 0..3 {
        let answer = client
            .post(format!("{}{signed}", street.url))
            .body(envelope.clone())
            .send()
            .await
            .unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.text().await.unwrap()),
            (200, String::new())
        );
    }
    assert_eq!(street.shop.number("select count(*) from inbox").await, 1);
    street.settle().await;
}

#[tokio::test]
async fn a_platform_that_is_away_is_tried_again() {
    for (code, counted) in [(45009, 0), (-1, 1)] {
        let street = Street::open().await;
        street.passer_by("wmZhou");
        street.sandbox.plan(Plan {
            api: "externalcontact/get".into(),
            fault: Fault::Errcode(code),
            times: 20,
        });
        street.sandbox.scan(CORPID, "wmZhou", "li", "").unwrap();
        street.settle().await;
        assert_eq!(street.shop.live_pairs().await, 13);
        let attempts = "select attempts from job where kind = 'contacts.fetch' and state = 'waiting'";
        assert_eq!(street.shop.number(attempts).await, counted, "{code}");
        street.sandbox.forget_plans();
        street.after(HOUR_MS);
        street.settle().await;
        assert_eq!(street.shop.live_pairs().await, 14);
    }
}

#[tokio::test]
async fn a_job_nobody_knows_waits_for_a_version_that_does() {
    let shop = World::open().await;
    let tx = shop.begin().await;
    let unknown = NewJob {
        corp: shop.corp,
        kind: "future.job",
        payload: "{}".into(),
        lane: Lane::Normal,
        run_at: shop.now(),
        unique_key: None,
    };
    queue::enqueue(&tx, &shop.app.ids, shop.now(), unknown)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    jobs::settle(&shop.app).await;
    assert_eq!(
        shop.number("select attempts from job where kind = 'future.job' and state = 'waiting'")
            .await,
        1
    );
}

#[tokio::test]
async fn the_clocks_jobs_wait_once_however_many_instances_write_them() {
    let shop = World::open().await;
    for _ in 0..3 {
        schedule::plan(&shop.app).await.unwrap();
    }
    let planned = shop.number("select count(*) from job").await;
    assert!(planned >= 3);
    assert_eq!(shop.number("select count(distinct kind) from job").await, planned);
    assert_eq!(jobs::settle(&shop.app).await, 0);
    shop.app.clock.advance(DAY_MS);
    schedule::plan(&shop.app).await.unwrap();
    assert_eq!(shop.number("select count(*) from job").await, planned);
}

#[tokio::test]
async fn the_runner_works_until_it_is_stopped() {
    let street = Street::open().await;
    let stop = CancellationToken::new();
    let runner = tokio::spawn(jobs::run(street.shop.app.clone(), stop.clone()));
    street.passer_by("wmZhou");
    street.sandbox.scan(CORPID, "wmZhou", "li", "").unwrap();
    for _ in 0..100 {
        if street.shop.live_pairs().await == 14 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(street.shop.live_pairs().await, 14);
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), runner)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_workers_on_the_same_pairs_count_everything_once() {
    let street = Street::open().await;
    let shop = &street.shop;
    for round in 0..6 {
        let person = format!("wmRace{round}");
        street.passer_by(&person);
        street.sandbox.scan(CORPID, &person, "li", "").unwrap();
        street.sandbox.scan(CORPID, &person, "zhao", "").unwrap();
        street
            .sandbox
            .member_tags(CORPID, "li", &person, &["etGold"], &[])
            .unwrap();
        street.after(1_000);
        street.sandbox.customer_deletes(CORPID, &person, "li").unwrap();
        street.sandbox.member_deletes(CORPID, "zhao", &person).unwrap();
    }
    street.sandbox.callbacks_settled().await;
    for _ in 0..20 {
        let workers = (0..4).map(|_| jobs::settle(&shop.app));
        futures_util::future::join_all(workers).await;
        street.after(30_000);
    }
    let figure = async |code: &str| {
        shop.number(&format!(
            "select cast(coalesce(sum(value), 0) as bigint) from store_day where code = '{code}'"
        ))
        .await
    };
    // Whom the associate deleted before anybody looked was never seen; whoever was seen is counted once each way.
    let begun = "select count(*) from follow_period where from_cause = 'scan' and from_day = '2026-11-23'";
    assert_eq!(figure("new_relations").await, shop.number(begun).await);
    assert_eq!(figure("lost_relations").await, 6);
    let removed = "select count(*) from follow_period where until_cause = 'associate'";
    assert_eq!(figure("staff_removed").await, shop.number(removed).await);
    assert_eq!(shop.live_pairs().await, 13);
    assert_eq!(
        shop.number("select count(*) from job where state = 'dead'").await,
        0
    );
}
