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
    let state = auth::begin_oauth(&shop.app, shop.corp, "browser-a", "/contacts")
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

#[tokio::test]
async fn a_changed_or_missing_audit_entry_is_noticed() {
    let shop = World::open().await;
    let tx = shop.begin().await;
    for number in 0..5 {
        let detail = serde_json::json!({ "number": number });
        audit::append(&tx, &shop.act(), shop.corp, "test.done", "test:1", &detail)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(
        audit::verify(&shop.app.db, shop.corp).await.unwrap(),
        Verdict::Whole { entries: 5 }
    );
    shop.run("update audit_entry set subject = 'test:2' where seq = 3")
        .await;
    assert_eq!(
        audit::verify(&shop.app.db, shop.corp).await.unwrap(),
        Verdict::Broken { seq: 3 }
    );
    shop.run("delete from audit_entry where seq = 3").await;
    assert_eq!(
        audit::verify(&shop.app.db, shop.corp).await.unwrap(),
        Verdict::Broken { seq: 3 }
    );
}
