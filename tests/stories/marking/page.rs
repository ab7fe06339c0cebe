//! The pages: from a list and a segment to the progress, in the reader's language, each within their own.

use axum::http::StatusCode;
use dianyu::auth::Role;
use dianyu::jobs::runner;
use dianyu::sandbox::Fault;

use crate::street::Street;
use crate::visitor::Visitor;

#[tokio::test(flavor = "multi_thread")]
async fn an_associate_marks_the_whole_list_and_sees_who_was_refused() {
    let street = Street::open().await;
    let shop = &street.shop;
    let mut wu = Visitor::of(shop, Role::Associate, None, Some(32)).await;
    let list = wu.get("/contacts?added=90").await.text;
    assert!(list.contains("给这 2 位打标签"), "{list}");
    let ask = "/tags/marks/new?list=%2Fcontacts%3Fadded%3D90";
    let form = wu.get(ask).await.text;
    assert!(
        form.contains("<b>2 位客户</b>") && form.contains("开始打标签（2 位）"),
        "{form}"
    );

    let list = ("list", "/contacts?added=90");
    for (fields, word) in [
        (vec![list], "还没选标签"),
        (vec![list, ("add", "51"), ("remove", "51")], "又要打又要去掉"),
        (vec![list, ("add", "999")], "标签不在了"),
        (vec![("segment", "801"), ("add", "51")], ""),
        (vec![("list", "/contacts?quiet=x"), ("add", "51")], ""),
    ] {
        let refused = wu.post("/tags/marks", &fields).await;
        assert!(refused.status.is_client_error(), "{fields:?} {}", refused.status);
        let said = refused.said().join("");
        assert!(said.contains(word), "{fields:?}: {said} {}", refused.text);
    }
    assert_eq!(shop.number("select count(*) from marking").await, 0);

    let begun = wu
        .post("/tags/marks", &[list, ("add", "51"), ("remove", "52")])
        .await;
    assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.text);
    let under_way = wu.get(&begun.location).await.text;
    for word in [
        "http-equiv=\"refresh\"",
        "暂停",
        "停止",
        "0 / 2 位",
        "打上“金卡”，去掉“银卡”",
    ] {
        assert!(under_way.contains(word), "`{word}`: {under_way}");
    }
    let paused = wu.post(&format!("{}/pause", begun.location), &[]).await;
    assert_eq!(paused.location, begun.location, "{}", paused.text);
    assert!(wu.get(&begun.location).await.text.contains("接着打"));
    wu.post(&format!("{}/going", begun.location), &[]).await;
    street.fail(Fault::Errcode(84061), 1);
    runner::settle(&shop.app).await;
    let told = wu.get(&begun.location).await.text;
    for word in [
        "打好了 <b>1 位</b>",
        "<b>1 位</b>没打上",
        "客户10",
        "已经不跟进这位客户了",
    ] {
        assert!(told.contains(word), "`{word}`: {told}");
    }
    assert!(!told.contains("http-equiv=\"refresh\""));
    let late = wu.post(&format!("{}/end", begun.location), &[]).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "{}", late.text);
    assert_eq!(
        shop.number("select count(*) from follow where tags like '% 51 %'")
            .await,
        1
    );

    // A colleague does not see it; headquarters does, with who asked.
    let mut zhao = Visitor::of(shop, Role::Associate, None, Some(33)).await;
    assert_eq!(zhao.get(&begun.location).await.status, StatusCode::NOT_FOUND);
    for act in ["pause", "going", "end"] {
        let tried = zhao.post(&format!("{}/{act}", begun.location), &[]).await;
        assert_eq!(tried.status, StatusCode::NOT_FOUND, "{act}");
    }
    assert!(zhao.get("/tags/marks").await.text.contains("还没有批量打过标签"));
    let mut chen = Visitor::of(shop, Role::Marketer, None, None).await;
    let seen = chen.get("/tags/marks").await.text;
    assert!(seen.contains("associate-32"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn headquarters_marks_a_segment_from_its_page() {
    let street = Street::open().await;
    let shop = &street.shop;
    shop.run(
        "insert into segment (corp_id, id, name, rule, version, created_by, created_at, updated_at) values
         (1, 801, '北京', '{\"region\":\"12\"}', 1, 'system', 0, 0), (1, 802, '没人', '{\"channel\":\"x\"}', 1, 'system', 0, 0)",
    )
    .await;
    let mut chen = Visitor::of(shop, Role::Marketer, None, None).await;
    let segment = chen.get("/segments/801").await.text;
    assert!(
        segment.contains("href=\"/tags/marks/new?segment=801\""),
        "{segment}"
    );
    let form = chen.get("/tags/marks/new?segment=801").await.text;
    assert!(
        form.contains("北京") && form.contains("<b>3 位客户</b>"),
        "{form}"
    );
    let nobody = chen.get("/tags/marks/new?segment=802").await.text;
    assert!(
        nobody.contains("一位也没有") && !nobody.contains("<select"),
        "{nobody}"
    );
    let begun = chen
        .post(
            "/tags/marks",
            &[("segment", "801"), ("add", "51"), ("remove", "")],
        )
        .await;
    assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.text);
    runner::settle(&shop.app).await;
    let told = chen.get(&begun.location).await.text;
    assert!(told.contains("<b>3 位客户</b>都打好了"), "{told}");
    assert_eq!(
        chen.get("/tags/marks/new?segment=999").await.status,
        StatusCode::NOT_FOUND
    );
}
