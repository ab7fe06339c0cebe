//! Tags: mirrored, counted within the scope, gone from every pair when they are gone there.

use dianyu::contacts;
use dianyu::error::Error;
use dianyu::ids::{ContactId, TagId};
use dianyu::scope::Actor;
use dianyu::tags;
use dianyu::wecom::tag::{Tag, TagGroup};

use crate::street::Street;
use crate::world::{CORPID, World};

impl World {
    /// Group 50 会员等级 with 51 金卡 and 52 银卡.
    pub async fn tags(&self) {
        self.run(
            "insert into tag_group (corp_id, id, platform_id, name, sort, created_at) values (1, 50, 'etLevel', '会员等级', 1, 0)",
        )
        .await;
        self.run(
            "insert into tag (corp_id, id, group_id, platform_id, name, sort, created_at) values
             (1, 51, 50, 'etGold', '金卡', 2, 0), (1, 52, 50, 'etSilver', '银卡', 1, 0)",
        )
        .await;
    }
}

fn group(tags: &[(&str, &str)]) -> TagGroup {
    let tag = |(id, name): &(&str, &str)| Tag {
        id: (*id).into(),
        name: (*name).into(),
        order: 0,
    };
    TagGroup {
        group_id: "etLevel".into(),
        group_name: "会员等级".into(),
        order: 1,
        tag: tags.iter().map(tag).collect(),
    }
}

#[tokio::test]
async fn counts_are_of_the_scope() {
    let shop = World::open().await;
    shop.tags().await;
    shop.run("update follow set tags = ' 51 52 ' where associate_id in (31, 33)")
        .await;
    let groups = tags::groups(&shop.app.db, &shop.whole()).await.unwrap();
    let counts: Vec<i64> = groups[0].tags.iter().map(|tag| tag.contacts).collect();
    assert_eq!((groups[0].tags[0].name.as_str(), counts), ("金卡", vec![8, 8]));
    let gold = tags::find(&shop.app.db, &shop.of_store(22), TagId(51))
        .await
        .unwrap();
    assert_eq!(gold.contacts, 4);
    assert_eq!(
        tags::find(&shop.app.db, &shop.of_associate(35), TagId(51))
            .await
            .unwrap()
            .contacts,
        0
    );
    assert!(matches!(
        tags::find(&shop.app.db, &shop.whole(), TagId(9)).await,
        Err(Error::NotFound)
    ));
}

#[tokio::test]
async fn a_tag_that_is_gone_there_leaves_every_pair() {
    let shop = World::open().await;
    shop.tags().await;
    shop.run("update follow set tags = ' 51 52 ' where associate_id = 31")
        .await;
    let act = shop.app.act(Actor::Platform);
    for _ in 0..2 {
        let tx = shop.begin().await;
        let seen = [group(&[("etSilver", "银卡会员"), ("etBronze", "铜卡")])];
        assert_eq!(tags::mirror_tags(&tx, &act, shop.corp, &seen).await.unwrap(), 2);
        tx.commit().await.unwrap();
    }
    assert_eq!(
        shop.number("select count(*) from follow where tags = ' 52 '")
            .await,
        4
    );
    assert_eq!(
        shop.number("select count(*) from tag_change where not added")
            .await,
        4
    );
    let groups = tags::groups(&shop.app.db, &shop.whole()).await.unwrap();
    let names: Vec<&str> = groups[0].tags.iter().map(|tag| tag.name.as_str()).collect();
    assert_eq!(names, ["银卡会员", "铜卡"]);

    // Back again, it is the same tag as before.
    let tx = shop.begin().await;
    tags::mirror_tags(&tx, &act, shop.corp, &[group(&[("etGold", "金卡")])])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        tags::find(&shop.app.db, &shop.whole(), TagId(51))
            .await
            .unwrap()
            .name,
        "金卡"
    );
}

#[tokio::test]
async fn wrong_names_tags_and_amounts_are_refused_before_anybody_is_called() {
    let shop = World::open().await;
    shop.tags().await;
    let (app, act, whole) = (&shop.app, shop.act(), shop.whole());
    let into = || tags::Into::Group(dianyu::ids::TagGroupId(50));
    let cases = [("", "/name"), ("  ", "/name"), ("金卡", "/name")];
    for (name, pointer) in cases {
        let refused = tags::create(app, &act, &whole, into(), name).await;
        assert!(
            matches!(refused, Err(Error::Invalid(problems)) if problems[0].pointer == pointer),
            "{name}"
        );
    }
    let long = "长".repeat(31);
    assert!(matches!(
        tags::rename(app, &act, &whole, TagId(51), &long).await,
        Err(Error::Invalid(_))
    ));
    let unknown = tags::mark(app, &act, &whole, &[], &[TagId(51), TagId(9)], &[]).await;
    assert!(matches!(unknown, Err(Error::Invalid(problems)) if problems[0].pointer == "/add/1"));
    let both = tags::mark(app, &act, &whole, &[], &[TagId(51)], &[TagId(51)]).await;
    assert!(matches!(both, Err(Error::Invalid(problems)) if problems[0].pointer == "/add/0"));
}

#[tokio::test]
async fn tags_are_written_through_and_pairs_marked_one_by_one() {
    let street = Street::open().await;
    let (app, act, whole) = (&street.shop.app, street.shop.act(), street.shop.whole());
    let tag = tags::create(app, &act, &whole, tags::Into::NewGroup("门店活动".into()), "春季")
        .await
        .unwrap();
    let again = tags::create(app, &act, &whole, tags::Into::Group(tag.group_id), "春季").await;
    assert!(matches!(again, Err(Error::Invalid(_))));

    street.sandbox.member_deletes(CORPID, "wu", "wmSim105").unwrap();
    let people: Vec<ContactId> = [101, 102, 105, 999].map(ContactId).to_vec();
    let marked = tags::mark(app, &act, &whole, &people, &[tag.id], &[])
        .await
        .unwrap();
    let results: Vec<&str> = marked.iter().map(|one| one.result.as_str()).collect();
    assert_eq!(results, ["marked", "marked", "failed", "not_found"]);
    assert!(marked[2].reason.as_deref().unwrap().contains("does not follow"));
    let again = tags::mark(app, &act, &whole, &people[..2], &[tag.id], &[])
        .await
        .unwrap();
    assert!(again.iter().all(|one| one.result == "unchanged"));
    assert_eq!(tags::find(&app.db, &whole, tag.id).await.unwrap().contacts, 3);
    assert_eq!(
        street
            .shop
            .number("select count(*) from tag_change where source = 'rule'")
            .await,
        3
    );

    // What the platform says afterwards is what we hold: nothing turns.
    contacts::refresh(app, street.shop.corp, &"wmSim101".into())
        .await
        .unwrap();
    assert_eq!(street.shop.number("select count(*) from tag_change").await, 3);

    tags::rename(app, &act, &whole, tag.id, "春夏").await.unwrap();
    tags::delete(app, &act, &whole, tag.id).await.unwrap();
    assert_eq!(
        street
            .shop
            .number("select count(*) from follow where tags <> ' '")
            .await,
        0
    );
    let names: Vec<String> = tags::groups(&app.db, &whole)
        .await
        .unwrap()
        .into_iter()
        .map(|group| group.name)
        .collect();
    assert_eq!(names, ["会员等级"]);
}
