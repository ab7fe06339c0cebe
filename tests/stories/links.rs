//! Links: where they may lead, which clicks count, whose they are.

use dianyu::directory;
use dianyu::error::Error;
use dianyu::ids::{AssociateId, ClickId, ContactId, LinkId, StoreId};
use dianyu::links::click::{self, Visit};
use dianyu::links::{self, LinkFilter, LinkTarget, NewLink, Resolved};
use dianyu::page::PageOf;
use dianyu::scope::Scope;
use dianyu::time::{SECOND_MS, Timestamp};

use crate::world::{World, contact};

const SHANGHAI: chrono_tz::Tz = chrono_tz::Asia::Shanghai;

fn to(url: &str) -> NewLink {
    NewLink {
        title: "新品".into(),
        target: LinkTarget::Web { url: url.into() },
        store: Some(StoreId(21)),
        associate: Some(AssociateId(31)),
        campaign: None,
        moment: None,
        contact: None,
    }
}

async fn make(shop: &World, scope: &Scope, new: NewLink) -> Result<(LinkId, String), Error> {
    let corp = directory::find_corp(&shop.app.db, shop.corp).await.unwrap();
    let tx = shop.begin().await;
    let made = links::create(&tx, &shop.act(), scope, &corp, vec![new]).await?;
    tx.commit().await.unwrap();
    Ok(made.into_iter().next().unwrap())
}

async fn open_link(shop: &World) -> Resolved {
    let (_, code) = make(shop, &shop.whole(), to("https://shop.example.com/new"))
        .await
        .unwrap();
    links::resolve(&shop.app.db, &code).await.unwrap()
}

/// A visit `after_ms` from now; the token is the id.
async fn visit(shop: &World, link: &Resolved, visitor: &str, after_ms: i64, is_preview: bool) -> String {
    let id = ClickId::new(&shop.app.ids, shop.now());
    let token = format!("t{id}");
    let visit = Visit {
        id,
        link: link.clone(),
        token: token.clone(),
        visitor: visitor.into(),
        at: shop.now().plus_ms(after_ms),
        is_preview,
    };
    let writer = click::writer(shop.app.db.clone());
    writer.store(visit).await.unwrap();
    token
}

async fn identify(shop: &World, token: &str, who: i64) -> Result<ClickId, Error> {
    let tx = shop.begin().await;
    let click = click::identify(&tx, &shop.act(), shop.corp, SHANGHAI, token, contact(who)).await?;
    tx.commit().await.unwrap();
    Ok(click)
}

fn refused_at(outcome: Result<(LinkId, String), Error>) -> String {
    match outcome {
        Err(Error::Invalid(problems)) => problems[0].pointer.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_link_leads_only_to_the_corps_hosts() {
    let shop = World::open().await;
    let whole = shop.whole();
    let (id, code) = make(&shop, &whole, to("https://shop.example.com/new"))
        .await
        .unwrap();
    assert_eq!(code.len(), 11);
    let link = links::find(&shop.app.db, &whole, id).await.unwrap();
    assert_eq!(
        (link.code, link.associate_name.as_deref()),
        (code, Some("李晓雯"))
    );
    for url in [
        "https://evil.example.com/",
        "javascript:alert(1)",
        "https://shop.example.com@evil.com/",
    ] {
        assert_eq!(
            refused_at(make(&shop, &whole, to(url)).await),
            "/target/url",
            "{url}"
        );
    }
    let mut own = to("https://shop.example.com/new");
    own.contact = Some(ContactId(101));
    assert_eq!(make(&shop, &whole, own).await.unwrap().1.len(), 17);
}

#[tokio::test]
async fn a_link_names_only_what_its_maker_sees() {
    let shop = World::open().await;
    let li = shop.of_associate(31);
    assert!(make(&shop, &li, to("https://shop.example.com/new")).await.is_ok());
    let mut other = to("https://shop.example.com/new");
    other.associate = Some(AssociateId(32));
    assert_eq!(refused_at(make(&shop, &li, other).await), "/associate_id");
    let mut store = to("https://shop.example.com/new");
    (store.store, store.associate) = (Some(StoreId(22)), None);
    assert_eq!(refused_at(make(&shop, &li, store.clone()).await), "/store_id");
    assert_eq!(
        refused_at(make(&shop, &shop.of_store(21), store.clone()).await),
        "/store_id"
    );
    store.contact = Some(ContactId(112));
    assert_eq!(
        refused_at(make(&shop, &shop.of_store(22), store).await),
        "/contact_id"
    );
}

#[tokio::test]
async fn links_out_of_scope_are_not_there() {
    let shop = World::open().await;
    let (id, code) = make(&shop, &shop.whole(), to("https://shop.example.com/new"))
        .await
        .unwrap();
    let count = async |scope: Scope| {
        let page = links::list(&shop.app.db, &scope, &LinkFilter::default(), &PageOf::first(10)).await;
        page.unwrap().items.len()
    };
    assert_eq!(count(shop.of_store(21)).await, 1);
    assert_eq!(count(shop.of_associate(31)).await, 1);
    assert_eq!(count(shop.of_store(22)).await, 0);
    assert_eq!(count(shop.of_associate(32)).await, 0);
    let elsewhere = shop.of_store(22);
    assert!(matches!(
        links::find(&shop.app.db, &elsewhere, id).await,
        Err(Error::NotFound)
    ));
    let clicks = links::clicks(&shop.app.db, &elsewhere, id, &PageOf::first(10)).await;
    assert!(matches!(clicks, Err(Error::NotFound)));

    let tx = shop.begin().await;
    let closed = links::change(&tx, &shop.act(), &elsewhere, id, None, true).await;
    assert!(matches!(closed, Err(Error::NotFound)));
    links::change(&tx, &shop.act(), &shop.whole(), id, Some("旧品"), true)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(
        links::resolve(&shop.app.db, &code).await,
        Err(Error::NotFound)
    ));
}

#[tokio::test]
async fn the_link_of_a_campaign_or_a_moment_is_changed_by_headquarters_only() {
    let shop = World::open().await;
    for column in ["campaign_id", "moment_id"] {
        let (id, _) = make(&shop, &shop.whole(), to("https://shop.example.com/new"))
            .await
            .unwrap();
        shop.run(&format!("update link set {column} = 501 where id = {id}"))
            .await;
        for scope in [shop.of_associate(31), shop.of_store(21)] {
            for (title, close) in [(Some("别名"), false), (None, true)] {
                let tx = shop.begin().await;
                let refused = links::change(&tx, &shop.act(), &scope, id, title, close).await;
                assert!(
                    matches!(refused, Err(Error::Forbidden(_))),
                    "{column} {refused:?}"
                );
            }
        }
        let tx = shop.begin().await;
        links::change(&tx, &shop.act(), &shop.whole(), id, Some("别名"), true)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(
            shop.number(&format!(
                "select count(*) from audit_entry where subject = 'link:{id}' and action in ('link.rename', 'link.close')"
            ))
            .await,
            2
        );
    }
    let (own, _) = make(&shop, &shop.whole(), to("https://shop.example.com/new"))
        .await
        .unwrap();
    let tx = shop.begin().await;
    links::change(&tx, &shop.act(), &shop.of_associate(31), own, None, true)
        .await
        .unwrap();
}

#[tokio::test]
async fn previews_and_repeats_are_kept_and_not_counted() {
    let shop = World::open().await;
    let link = open_link(&shop).await;
    for (visitor, after_ms, is_preview) in [
        ("a", 0, false),
        ("a", 9_999, false),
        ("a", 10_000, false),
        ("b", 1_000, false),
        ("b", 2_000, true),
    ] {
        visit(&shop, &link, visitor, after_ms, is_preview).await;
    }
    let page = links::clicks(&shop.app.db, &shop.whole(), link.link, &PageOf::first(10))
        .await
        .unwrap();
    let mut kinds: Vec<&str> = page.items.iter().map(|click| click.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["person", "person", "person", "preview", "repeat"]);
    assert_eq!(
        links::find(&shop.app.db, &shop.whole(), link.link)
            .await
            .unwrap()
            .clicks,
        3
    );
    let day = "select value from associate_day where store_id = 21 and associate_id = 31 and day = '2026-11-23' and code = 'clicks'";
    assert_eq!(shop.number(day).await, 3);
}

#[tokio::test]
async fn clicks_that_come_together_are_told_apart_too() {
    let shop = World::open().await;
    let link = open_link(&shop).await;
    let visits = (0..5i64)
        .map(|second| Visit {
            id: ClickId::new(&shop.app.ids, shop.now()),
            link: link.clone(),
            token: format!("t{second}"),
            visitor: "a".into(),
            at: Timestamp(shop.now().0 + second * 4 * SECOND_MS),
            is_preview: false,
        })
        .collect();
    let tx = shop.begin().await;
    click::store(&tx, visits).await.unwrap();
    tx.commit().await.unwrap();
    // At 0, 4, 8, 12 and 16 seconds: the first counts, and the one at 12.
    assert_eq!(
        shop.number("select count(*) from click where kind = 'person'")
            .await,
        2
    );
}

#[tokio::test]
async fn a_named_click_names_the_visitors_earlier_ones() {
    let shop = World::open().await;
    let link = open_link(&shop).await;
    let first = visit(&shop, &link, "a", 0, false).await;
    let second = visit(&shop, &link, "a", 60_000, false).await;
    visit(&shop, &link, "b", 60_000, false).await;
    let click = identify(&shop, &second, 101).await.unwrap();
    assert_eq!(identify(&shop, &second, 101).await.unwrap(), click);
    // Who is named stays named.
    identify(&shop, &first, 105).await.unwrap();
    assert_eq!(
        shop.number("select count(*) from click where contact_id = 101")
            .await,
        2
    );
    assert_eq!(
        shop.number("select count(*) from timeline where kind = 'clicked' and contact_id = 101")
            .await,
        2
    );
    assert_eq!(
        shop.number("select count(*) from click where contact_id is null")
            .await,
        1
    );
    assert!(matches!(
        identify(&shop, "nobody's", 101).await,
        Err(Error::NotFound)
    ));
    assert_eq!(
        links::find(&shop.app.db, &shop.whole(), link.link)
            .await
            .unwrap()
            .people,
        1
    );
}

#[tokio::test]
async fn a_person_is_named_only_to_those_who_may_see_them() {
    let shop = World::open().await;
    let link = open_link(&shop).await;
    let token = visit(&shop, &link, "a", 0, false).await;
    identify(&shop, &token, 112).await.unwrap();
    let named = async |scope: Scope| {
        let page = links::clicks(&shop.app.db, &scope, link.link, &PageOf::first(10))
            .await
            .unwrap();
        page.items[0].contact_id
    };
    assert_eq!(named(shop.whole()).await, Some(ContactId(112)));
    assert_eq!(named(shop.of_store(21)).await, None);
}

#[tokio::test]
async fn an_opening_told_by_the_mini_store_counts_once() {
    let shop = World::open().await;
    let link = open_link(&shop).await;
    let through = visit(&shop, &link, "a", 0, false).await;
    for (token, after_ms) in [
        ("m1", 0),
        ("m1", 0),
        ("m2", 5_000),
        ("m3", 20_000),
        (through.as_str(), 0),
    ] {
        let tx = shop.begin().await;
        let at = shop.now().plus_ms(after_ms);
        click::opened(&tx, &shop.act(), &link, token, contact(103), at)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(shop.number("select count(*) from click").await, 4);
    assert_eq!(
        shop.number("select count(*) from click where kind = 'person'")
            .await,
        3
    );
    assert_eq!(
        shop.number("select count(*) from click where contact_id = 103")
            .await,
        4
    );
    assert_eq!(
        shop.number("select count(*) from timeline where kind = 'clicked'")
            .await,
        3
    );
    let total = "select value from store_day where store_id = 21 and code = 'clicks'";
    assert_eq!(shop.number(total).await, 3);
}
