//! Buttons on the phones: groups, and being handed over.

use super::client::{client, li, wu};
use super::*;
use crate::wecom::handover::{Leaver, TransferStatus};

async fn page(shop: &Shop, person: &str) -> String {
    let request = Request::get(format!("/phone/{CORPID}/{person}"));
    text_of(shop.send(request.body(Body::empty()).unwrap()).await).await
}

async fn press(shop: &Shop, person: &str, form: String) -> StatusCode {
    let request = Request::post(format!("/phone/{CORPID}/{person}/acts"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let form = form.replace(' ', "+");
    shop.send(request.body(Body::from(form)).unwrap()).await.status()
}

#[tokio::test]
async fn groups_are_made_joined_left_and_dismissed_by_buttons() {
    let shop = Shop::open().await;
    let done = StatusCode::SEE_OTHER;
    let made = "act=create_group&owner=li&name=VIP&people=wu wm1".to_owned();
    assert_eq!(press(&shop, "li", made).await, done);
    let groups = shop
        .post("externalcontact/groupchat/list", json!({"limit": 10}))
        .await;
    let chat = groups["group_chat_list"][0]["chat_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let people = async || {
        let group = shop
            .post("externalcontact/groupchat/get", json!({"chat_id": chat}))
            .await;
        let list = group["group_chat"]["member_list"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        list.into_iter()
            .map(|member| member["userid"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(people().await, ["Li", "wu", "wm1"]);
    let own = page(&shop, "li").await;
    for act in [
        "remove_from_group",
        "join_group",
        "rename_group",
        "write_in_group",
        "dismiss_group",
    ] {
        assert!(own.contains(&format!("value=\"{act}\"")), "{act}");
    }
    assert!(page(&shop, "wm1").await.contains("value=\"leave_group\""));
    assert!(page(&shop, "wu").await.contains("value=\"leave_group\""));
    let presses = [
        ("wm5", format!("act=join_group&chat_id={chat}&person=wm5")),
        (
            "li",
            format!("act=join_group&chat_id={chat}&person=wm2&invitor=li"),
        ),
        ("wm1", format!("act=leave_group&chat_id={chat}&person=wm1")),
        ("li", format!("act=remove_from_group&chat_id={chat}&person=wu")),
        ("wm5", format!("act=write_in_group&chat_id={chat}&person=wm5")),
    ];
    for (person, form) in presses {
        assert_eq!(press(&shop, person, form.clone()).await, done, "{form}");
    }
    assert_eq!(people().await, ["Li", "wm5", "wm2"]);
    assert_eq!(
        press(&shop, "li", format!("act=dismiss_group&chat_id={chat}")).await,
        done
    );
    assert!(people().await.is_empty());
    assert!(!page(&shop, "wm5").await.contains("value=\"leave_group\""));
}

#[tokio::test]
async fn a_customer_is_asked_on_the_phone_whether_to_be_handed_over() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    assert!(!page(&shop, "wm1").await.contains("transfer"));
    let ids = ["wm1".into(), "wm2".into()];
    client
        .transfer_customers(Leaver::OnJob, &li(), &wu(), &ids, None)
        .await
        .unwrap();
    for (customer, act) in [("wm1", "accept_transfer"), ("wm2", "refuse_transfer")] {
        let asked = page(&shop, customer).await;
        assert!(asked.contains(&format!("value=\"{act}\"")), "{asked}");
        let form = format!("act={act}&customer={customer}");
        assert_eq!(press(&shop, customer, form).await, StatusCode::SEE_OTHER);
        assert!(!page(&shop, customer).await.contains("transfer"));
    }
    let results = client
        .transfer_results(Leaver::OnJob, &li(), &wu(), None)
        .await
        .unwrap();
    let results: Vec<_> = results.items.into_iter().map(|one| one.status).collect();
    assert_eq!(results, [TransferStatus::Done, TransferStatus::Refused]);
}
