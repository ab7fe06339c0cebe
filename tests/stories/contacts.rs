//! Contacts: what the platform shows becomes what we hold, whatever the order; who sees whom; the inbox.

use dianyu::contacts::inbox::{self, Arrived};
use dianyu::contacts::{self, ContactFilter, EndCause, Ending, Mirrored, Reading, Refreshed, Shown};
use dianyu::db;
use dianyu::directory;
use dianyu::error::Error;
use dianyu::ids::{AssociateId, ContactId, ExternalUserId, StoreId, TagId};
use dianyu::jobs;
use dianyu::money::Fen;
use dianyu::page::PageOf;
use dianyu::scope::{Actor, Scope};
use dianyu::time::{DAY_MS, Day, HOUR_MS, MINUTE_MS, Timestamp};
use dianyu::timeline;
use dianyu::wecom::contact::{ContactDetail, ExternalContact, FollowUser};

use crate::world::{World, ZONE, contact};

const NEW: &str = "wmNew0001";

fn person(external_userid: &str) -> ExternalContact {
    ExternalContact {
        external_userid: external_userid.into(),
        name: "晴天".into(),
        avatar: String::new(),
        kind: 1,
        gender: 2,
        unionid: Some("oNew0001".into()),
    }
}

fn follow(userid: &str, created: Timestamp) -> FollowUser {
    FollowUser {
        userid: userid.into(),
        remark: String::new(),
        description: String::new(),
        createtime: created.seconds(),
        tag_ids: vec![],
        remark_mobiles: vec![],
        add_way: 1,
        state: "door".into(),
        oper_userid: userid.into(),
    }
}

impl World {
    /// Takes in a reading of one person; nobody follows: the platform shows nothing.
    async fn read(&self, external: &str, follows: Vec<FollowUser>, ending: Option<&Ending>) -> Refreshed {
        self.read_begun_at(self.now(), external, follows, ending).await
    }

    async fn read_begun_at(
        &self,
        read_at: Timestamp,
        external: &str,
        follow_users: Vec<FollowUser>,
        ending: Option<&Ending>,
    ) -> Refreshed {
        let corp = directory::find_corp(&self.app.db, self.corp).await.unwrap();
        let detail = ContactDetail {
            contact: person(external),
            follow_users,
        };
        let shown = Some(&detail).filter(|detail| !detail.follow_users.is_empty());
        let reading = Reading {
            corp: &corp,
            sealer: &self.app.sealer,
            read_at,
        };
        let tx = self.begin().await;
        let act = self.app.act(Actor::Platform);
        let refreshed = reading
            .of_contact(&tx, &act, &external.into(), shown, ending)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        refreshed
    }

    /// Takes in pairs of any people, in one reading; nothing of them when one cannot be kept.
    async fn read_pairs(&self, pairs: &[(ExternalContact, FollowUser)]) -> Result<Mirrored, Error> {
        let corp = directory::find_corp(&self.app.db, self.corp).await.unwrap();
        let reading = Reading {
            corp: &corp,
            sealer: &self.app.sealer,
            read_at: self.now(),
        };
        let shown: Vec<Shown<'_>> = pairs
            .iter()
            .map(|(contact, follow)| Shown {
                contact,
                follow,
                read_at: reading.read_at,
            })
            .collect();
        let tx = self.begin().await;
        let mirrored = reading
            .of_pairs(&tx, &self.app.act(Actor::Platform), &shown)
            .await?;
        tx.commit().await.unwrap();
        Ok(mirrored)
    }

    async fn tally(&self, code: &str, day: &str, store: i64) -> i64 {
        self.number(&format!(
            "select value from store_day where code = '{code}' and day = '{day}' and store_id = {store}"
        ))
        .await
    }

    /// State, periods and figures of a pair: what must come out the same whatever the order.
    async fn standing(&self, external: &str) -> Vec<String> {
        let sql = "select f.state || ' ' || cast(f.added_at as text) || ' ' || coalesce(cast(f.ended_at as text), '-')
                     || ' ' || f.tags
                   from follow f join contact c on c.corp_id = f.corp_id and c.id = f.contact_id
                   where c.external_userid = $1 order by f.associate_id";
        let mut standing: Vec<String> = db::scalars(&self.app.db, sql, vec![external.into()])
            .await
            .unwrap();
        let sql = "select cast(p.from_at as text) || ' ' || coalesce(p.until_cause, '-') || ' '
                     || coalesce(cast(p.until_at as text), '-')
                   from follow_period p join contact c on c.corp_id = p.corp_id and c.id = p.contact_id
                   where c.external_userid = $1 order by p.from_at, p.id";
        let periods: Vec<String> = db::scalars(&self.app.db, sql, vec![external.into()])
            .await
            .unwrap();
        standing.extend(periods);
        let sql = "select code || ' ' || day || ' ' || cast(value as text) from store_day order by code, day";
        let figures: Vec<String> = db::scalars(&self.app.db, sql, vec![]).await.unwrap();
        standing.extend(figures);
        standing
    }
}

#[tokio::test]
async fn a_new_contact_brings_pair_period_binding_figure_and_history() {
    let shop = World::open().await;
    let mut added = follow("LI", shop.now());
    added.remark_mobiles = vec!["+86 138-0000-0001".into()];
    for _ in 0..3 {
        shop.read(NEW, vec![added.clone()], None).await;
    }
    assert_eq!(shop.tally("new_relations", "2026-11-23", 21).await, 1);
    assert_eq!(
        shop.number("select count(*) from binding where associate_id = 31")
            .await,
        1
    );
    let blind = shop.app.sealer.blind(shop.corp, "13800000001");
    let id = contacts::find_by_phone(&shop.app.db, shop.corp, &blind)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        contacts::find_by_unionid(&shop.app.db, shop.corp, "oNew0001")
            .await
            .unwrap(),
        Some(id)
    );
    let card = contacts::find(&shop.app.db, &shop.of_associate(31), id)
        .await
        .unwrap();
    assert_eq!(
        (card.phone_last4.as_deref(), card.follows.len()),
        (Some("0001"), 1)
    );
    assert_eq!(card.follows[0].channel, "door");
    let told = timeline::of_contact(&shop.app.db, &shop.whole(), id, &PageOf::first(9))
        .await
        .unwrap();
    assert_eq!(told.items.len(), 1);
    assert_eq!(told.items[0].entry.kind(), "added");
}

#[tokio::test]
async fn a_customer_who_left_stays_lost_though_the_platform_still_shows_the_pair() {
    let shop = World::open().await;
    let added = shop.now();
    shop.read(NEW, vec![follow("li", added)], None).await;
    shop.app.clock.advance(HOUR_MS);
    let lost = Ending {
        userid: "li".into(),
        cause: EndCause::Contact,
        at: shop.now(),
    };
    for _ in 0..3 {
        shop.read(NEW, vec![follow("li", added)], Some(&lost)).await;
        shop.read(NEW, vec![follow("li", added)], None).await;
    }
    assert_eq!(
        shop.number("select count(*) from follow where state = 'lost'")
            .await,
        1
    );
    assert_eq!(shop.tally("lost_relations", "2026-11-23", 21).await, 1);

    shop.app.clock.advance(2 * DAY_MS);
    shop.read(NEW, vec![follow("li", shop.now())], None).await;
    shop.read(NEW, vec![follow("li", shop.now())], Some(&lost)).await;
    assert_eq!(
        shop.number("select count(*) from follow where state = 'lost'")
            .await,
        0
    );
    assert_eq!(shop.tally("new_relations", "2026-11-25", 21).await, 1);
    assert_eq!(shop.tally("lost_relations", "2026-11-23", 21).await, 1);
}

#[tokio::test]
async fn an_end_heard_before_its_beginning_is_shown_is_told_again() {
    let shop = World::open().await;
    let lost = |at| Ending {
        userid: "li".into(),
        cause: EndCause::Contact,
        at,
    };
    let first = shop.now();
    shop.read(NEW, vec![follow("li", first)], None).await;
    shop.app.clock.advance(HOUR_MS);
    let end = lost(shop.now());
    let heard = shop.read(NEW, vec![follow("li", first)], Some(&end)).await;
    assert!(!heard.is_end_early);
    // They came back and left again; the platform's reads are behind.
    shop.app.clock.advance(DAY_MS);
    let (again, end) = (shop.now(), lost(shop.now().plus_ms(5_000)));
    shop.app.clock.advance(6_000);
    let heard = shop.read(NEW, vec![follow("li", first)], Some(&end)).await;
    assert!(heard.is_end_early, "it is of a stretch that is not shown yet");
    shop.app.clock.advance(MINUTE_MS);
    let heard = shop.read(NEW, vec![follow("li", again)], Some(&end)).await;
    assert!(!heard.is_end_early);
    let lost = "select count(*) from follow where state = 'lost'";
    assert_eq!(shop.number(lost).await, 1);
    assert_eq!(
        shop.number("select count(*) from follow_period where until_cause = 'contact'")
            .await,
        2
    );
}

#[tokio::test]
async fn any_order_and_any_number_of_tellings_end_the_same() {
    // The customer came, left, and the platform goes on showing the pair.
    let orders: [&[usize]; 5] = [
        &[0, 1, 2],
        &[2, 1, 0],
        &[1, 1, 0],
        &[0, 2, 1, 0, 1],
        &[1, 0, 2, 2],
    ];
    let mut ends = Vec::new();
    for order in orders {
        let shop = World::open().await;
        let added = shop.now();
        let lost = Ending {
            userid: "li".into(),
            cause: EndCause::Contact,
            at: added.plus_ms(10 * MINUTE_MS),
        };
        shop.app.clock.advance(HOUR_MS);
        for event in order {
            let ending = (*event == 1).then_some(&lost);
            shop.read(NEW, vec![follow("li", added)], ending).await;
        }
        ends.push(shop.standing(NEW).await);
    }
    assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{ends:#?}");

    // The associate added and deleted the customer; the platform shows nobody. Known from before or not at all.
    let mut ends = Vec::new();
    for order in [&[0usize, 1][..], &[1, 0], &[0, 1, 0, 1], &[1, 1, 0, 0]] {
        let shop = World::open().await;
        let added = shop.now();
        shop.read(NEW, vec![follow("li", added)], None).await;
        let removed = Ending {
            userid: "li".into(),
            cause: EndCause::Associate,
            at: added.plus_ms(10 * MINUTE_MS),
        };
        shop.app.clock.advance(DAY_MS);
        for event in order {
            shop.read(NEW, vec![], (*event == 1).then_some(&removed)).await;
        }
        ends.push(shop.standing(NEW).await);
    }
    assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{ends:#?}");
}

#[tokio::test]
async fn a_reading_begun_earlier_changes_nothing_that_a_later_one_said() {
    let shop = World::open().await;
    let added = shop.now();
    shop.app.clock.advance(HOUR_MS);
    let mut now = follow("li", added);
    now.remark = "新备注".into();
    shop.read(NEW, vec![now], None).await;
    let before = shop.now().plus_ms(-MINUTE_MS);
    shop.read_begun_at(before, NEW, vec![follow("li", added)], None)
        .await;
    shop.read_begun_at(before, NEW, vec![], None).await;
    assert_eq!(
        shop.number("select count(*) from follow where remark = '新备注' and state = 'active'")
            .await,
        1
    );
}

#[tokio::test]
async fn a_pair_missing_from_a_reading_ends_and_comes_back_when_it_was_only_missing() {
    let shop = World::open().await;
    let added = Timestamp(shop.now().0 - DAY_MS);
    shop.read(NEW, vec![follow("li", added)], None).await;
    shop.read(NEW, vec![], None).await;
    assert_eq!(
        shop.number("select count(*) from follow where state = 'removed'")
            .await,
        1
    );
    assert_eq!(shop.tally("staff_removed", "2026-11-23", 21).await, 0);
    shop.app.clock.advance(MINUTE_MS);
    shop.read(NEW, vec![follow("li", added)], None).await;
    assert_eq!(
        shop.number("select count(*) from follow where state = 'removed'")
            .await,
        0
    );
    assert_eq!(
        shop.number("select count(*) from follow_period where until_cause is not null")
            .await,
        0
    );
    assert_eq!(shop.tally("new_relations", "2026-11-22", 21).await, 1);

    // Just added: reads of the platform lag, so missing says nothing yet.
    shop.read("wmNew0002", vec![follow("li", shop.now())], None).await;
    shop.read("wmNew0002", vec![], None).await;
    assert_eq!(
        shop.number("select count(*) from follow where state = 'removed'")
            .await,
        0
    );
}

#[tokio::test]
async fn tags_of_a_pair_are_mirrored_with_their_history_and_unknown_ones_left_out() {
    let shop = World::open().await;
    shop.tags().await;
    let added = shop.now();
    let mut tagged = follow("li", added);
    tagged.tag_ids = vec!["etGold".into(), "etStrange".into()];
    let read = shop.read(NEW, vec![tagged.clone()], None).await;
    assert!(read.mirrored.has_unknown_tags);
    tagged.tag_ids = vec!["etSilver".into()];
    shop.read(NEW, vec![tagged.clone()], None).await;
    shop.read(NEW, vec![tagged], None).await;
    assert_eq!(
        shop.number("select count(*) from follow where tags = ' 52 '")
            .await,
        1
    );
    assert_eq!(shop.number("select count(*) from tag_change").await, 2);
    assert_eq!(
        shop.number("select count(*) from timeline where kind in ('tagged', 'untagged')")
            .await,
        2
    );
}

#[tokio::test]
async fn followers_we_do_not_know_are_named_and_the_rest_is_taken_in() {
    let shop = World::open().await;
    let read = shop
        .read(
            NEW,
            vec![follow("stranger", shop.now()), follow("wu", shop.now())],
            None,
        )
        .await;
    assert_eq!(read.mirrored.unknown_members.len(), 1);
    assert_eq!(shop.tally("new_relations", "2026-11-23", 21).await, 1);
}

#[tokio::test]
async fn customers_come_along_when_an_associate_changes_store_and_the_past_stays() {
    let shop = World::open().await;
    shop.run("update associate set store_id = 23 where id = 31").await;
    shop.run("update store_membership set until_at = 1795400000000 where associate_id = 31")
        .await;
    shop.run("insert into store_membership (corp_id, associate_id, from_at, store_id) values (1, 31, 1795400000000, 23)")
        .await;
    for _ in 0..2 {
        contacts::settle_people(&shop.app, shop.corp).await.unwrap();
    }
    let moved = "select count(*) from follow_period where associate_id = 31 and until_cause = 'moved' and store_id = 21";
    assert_eq!(shop.number(moved).await, 4);
    let open =
        "select count(*) from follow_period where associate_id = 31 and until_at is null and store_id = 23";
    assert_eq!(shop.number(open).await, 4);
    assert_eq!(
        contacts::count(&shop.app.db, &shop.of_store(23), &ContactFilter::default(), ZONE)
            .await
            .unwrap(),
        7
    );

    // Somebody added before the move and learned of after it belongs to the old store until then.
    let before = Timestamp(1_795_400_000_000 - HOUR_MS);
    shop.read(NEW, vec![follow("li", before)], None).await;
    assert_eq!(
        shop.tally(
            "new_relations",
            &before.day(chrono_tz::Asia::Shanghai).to_string(),
            21
        )
        .await,
        1
    );
    assert_eq!(shop.number(open).await, 5);
    assert_eq!(shop.number("select count(*) from store_day").await, 1);
}

#[tokio::test]
async fn each_stretch_ends_on_the_day_of_the_store_it_was_in() {
    let shop = World::open().await;
    let (first, second) = (Timestamp(1_795_300_000_000), Timestamp(1_795_400_000_000));
    let there = chrono_tz::Pacific::Honolulu;
    assert_ne!(second.day(there), second.day(chrono_tz::Asia::Shanghai));
    shop.run("update store set zone = 'Pacific/Honolulu' where id = 22")
        .await;
    shop.run("update associate set store_id = 23 where id = 31").await;
    shop.run(&format!(
        "update store_membership set until_at = {} where associate_id = 31",
        first.0
    ))
    .await;
    shop.run(&format!(
        "insert into store_membership (corp_id, associate_id, from_at, store_id, until_at)
         values (1, 31, {0}, 22, {1}), (1, 31, {1}, 23, null)",
        first.0, second.0
    ))
    .await;
    let before = Timestamp(first.0 - HOUR_MS);
    shop.read(NEW, vec![follow("li", before)], None).await;
    for (store, until) in [
        (21, format!("'{}'", first.day(chrono_tz::Asia::Shanghai))),
        (22, format!("'{}'", second.day(there))),
    ] {
        let ended = format!(
            "select count(*) from follow_period p join contact c on c.id = p.contact_id
              where c.external_userid = '{NEW}' and p.store_id = {store} and p.until_cause = 'moved' and p.until_day = {until}"
        );
        assert_eq!(shop.number(&ended).await, 1, "{store}");
    }
    let now = format!(
        "select f.store_id from follow f join contact c on c.id = f.contact_id where c.external_userid = '{NEW}'"
    );
    assert_eq!(shop.number(&now).await, 23);
}

#[tokio::test]
async fn thousands_of_pairs_in_one_reading_are_kept_as_one_by_one() {
    const PEOPLE: i64 = 1_300;
    let shop = World::open().await;
    let (late, early) = (shop.now(), shop.now().plus_ms(-DAY_MS));
    // Everybody by the one, then by the other, who was first.
    let pairs: Vec<(ExternalContact, FollowUser)> = [("li", late), ("wu", early)]
        .into_iter()
        .flat_map(|(userid, at)| (0..PEOPLE).map(move |number| (number, userid, at)))
        .map(|(number, userid, at)| {
            let mut person = person(&format!("wmMany{number}"));
            // The first and the last have one unionid.
            person.unionid = Some(format!("oMany{}", number % (PEOPLE - 1)));
            (person, follow(userid, at))
        })
        .collect();
    for changed in [2 * PEOPLE as u64, 0] {
        assert_eq!(shop.read_pairs(&pairs).await.unwrap().changed, changed);
    }
    let of_these = "contact_id in (select id from contact where external_userid like 'wmMany%')";
    for (table, condition, expected) in [
        ("contact", "external_userid like 'wmMany%'", PEOPLE),
        ("follow", of_these, 2 * PEOPLE),
        ("follow_period", of_these, 2 * PEOPLE),
        ("timeline", of_these, 2 * PEOPLE),
        ("binding", &format!("associate_id = 32 and {of_these}"), PEOPLE),
        ("binding", of_these, PEOPLE),
        ("contact_duplicate", "unionid = 'oMany0'", 1),
        ("contact_duplicate", "unionid like 'oMany%'", 1),
    ] {
        let count = format!("select count(*) from {table} where {condition}");
        assert_eq!(shop.number(&count).await, expected, "{count}");
    }
    for at in [late, early] {
        let day = at.day(chrono_tz::Asia::Shanghai).to_string();
        assert_eq!(shop.tally("new_relations", &day, 21).await, PEOPLE);
    }
}

#[tokio::test]
async fn of_thousands_what_cannot_be_kept_is_told_as_what_it_is_and_nothing_is_kept() {
    let shop = World::open().await;
    let known = (person("wmKnown"), follow("li", shop.now()));
    let other = (person("wmOther"), follow("li", shop.now()));
    shop.read_pairs(&[known.clone(), other.clone()]).await.unwrap();
    for index in [
        "contact (corp_id) where external_userid like 'wmTwice%'",
        "follow (corp_id) where remark like 'vip%'",
    ] {
        shop.run(&format!(
            "create unique index only_one_{} on {index}",
            &index[..6]
        ))
        .await;
    }
    let new = |name: &str| -> Vec<(ExternalContact, FollowUser)> {
        (0..1_500)
            .map(|number| (person(&format!("wm{name}{number}")), follow("wu", shop.now())))
            .collect()
    };
    let called = |(person, follow): &(ExternalContact, FollowUser), remark: &str| {
        let remark = remark.to_owned();
        (
            person.clone(),
            FollowUser {
                remark,
                ..follow.clone()
            },
        )
    };
    // What is written is refused while a change of what is held is asked for, and the other way round.
    let mut refused_first = new("Twice");
    refused_first.push(called(&known, "new"));
    let mut refused_last = new("Once");
    refused_last.extend([called(&known, "vip 1"), called(&other, "vip 2")]);
    for pairs in [refused_first, refused_last] {
        let error = shop.read_pairs(&pairs).await.unwrap_err();
        assert!(db::refusal(&error).is_some(), "{error}");
        let kept = "select count(*) from contact where external_userid like 'wmTwice%' or external_userid like 'wmOnce%'";
        assert_eq!(shop.number(kept).await, 0);
        assert_eq!(
            shop.number("select count(*) from follow where remark <> ''")
                .await,
            0
        );
    }
}

#[tokio::test]
async fn the_list_holds_each_person_once_within_the_scope() {
    let shop = World::open().await;
    shop.tags().await;
    shop.run("update follow set tags = ' 51 ' where associate_id = 33")
        .await;
    let list = async |scope: &Scope, filter: &ContactFilter| -> Vec<i64> {
        let mut ids = Vec::new();
        let mut page = PageOf::first(5);
        loop {
            let found = contacts::list(&shop.app.db, scope, filter, ZONE, &page)
                .await
                .unwrap();
            ids.extend(found.items.iter().map(|row| row.id.0));
            match found.next {
                Some(next) => page = PageOf::new(Some(5), Some(next)).unwrap(),
                None => break,
            }
        }
        assert_eq!(
            ids.len() as i64,
            contacts::count(&shop.app.db, scope, filter, ZONE).await.unwrap()
        );
        ids
    };
    let all = ContactFilter::default();
    assert_eq!(
        list(&shop.whole(), &all).await,
        (101..=112).rev().collect::<Vec<_>>()
    );
    assert_eq!(list(&shop.of_store(22), &all).await, [109, 108, 107, 101]);
    assert_eq!(list(&shop.of_associate(32), &all).await, [106, 105]);

    let filter = |change: fn(&mut ContactFilter)| {
        let mut filter = ContactFilter::default();
        change(&mut filter);
        filter
    };
    let whole = shop.whole();
    assert_eq!(
        list(&whole, &filter(|f| f.search = Some("客户11".into()))).await,
        [112, 111, 110]
    );
    assert_eq!(
        list(&whole, &filter(|f| f.search = Some("客户%".into())))
            .await
            .len(),
        0
    );
    assert_eq!(
        list(&whole, &filter(|f| f.tag = Some(TagId(51)))).await,
        [109, 108, 107, 101]
    );
    assert_eq!(
        list(&whole, &filter(|f| f.store = Some(StoreId(23)))).await,
        [112, 111, 110]
    );
    assert_eq!(
        list(&whole, &filter(|f| f.associate = Some(AssociateId(35)))).await,
        [112]
    );
    assert_eq!(
        list(&whole, &filter(|f| f.added_to = Day::parse("2026-10-23")))
            .await
            .len(),
        0
    );
    assert_eq!(
        list(&whole, &filter(|f| f.external_userid = Some("wmSim104".into()))).await,
        [104]
    );
    assert_eq!(
        list(&shop.of_store(21), &filter(|f| f.store = Some(StoreId(22))))
            .await
            .len(),
        0
    );
}

#[tokio::test]
async fn a_row_tells_tags_last_order_and_net_spending() {
    let shop = World::open().await;
    shop.tags().await;
    shop.run("update follow set tags = ' 51 52 ' where contact_id = 107")
        .await;
    for (id, day, paid) in [(1, "2026-11-01", 39_800), (2, "2024-01-01", 99_900)] {
        let at = Day::parse(day).unwrap().start(chrono_tz::Asia::Shanghai).0;
        shop.run(&format!(
            "insert into sale (corp_id, id, order_no, store_id, channel, paid_at, day, hour, contact_id, paid_fen, list_fen, items, body_hash, created_at)
             values (1, {id}, 'o{id}', 22, 'till', {at}, '{day}', 10, 107, {paid}, {paid}, 1, '', 0)"
        ))
        .await;
    }
    shop.run(
        "insert into refund (corp_id, id, refund_no, order_no, order_id, refunded_at, day, refund_fen, lines, body_hash, created_at)
         values (1, 1, 'r1', 'o1', 1, 0, '2026-11-05', 9800, '[]', '', 0)",
    )
    .await;
    let filter = ContactFilter {
        today: Day::parse("2026-11-23"),
        ordered_from: Day::parse("2026-11-01"),
        ..ContactFilter::default()
    };
    let found = contacts::list(&shop.app.db, &shop.whole(), &filter, ZONE, &PageOf::first(9))
        .await
        .unwrap();
    assert_eq!(found.items.len(), 1);
    let row = &found.items[0];
    assert_eq!((row.id, row.spent_365_fen), (contact(107), Fen(30_000)));
    let tags: Vec<&str> = row.tags.iter().map(|tag| tag.name.as_str()).collect();
    assert_eq!(tags, ["金卡", "银卡"]);
    assert!(row.last_order_at.is_some());
    // They ordered in 2024 too, but not for the last time.
    for (from, to, people) in [
        (None, Some("2024-12-31"), 0),
        (Some("2023-01-01"), Some("2024-12-31"), 0),
        (Some("2026-11-01"), Some("2026-11-01"), 1),
        (None, Some("2026-11-01"), 1),
        (Some("2026-11-02"), None, 0),
        (Some("2024-01-01"), Some("2026-11-30"), 1),
    ] {
        let filter = ContactFilter {
            ordered_from: from.and_then(Day::parse),
            ordered_to: to.and_then(Day::parse),
            ..ContactFilter::default()
        };
        let count = contacts::count(&shop.app.db, &shop.whole(), &filter, ZONE).await;
        assert_eq!(count.unwrap(), people, "{from:?} {to:?}");
    }
    let quiet = ContactFilter {
        quiet_since: Day::parse("2026-11-01"),
        ..ContactFilter::default()
    };
    assert_eq!(
        contacts::count(&shop.app.db, &shop.whole(), &quiet, ZONE)
            .await
            .unwrap(),
        11
    );
}

#[tokio::test]
async fn out_of_scope_is_not_there_and_other_followers_stay_hidden() {
    let shop = World::open().await;
    let db = &shop.app.db;
    assert!(matches!(
        contacts::find(db, &shop.of_store(23), contact(101)).await,
        Err(Error::NotFound)
    ));
    assert_eq!(
        contacts::find(db, &shop.of_store(22), contact(101))
            .await
            .unwrap()
            .follows
            .len(),
        1
    );
    assert_eq!(
        contacts::find(db, &shop.whole(), contact(101))
            .await
            .unwrap()
            .follows
            .len(),
        2
    );
    let other = Scope::whole(dianyu::ids::CorpId(2));
    assert!(matches!(
        contacts::find(db, &other, contact(101)).await,
        Err(Error::NotFound)
    ));
    assert_eq!(
        contacts::count(db, &other, &ContactFilter::default(), ZONE)
            .await
            .unwrap(),
        0
    );

    contacts::note(
        &shop.app,
        &shop.act(),
        &shop.of_associate(31),
        contact(101),
        "喜欢连衣裙",
    )
    .await
    .unwrap();
    let seen_by = async |scope| {
        let told = timeline::of_contact(db, &scope, contact(101), &PageOf::first(9)).await;
        told.map(|page| page.items.len())
    };
    assert_eq!(seen_by(shop.of_associate(31)).await.unwrap(), 1);
    assert_eq!(seen_by(shop.of_associate(33)).await.unwrap(), 0);
    assert!(matches!(
        seen_by(shop.of_associate(34)).await,
        Err(Error::NotFound)
    ));
    let refused = contacts::note(&shop.app, &shop.act(), &shop.of_associate(31), contact(101), " ").await;
    assert!(matches!(refused, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn a_callback_is_kept_once_and_read_once() {
    let shop = World::open().await;
    let writer = inbox::writer(shop.app.db.clone(), shop.app.cache.clone());
    let arrived = |body: &str| Arrived {
        corp: shop.corp,
        body: body.into(),
        received_at: shop.now(),
    };
    for _ in 0..3 {
        writer.store(arrived("<xml>one</xml>")).await.unwrap();
    }
    writer
        .store(arrived("<xml><WelcomeCode>c</WelcomeCode></xml>"))
        .await
        .unwrap();
    assert_eq!(shop.number("select count(*) from inbox").await, 2);
    assert_eq!(
        shop.number("select count(*) from inbox where state = 'new'")
            .await,
        2
    );
    jobs::settle(&shop.app).await;
    writer.store(arrived("<xml>one</xml>")).await.unwrap();
    assert_eq!(
        shop.number("select count(*) from inbox where state = 'unreadable'")
            .await,
        2
    );
}

#[tokio::test]
async fn ids_are_found_by_the_platforms_ids() {
    let shop = World::open().await;
    let wanted = ["wmSim101", "wmSim112", "wmNobody"].map(ExternalUserId::from);
    let found = contacts::ids_of(&shop.app.db, shop.corp, &wanted).await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[&wanted[1]], ContactId(112));
}
