//! Sign-in, sessions, keys, the audit chain.

use dianyu::auth::audit::{self, Verdict};
use dianyu::auth::{self, NewOperator, Permission, Role};
use dianyu::error::Error;
use dianyu::ids::{AssociateId, StoreId};
use dianyu::scope::Reach;
use dianyu::time::{DAY_MS, HOUR_MS};
use secrecy::{ExposeSecret, SecretString};

use crate::world::World;

const PASSWORD: &str = "tide-lantern-47-moss";

async fn add(shop: &World, login: &str, role: Role, store: Option<i64>, associate: Option<i64>) {
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
    auth::add_operator(&tx, &shop.act(), shop.corp, new)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn sign_in(shop: &World, login: &str, password: &str) -> Result<String, Error> {
    let session = auth::sign_in(&shop.app, login, &SecretString::from(password), "127.0.0.1").await?;
    Ok(session.token.expose_secret().to_owned())
}

#[tokio::test]
async fn a_manager_signs_in_and_sees_one_store() {
    let shop = World::open().await;
    add(&shop, "Manager", Role::Manager, Some(21), None).await;
    let token = sign_in(&shop, "manager", PASSWORD).await.unwrap();
    let me = auth::operator(&shop.app, &token).await.unwrap();
    assert_eq!(me.scope.reach, Reach::Stores(vec![StoreId(21)]));
    assert_eq!(me.store_name.as_deref(), Some("静安嘉里店"));
    assert!(me.may(Permission::ReportsRead) && !me.may(Permission::CampaignsWrite));
    assert_eq!(
        shop.number(&format!(
            "select count(*) from session where token_hash = '{token}'"
        ))
        .await,
        0
    );
    auth::sign_out(&shop.app, &me).await.unwrap();
    assert!(matches!(
        auth::operator(&shop.app, &token).await,
        Err(Error::SignedOut)
    ));
}

#[tokio::test]
async fn five_wrong_passwords_shut_the_door_for_a_while() {
    let shop = World::open().await;
    add(&shop, "chen", Role::Marketer, None, None).await;
    for _ in 0..5 {
        assert!(matches!(
            sign_in(&shop, "chen", "wrong").await,
            Err(Error::SignedOut)
        ));
    }
    assert!(matches!(
        sign_in(&shop, "chen", PASSWORD).await,
        Err(Error::TooMany { .. })
    ));
}

#[tokio::test]
async fn a_member_disabled_on_the_platform_is_out_until_enabled() {
    let shop = World::open().await;
    add(&shop, "li", Role::Associate, None, Some(31)).await;
    let token = sign_in(&shop, "li", PASSWORD).await.unwrap();
    let member = dianyu::ids::UserId("li".into());
    shop.run("update associate set status = 'disabled' where id = 31")
        .await;
    let is_out = |outcome: Result<auth::Operator, Error>| matches!(outcome, Err(Error::SignedOut));
    assert!(is_out(auth::operator(&shop.app, &token).await));
    assert!(matches!(
        sign_in(&shop, "li", PASSWORD).await,
        Err(Error::SignedOut)
    ));
    let vouched = auth::sign_in_member(&shop.app, shop.corp, &member).await;
    assert!(matches!(vouched, Err(Error::NotFound)));
    dianyu::contacts::settle_member(&shop.app, shop.corp, &member)
        .await
        .unwrap();
    shop.run("update associate set status = 'active' where id = 31")
        .await;
    assert!(is_out(auth::operator(&shop.app, &token).await));
    assert!(sign_in(&shop, "li", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn a_page_that_asks_by_itself_keeps_no_session_alive() {
    let shop = World::open().await;
    add(&shop, "chen", Role::Marketer, None, None).await;
    let token = sign_in(&shop, "chen", PASSWORD).await.unwrap();
    for _ in 0..12 {
        shop.app.clock.advance(HOUR_MS);
        assert!(auth::onlooker(&shop.app, &token).await.is_ok());
    }
    shop.app.clock.advance(HOUR_MS);
    assert!(matches!(
        auth::onlooker(&shop.app, &token).await,
        Err(Error::SignedOut)
    ));
}

#[tokio::test]
async fn sign_ins_by_the_platform_are_limited_and_swept() {
    let shop = World::open().await;
    let begin =
        async |address: &str| auth::begin_oauth(&shop.app, shop.corp, "browser-a", "/", address).await;
    for _ in 0..60 {
        begin("6.6.6.6").await.unwrap();
    }
    assert!(matches!(begin("6.6.6.6").await, Err(Error::TooMany { .. })));
    assert!(begin("9.9.9.9").await.is_ok());
    add(&shop, "chen", Role::Marketer, None, None).await;
    let ended = sign_in(&shop, "chen", PASSWORD).await.unwrap();
    let me = auth::operator(&shop.app, &ended).await.unwrap();
    auth::sign_out(&shop.app, &me).await.unwrap();
    sign_in(&shop, "chen", PASSWORD).await.unwrap();
    let sweep = async || {
        let tx = shop.begin().await;
        auth::sweep(&tx, shop.corp, shop.now()).await.unwrap();
        tx.commit().await.unwrap();
        let attempts = shop.number("select count(*) from oauth_attempt").await;
        (attempts, shop.number("select count(*) from session").await)
    };
    assert_eq!(sweep().await, (61, 1));
    shop.app.clock.advance(HOUR_MS);
    assert_eq!(sweep().await, (0, 1));
    shop.app.clock.advance(7 * DAY_MS);
    assert_eq!(sweep().await, (0, 0));
}

#[tokio::test]
async fn sessions_end_by_idleness_age_and_change_of_rights() {
    let shop = World::open().await;
    add(&shop, "chen", Role::Marketer, None, None).await;
    add(&shop, "li", Role::Associate, None, Some(31)).await;
    let idle = sign_in(&shop, "chen", PASSWORD).await.unwrap();
    let leaver = sign_in(&shop, "li", PASSWORD).await.unwrap();
    assert!(auth::operator(&shop.app, &leaver).await.is_ok());
    let tx = shop.begin().await;
    auth::end_associate(&tx, &shop.act(), shop.corp, AssociateId(31))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(
        auth::operator(&shop.app, &leaver).await,
        Err(Error::SignedOut)
    ));
    shop.app.clock.advance(13 * HOUR_MS);
    assert!(matches!(
        auth::operator(&shop.app, &idle).await,
        Err(Error::SignedOut)
    ));
    let old = sign_in(&shop, "chen", PASSWORD).await.unwrap();
    for _ in 0..7 {
        for _ in 0..2 {
            shop.app.clock.advance(DAY_MS / 2);
            let _ = auth::operator(&shop.app, &old).await;
        }
    }
    shop.app.clock.advance(HOUR_MS);
    assert!(matches!(
        auth::operator(&shop.app, &old).await,
        Err(Error::SignedOut)
    ));
}

#[tokio::test]
async fn a_state_works_once_and_only_in_its_browser() {
    let shop = World::open().await;
    let state = auth::begin_oauth(&shop.app, shop.corp, "browser-a", "/contacts", "9.9.9.9")
        .await
        .unwrap();
    assert!(matches!(
        auth::finish_oauth(&shop.app, &state, "browser-b").await,
        Err(Error::SignedOut)
    ));
    assert_eq!(
        auth::finish_oauth(&shop.app, &state, "browser-a").await.unwrap(),
        (shop.corp, "/contacts".into())
    );
    assert!(matches!(
        auth::finish_oauth(&shop.app, &state, "browser-a").await,
        Err(Error::SignedOut)
    ));
}

#[tokio::test]
async fn a_key_opens_only_its_scopes_until_it_expires() {
    let shop = World::open().await;
    let tx = shop.begin().await;
    let scopes = ["contacts:read".to_owned()];
    let until = shop.now().plus_ms(DAY_MS);
    let (_, key) = auth::add_key(&tx, &shop.act(), shop.corp, "till", &scopes, Some(until))
        .await
        .unwrap();
    let refused = auth::add_key(
        &tx,
        &shop.act(),
        shop.corp,
        "till",
        &["contacts:fly".to_owned()],
        None,
    )
    .await;
    assert!(matches!(refused, Err(Error::Invalid(_))));
    tx.commit().await.unwrap();
    let caller = auth::caller(&shop.app, key.expose_secret()).await.unwrap();
    assert!(caller.may(Permission::ContactsRead) && !caller.may(Permission::ContactsWrite));
    assert!(matches!(
        auth::caller(&shop.app, "dianyu_wrong").await,
        Err(Error::SignedOut)
    ));
    shop.app.clock.advance(DAY_MS + 1);
    assert!(matches!(
        auth::caller(&shop.app, key.expose_secret()).await,
        Err(Error::SignedOut)
    ));
}

async fn entries(shop: &World, numbers: std::ops::Range<i64>) {
    let tx = shop.begin().await;
    for number in numbers {
        let detail = serde_json::json!({ "number": number });
        audit::append(&tx, &shop.act(), shop.corp, "test.done", "test:1", &detail)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

async fn verdict(shop: &World) -> Verdict {
    audit::verify(&shop.app.db, &shop.app.sealer, shop.corp)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_change_to_any_audit_entry_is_noticed() {
    let shop = World::open().await;
    entries(&shop, 0..5).await;
    let whole = verdict(&shop).await;
    assert!(
        matches!(
            whole,
            Verdict::Whole {
                entries: 5,
                head: Some(_)
            }
        ),
        "{whole:?}"
    );
    for seq in 1..=5 {
        for (column, other) in [
            ("subject", "'test:2'"),
            ("actor", "'operator:1'"),
            ("action", "'test.undone'"),
            ("detail", "'{}'"),
            ("at", "at + 1"),
            ("hash", "'00'"),
        ] {
            shop.run(&format!(
                "create table kept as select * from audit_entry where seq = {seq}"
            ))
            .await;
            shop.run(&format!(
                "update audit_entry set {column} = {other} where seq = {seq}"
            ))
            .await;
            assert_eq!(verdict(&shop).await, Verdict::Broken { seq }, "{column}");
            shop.run(&format!("delete from audit_entry where seq = {seq}"))
                .await;
            assert_eq!(verdict(&shop).await, Verdict::Broken { seq });
            shop.run("insert into audit_entry select * from kept").await;
            shop.run("drop table kept").await;
            assert_eq!(verdict(&shop).await, whole);
        }
    }
}

#[tokio::test]
async fn audit_entries_cut_off_the_end_stay_missing() {
    let shop = World::open().await;
    entries(&shop, 0..5).await;
    shop.run("delete from audit_entry where seq > 3").await;
    assert_eq!(verdict(&shop).await, Verdict::Broken { seq: 4 });
    // Whoever writes the database alone has no head for the shorter chain.
    shop.run("update audit_head set seq = 3").await;
    assert_eq!(verdict(&shop).await, Verdict::Broken { seq: 4 });
    shop.run("update audit_head set seq = 5").await;
    entries(&shop, 5..7).await;
    assert_eq!(verdict(&shop).await, Verdict::Broken { seq: 4 });
}

#[tokio::test]
async fn a_chain_from_before_there_was_a_key_is_sealed_once() {
    let shop = World::open().await;
    // Two entries as they were written before: a plain hash over the one before and every field.
    let mut previous = String::new();
    for seq in 1..=2 {
        let number = seq.to_string();
        let mut text = Vec::new();
        let fields = [
            previous.as_str(),
            "1",
            number.as_str(),
            "0",
            "system",
            "test.done",
            "test:1",
            "{}",
        ];
        for field in fields {
            text.extend((field.len() as u64).to_be_bytes());
            text.extend(field.as_bytes());
        }
        previous = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&text));
        shop.run(&format!(
            "insert into audit_entry (corp_id, seq, at, actor, action, subject, detail, hash)
             values (1, {seq}, 0, 'system', 'test.done', 'test:1', '{{}}', '{previous}')"
        ))
        .await;
    }
    shop.run("insert into audit_head (corp_id, seq, mac, unkeyed_to) values (1, 2, '', 2)")
        .await;
    assert_eq!(
        verdict(&shop).await,
        Verdict::Whole {
            entries: 2,
            head: None
        }
    );
    entries(&shop, 0..2).await;
    let sealed = verdict(&shop).await;
    assert!(
        matches!(
            sealed,
            Verdict::Whole {
                entries: 4,
                head: Some(_)
            }
        ),
        "{sealed:?}"
    );
    shop.run("update audit_entry set subject = 'test:2' where seq = 2")
        .await;
    assert_eq!(verdict(&shop).await, Verdict::Broken { seq: 2 });
}
