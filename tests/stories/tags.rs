//! Tags: mirrored, counted within the scope, gone from every pair when they are gone there.

use dianyu::contacts;
use dianyu::directory;
use dianyu::error::Error;
use dianyu::ids::{ContactId, TagId};
use dianyu::sandbox::{Fault, Plan};
use dianyu::scope::Actor;
use dianyu::tags;
use dianyu::time::{MINUTE_MS, SECOND_MS};
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
    let groups = tags::counted_groups(&shop.app.db, &shop.whole()).await.unwrap();
    let counts: Vec<i64> = groups[0].tags.iter().filter_map(|tag| tag.contacts).collect();
    assert_eq!((groups[0].tags[0].name.as_str(), counts), ("金卡", vec![8, 8]));
    let gold = tags::find(&shop.app.db, &shop.of_store(22), TagId(51))
        .await
        .unwrap();
    assert_eq!(gold.contacts, Some(4));
    assert_eq!(
        tags::find(&shop.app.db, &shop.of_associate(35), TagId(51))
            .await
            .unwrap()
            .contacts,
        Some(0)
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
        let synced = tags::mirror_tags(&tx, &act, shop.corp, &seen, shop.now()).await;
        assert_eq!(synced.unwrap().tags, 2);
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
    let groups = tags::counted_groups(&shop.app.db, &shop.whole()).await.unwrap();
    let names: Vec<&str> = groups[0].tags.iter().map(|tag| tag.name.as_str()).collect();
    assert_eq!(names, ["银卡会员", "铜卡"]);

    // Back again, it is the same tag as before; a stale reading does not bring it.
    let back = [group(&[("etGold", "金卡")])];
    for (after_ms, lives) in [(SECOND_MS, false), (2 * MINUTE_MS, true)] {
        shop.app.clock.advance(after_ms);
        let tx = shop.begin().await;
        tags::mirror_tags(&tx, &act, shop.corp, &back, shop.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let found = tags::find(&shop.app.db, &shop.whole(), TagId(51)).await;
        assert_eq!(found.is_ok(), lives);
    }
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
    assert_eq!(
        tags::find(&app.db, &whole, tag.id).await.unwrap().contacts,
        Some(3)
    );
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

async fn tag_named(street: &Street, name: &str) -> Option<tags::Tag> {
    let (db, whole) = (&street.shop.app.db, street.shop.whole());
    let groups = tags::groups(db, &whole).await.unwrap();
    groups
        .into_iter()
        .flat_map(|group| group.tags)
        .find(|tag| tag.name == name)
}

#[tokio::test]
async fn a_tag_made_while_a_reading_is_on_its_way_stays_until_a_later_one_lacks_it() {
    let street = Street::open().await;
    let (shop, app) = (&street.shop, &street.shop.app);
    let read_at = shop.now();
    let platform = directory::platform(app, shop.corp).await.unwrap();
    let reading = platform.tags().await.unwrap();
    street.after(SECOND_MS);
    let into = tags::Into::NewGroup("门店活动".into());
    tags::create(app, &shop.act(), &shop.whole(), into, "春季")
        .await
        .unwrap();
    let tx = shop.begin().await;
    let synced = tags::mirror_tags(&tx, &shop.act(), shop.corp, &reading, read_at)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(synced.is_early);
    let made = tag_named(&street, "春季").await.expect("it is there");

    // Gone in the console at once: the look after its first minute finds out.
    let platform_id = platform.tags().await.unwrap();
    let platform_id = &platform_id
        .iter()
        .find(|group| group.group_name == "门店活动")
        .unwrap()
        .tag[0]
        .id;
    street.sandbox.admin_deletes_tag(CORPID, platform_id).unwrap();
    street.settle().await;
    assert!(tags::find(&app.db, &shop.whole(), made.id).await.is_ok());
    street.after(2 * MINUTE_MS);
    street.settle().await;
    assert!(tag_named(&street, "春季").await.is_none());
}

#[tokio::test]
async fn a_tag_whose_answer_was_lost_is_found_and_one_that_never_came_is_said_so() {
    let street = Street::open().await;
    let (app, act, whole) = (&street.shop.app, street.shop.act(), street.shop.whole());
    let plan = |api: &str, fault| {
        street.sandbox.plan(Plan {
            api: api.into(),
            fault,
            times: 1,
        });
    };
    let add = "externalcontact/add_corp_tag";
    let into = || tags::Into::NewGroup("门店活动".into());
    plan(add, Fault::EffectThenDrop);
    let made = tags::create(app, &act, &whole, into(), "春季").await.unwrap();
    assert_eq!(made.name, "春季");
    plan(add, Fault::DropBefore);
    let lost = tags::create(app, &act, &whole, into(), "夏季").await;
    assert!(matches!(lost, Err(Error::Platform(_))), "{lost:?}");
    tags::create(app, &act, &whole, into(), "夏季").await.unwrap();

    // The platform knows a name that we do not: an earlier call made it and the process ended.
    let platform = directory::platform(app, street.shop.corp).await.unwrap();
    let group = dianyu::wecom::tag::Group::Named("门店活动".into());
    platform.add_tags(&group, &["秋季"]).await.unwrap();
    let found = tags::create(app, &act, &whole, into(), "秋季").await.unwrap();
    assert_eq!(found.group_id, made.group_id);

    // The same when a tag is deleted there and not here.
    let delete = "externalcontact/del_corp_tag";
    plan(delete, Fault::EffectThenDrop);
    tags::delete(app, &act, &whole, made.id).await.unwrap();
    let there = platform.tags().await.unwrap();
    let autumn = there
        .iter()
        .flat_map(|group| &group.tag)
        .find(|tag| tag.name == "秋季");
    platform.delete_tags(&[&autumn.unwrap().id], &[]).await.unwrap();
    tags::delete(app, &act, &whole, found.id).await.unwrap();
    assert!(tag_named(&street, "秋季").await.is_none());
    plan(delete, Fault::EffectThenDrop);
    tags::delete_group(app, &act, &whole, found.group_id)
        .await
        .unwrap();
    let groups = tags::groups(&app.db, &whole).await.unwrap();
    assert_eq!(groups.len(), 1);
}

#[tokio::test]
async fn a_group_is_made_whole_or_not_at_all() {
    let street = Street::open().await;
    let (app, act, whole) = (&street.shop.app, street.shop.act(), street.shop.whole());
    let add = "externalcontact/add_corp_tag";
    let long = "长".repeat(31);
    for (name, tags, pointer) in [
        ("门店活动", ["春季", long.as_str()], "/tags/1"),
        ("门店活动", ["春季", " 春季 "], "/tags/1"),
        ("门店活动", ["", "春季"], "/tags/0"),
        ("", ["春季", "夏季"], "/name"),
        ("会员等级", ["春季", "夏季"], "/name"),
    ] {
        let tags = tags.map(str::to_owned);
        let refused = tags::create_group(app, &act, &whole, name, &tags).await;
        assert!(
            matches!(&refused, Err(Error::Invalid(problems)) if problems[0].pointer == pointer),
            "{name} {tags:?}: {refused:?}"
        );
    }
    assert_eq!(street.calls_of(add), 0);
    let names = ["春季", "夏季"].map(str::to_owned);
    street.sandbox.plan(Plan {
        api: add.into(),
        fault: Fault::EffectThenDrop,
        times: 1,
    });
    let id = tags::create_group(app, &act, &whole, "门店活动", &names)
        .await
        .unwrap();
    assert_eq!(street.calls_of(add), 1);
    let groups = tags::groups(&app.db, &whole).await.unwrap();
    let made = groups.iter().find(|group| group.id == id).unwrap();
    let held: Vec<&str> = made.tags.iter().map(|tag| tag.name.as_str()).collect();
    assert_eq!((made.name.as_str(), held), ("门店活动", vec!["春季", "夏季"]));
}
