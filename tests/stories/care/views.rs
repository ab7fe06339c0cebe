//! Views of the contact list: kept under a name, and shared with whoever works where their owner does.

use axum::http::StatusCode;
use dianyu::auth::Role;

use crate::visitor::Visitor;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_is_kept_under_a_name_and_leads_back_to_itself() {
    let shop = World::open().await;
    let mut li = Visitor::of(&shop, Role::Associate, None, Some(31)).await;
    let list = li.get("/contacts?q=客户10&quiet=60&after=").await.text;
    assert!(
        list.contains("name=\"query\" value=\"q=%E5%AE%A2%E6%88%B710&#38;quiet=60\""),
        "{list}"
    );
    let query = "q=%E5%AE%A2%E6%88%B710&quiet=60";
    let kept = li
        .post("/contacts/views", &[("name", " 没来的 "), ("query", query)])
        .await;
    assert_eq!(kept.location, format!("/contacts?{query}"), "{}", kept.text);
    let list = li.get(&kept.location).await.text;
    assert!(
        list.contains(&format!(
            "href=\"/contacts?{}\" aria-current=\"page\">没来的",
            query.replace('&', "&#38;")
        )),
        "{list}"
    );
    assert!(
        list.contains("客户102") && !list.contains("name=\"query\""),
        "kept already"
    );

    for (name, query, said) in [
        ("没来的", "quiet=90", "你已经有同名的视图"),
        ("", "quiet=90", "视图名称要 1 到 20 个字"),
        ("全部", "", "先选一两个筛选，再存"),
        ("乱的", "quiet=x", "“x”"),
    ] {
        let refused = li
            .post("/contacts/views", &[("name", name), ("query", query)])
            .await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{name} {query}");
        let told = format!("{}{}", refused.said().join(""), refused.text);
        assert!(told.contains(said), "{said}: {:?}", refused.said());
    }
    let shared = li
        .post(
            "/contacts/views",
            &[("name", "给大家"), ("query", "quiet=90"), ("shared", "yes")],
        )
        .await;
    assert!(
        shared.said().join("").contains("店长和总部才能共享"),
        "{:?}",
        shared.said()
    );

    let id = shop.number("select id from contact_view").await;
    let mut wu = Visitor::of(&shop, Role::Associate, None, Some(32)).await;
    assert!(!wu.get("/contacts").await.text.contains("没来的"));
    let end = format!("/contacts/views/{id}/end");
    assert_eq!(wu.post(&end, &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(li.post(&end, &[]).await.location, "/contacts");
    assert!(!li.get("/contacts").await.text.contains("没来的"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_is_shared_with_the_scope_of_whoever_shares_it() {
    let shop = World::open().await;
    for (role, store, name) in [
        (Role::Manager, Some(21), "店里看的"),
        (Role::Marketer, None, "总部定的"),
    ] {
        let mut who = Visitor::of(&shop, role, store, None).await;
        let shared = who
            .post(
                "/contacts/views",
                &[("name", name), ("query", "quiet=60"), ("shared", "yes")],
            )
            .await;
        assert_eq!(shared.status, StatusCode::SEE_OTHER, "{}", shared.text);
    }
    for (role, store, associate, sees) in [
        (Role::Associate, None, Some(31), true),
        (Role::Associate, None, Some(33), false),
        (Role::Manager, Some(22), None, false),
        (Role::Admin, None, None, false),
    ] {
        let mut who = Visitor::of(&shop, role, store, associate).await;
        let list = who.get("/contacts").await.text;
        assert_eq!(list.contains("店里看的"), sees, "{role:?} {associate:?}");
        assert!(list.contains("总部定的"), "{role:?}");
        // The same address, each within their scope.
        let narrowed = who.get("/contacts?quiet=60").await.text;
        let has_delete = narrowed.contains("删掉视图“总部定的”");
        assert_eq!(has_delete, role == Role::Admin, "{role:?}");
    }
}
