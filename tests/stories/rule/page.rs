//! The page of stores: what a change would do to people is asked about before it is done.

use dianyu::auth::Role;
use dianyu::jobs;

use crate::street::Street;
use crate::visitor::Visitor;

/// A chain whose stores of today are marked, and its administrator.
async fn marked() -> (Street, Visitor) {
    let street = Street::open().await;
    let shop = &street.shop;
    dianyu::contacts::sync_people(&shop.app, shop.corp).await.unwrap();
    let mut admin = Visitor::of(shop, Role::Admin, None, None).await;
    admin.post("/admin/stores/rule", &[]).await;
    street.settle().await;
    (street, admin)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_marks_a_store_on_the_page() {
    let street = Street::open().await;
    let shop = &street.shop;
    jobs::settle(&shop.app).await;
    dianyu::contacts::sync_people(&shop.app, shop.corp).await.unwrap();
    let mut admin = Visitor::of(shop, Role::Admin, None, None).await;
    let page = admin.get("/admin/stores").await;
    assert!(
        page.text.contains("有成员的部门") && page.text.contains("静安嘉里店"),
        "{}",
        page.text
    );
    assert!(
        !page.text.contains("name=\"department\""),
        "a first mark would take the others their stores"
    );
    admin.post("/admin/stores/rule", &[]).await;
    assert_eq!(shop.number("select count(*) from store_mark").await, 3);
    street.settle().await;
    assert_eq!(shop.store_of("li").await, "S1", "nobody moves by that");
    let marked = admin.post("/admin/stores/marks", &[("department", "11")]).await;
    assert_eq!(marked.location, "/admin/stores");
    for (department, effect) in [("21", "0.2"), ("22", "0.1")] {
        let done = admin
            .post(
                "/admin/stores/marks/end",
                &[("department", department), ("agreed", effect)],
            )
            .await;
        assert_eq!(done.location, "/admin/stores", "{}", done.text);
    }
    street.settle().await;
    assert_eq!(shop.store_of("li").await, "D11");
    assert_eq!(shop.store_of("sun").await, "S3");
    let moved = "select count(*) from follow where associate_id = 31 and state = 'active'
                 and store_id = (select id from store where code = 'D11')";
    assert_eq!(shop.number(moved).await, 4, "her customers come along");
    let refused = admin
        .post("/admin/stores/import", &[("csv", "userid,store_code\nli,S9\n")])
        .await;
    assert_eq!(refused.status.as_u16(), 422);
    assert!(
        refused.text.contains("第 2 行 store_code 列：没有“S9”"),
        "{}",
        refused.text
    );
    let refused = admin
        .post("/admin/stores/import", &[("csv", "department,code\n23,SH 021\n")])
        .await;
    let chinese = "第 2 行 code 列：“SH 021”不能作门店编码";
    assert!(refused.text.contains(chinese), "{}", refused.text);
    let ended = admin
        .post(
            "/admin/stores/marks/end",
            &[("department", "11"), ("agreed", "3.0")],
        )
        .await;
    assert_eq!(ended.location, "/admin/stores");
    street.settle().await;
    assert_eq!(shop.store_of("li").await, "", "below no mark any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_is_taken_back_only_when_what_that_does_to_people_was_agreed_to() {
    let (street, mut admin) = marked().await;
    let shop = &street.shop;
    let marks = "select count(*) from store_mark";
    for agreed in ["", "1.0"] {
        let asked = admin
            .post(
                "/admin/stores/marks/end",
                &[("department", "21"), ("agreed", agreed)],
            )
            .await;
        assert_eq!(asked.status.as_u16(), 200);
        for part in [
            "<b>2</b> 位成员不再属于任何门店，<b>0</b> 位换到别的门店",
            "静安嘉里店",
            "action=\"/admin/stores/marks/end\"",
            "name=\"agreed\" value=\"2.0\"",
            "确定，取消标记",
        ] {
            assert!(asked.text.contains(part), "{part}: {}", asked.text);
        }
    }
    assert_eq!(shop.number(marks).await, 3, "nothing is done by asking");
    let audited = "select count(*) from audit_entry where action = 'stores.unmark'";
    assert_eq!(shop.number(audited).await, 0);
    let done = admin
        .post(
            "/admin/stores/marks/end",
            &[("department", "21"), ("agreed", "2.0")],
        )
        .await;
    assert_eq!(done.location, "/admin/stores");
    street.settle().await;
    assert_eq!(shop.store_of("li").await, "");
    // Marked again it asks for those it brings back, and a mark nobody is below of asks nothing.
    let asked = admin.post("/admin/stores/marks", &[("department", "21")]).await;
    let question = "<b>0</b> 位成员不再属于任何门店，<b>2</b> 位换到别的门店";
    assert!(asked.text.contains(question), "{}", asked.text);
    assert_eq!(shop.number(marks).await, 2);
    let done = admin
        .post("/admin/stores/marks", &[("department", "21"), ("agreed", "0.2")])
        .await;
    assert_eq!(done.location, "/admin/stores");
    let gone = admin
        .post("/admin/stores/marks/end", &[("department", "12")])
        .await;
    assert_eq!(gone.status.as_u16(), 404, "it was never marked");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_whom_a_table_lets_go_of_are_asked_about() {
    let (street, mut admin) = marked().await;
    let shop = &street.shop;
    let done = admin
        .post(
            "/admin/stores/import",
            &[("csv", "userid,store_code\nzhao,S1\n"), ("agreed", "0.1")],
        )
        .await;
    assert_eq!(done.location, "/admin/stores");
    let agreed_to = [("department", "22"), ("agreed", "0.0")];
    let done = admin.post("/admin/stores/marks/end", &agreed_to).await;
    assert_eq!(done.location, "/admin/stores", "zhao stays by name");
    street.settle().await;
    assert_eq!(shop.store_of("zhao").await, "S1");
    let freed = "userid,store_code\nzhao,\n";
    let asked = admin.post("/admin/stores/import", &[("csv", freed)]).await;
    let question = "<b>1</b> 位成员不再属于任何门店，<b>0</b> 位换到别的门店";
    assert!(asked.text.contains(question), "{}", asked.text);
    let named = "select count(*) from store_member";
    assert_eq!(shop.number(named).await, 1);
    let agreed_to = [("csv", freed), ("agreed", "1.0")];
    let done = admin.post("/admin/stores/import", &agreed_to).await;
    assert_eq!(done.location, "/admin/stores");
    street.settle().await;
    assert_eq!(shop.store_of("zhao").await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_table_that_takes_stores_away_is_asked_about() {
    let street = Street::open().await;
    let shop = &street.shop;
    dianyu::contacts::sync_people(&shop.app, shop.corp).await.unwrap();
    let mut admin = Visitor::of(shop, Role::Admin, None, None).await;
    let refused = admin.post("/admin/stores/marks", &[("department", "21")]).await;
    assert_eq!(refused.status.as_u16(), 422);
    assert!(refused.text.contains("会让 3 位成员离开门店"), "{}", refused.text);
    let csv = "department,code\n21,SH-021\n";
    let asked = admin.post("/admin/stores/import", &[("csv", csv)]).await;
    assert_eq!(asked.status.as_u16(), 200);
    let question = asked
        .text
        .contains("<b>3</b> 位成员不再属于任何门店，<b>0</b> 位换到别的门店");
    assert!(question, "{}", asked.text);
    let other = admin
        .post("/admin/stores/import", &[("csv", csv), ("agreed", "1.0")])
        .await;
    assert_eq!(other.status.as_u16(), 200, "agreed to something else");
    assert_eq!(shop.number("select count(*) from store_mark").await, 0);
    assert_eq!(
        shop.number("select count(*) from audit_entry where action like 'stores.%'")
            .await,
        0
    );
    assert_eq!(
        shop.number("select count(*) from job where kind = 'contacts.sync_people'")
            .await,
        0
    );

    let done = admin
        .post("/admin/stores/import", &[("csv", csv), ("agreed", "3.0")])
        .await;
    assert_eq!(done.location, "/admin/stores");
    assert_eq!(
        shop.number("select count(*) from audit_entry where action = 'stores.import'")
            .await,
        1
    );
    street.settle().await;
    let stores = [shop.store_of("li").await, shop.store_of("zhao").await];
    assert_eq!(stores, ["SH-021", ""]);
    // Whom nobody loses by needs no answer; a move does.
    let named = "userid,store_code\nli,SH-021\n";
    let done = admin.post("/admin/stores/import", &[("csv", named)]).await;
    assert_eq!(done.location, "/admin/stores");
    let asked = admin
        .post("/admin/stores/import", &[("csv", "userid,store_code\nzhao,S2\n")])
        .await;
    assert!(asked.text.contains("<b>1</b> 位换到别的门店"), "{}", asked.text);
}
