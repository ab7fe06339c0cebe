//! The second person: whoever wrote on a draft is not one, and an approval is for what was looked at.

use super::*;

async fn changed_by(shop: &World, who: i64, id: CampaignId) {
    let corp = corp(shop).await;
    let change = CampaignChange {
        name: Some("另一个".into()),
        ..CampaignChange::default()
    };
    let tx = shop.begin().await;
    campaigns::change(&tx, &by(shop, who), &shop.whole(), &corp, id, change)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn approve(shop: &World, who: i64, id: CampaignId) -> Result<(), Error> {
    campaigns::approve(&shop.app, &by(shop, who), &shop.whole(), id).await
}

#[tokio::test]
async fn whoever_rewrote_a_draft_cannot_approve_it() {
    let shop = World::open().await;
    shop.run("update corp set approval_over = 5").await;
    let id = write(&shop, draft(everyone())).await;
    changed_by(&shop, 2, id).await;
    for writer in [1, 2] {
        assert!(matches!(
            approve(&shop, writer, id).await,
            Err(Error::Forbidden(_))
        ));
    }
    approve(&shop, 3, id).await.unwrap();
    schedule(&shop, id).await.unwrap();
    let written =
        "select count(*) from audit_entry where action = 'campaign.change' and actor = 'operator:2'";
    assert_eq!(shop.number(written).await, 1);
}

#[tokio::test]
async fn an_approval_ends_with_its_segment_or_when_more_would_get_it() {
    let shop = World::open().await;
    shop.run("update corp set approval_over = 2").await;
    let tx = shop.begin().await;
    let segment = segments::create(&tx, &shop.act(), &shop.whole(), "湖滨", &of_zhao())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut new = draft(of_zhao());
    new.audience = Audience::Segment(segment);
    let id = write(&shop, new).await;
    approve(&shop, 2, id).await.unwrap();

    // Three people were approved, and now it says all of them.
    let tx = shop.begin().await;
    segments::change(&tx, &shop.act(), &shop.whole(), segment, None, Some(&everyone()))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(schedule(&shop, id).await, Err(Error::Conflict(_))));
    approve(&shop, 2, id).await.unwrap();

    shop.run("update follow set state = 'lost' where contact_id = 112")
        .await;
    approve(&shop, 2, id).await.unwrap();
    shop.run("update follow set state = 'active' where contact_id = 112")
        .await;
    assert!(matches!(schedule(&shop, id).await, Err(Error::Conflict(_))));
    approve(&shop, 2, id).await.unwrap();
    shop.run("update follow set state = 'lost' where contact_id = 112")
        .await;
    schedule(&shop, id).await.unwrap();
}

#[tokio::test]
async fn calling_off_takes_the_approval_along() {
    let shop = World::open().await;
    shop.run("update corp set approval_over = 5").await;
    let id = write(&shop, draft(everyone())).await;
    approve(&shop, 2, id).await.unwrap();
    schedule(&shop, id).await.unwrap();
    campaigns::call_off(&shop.app, &by(&shop, 1), &shop.whole(), id)
        .await
        .unwrap();
    assert!(matches!(schedule(&shop, id).await, Err(Error::Conflict(_))));
}

#[tokio::test]
async fn how_many_want_a_second_person_can_be_set() {
    let shop = World::open().await;
    let set = async |most: Option<i64>| {
        let tx = shop.begin().await;
        assert!(directory::set_approval_over(&tx, shop.corp, most).await.unwrap());
        tx.commit().await.unwrap();
        corp(&shop).await.approval_over
    };
    assert_eq!(set(Some(3)).await, Some(3));
    assert_eq!(set(None).await, None);
}
