//! The store rule: departments marked as stores, members named one by one, and what a wrong table changes.

mod command;
mod page;

use dianyu::contacts;
use dianyu::directory::{self, Effect, Imported, Mark, RuleChange};
use dianyu::error::Error;
use dianyu::wecom::directory::{Department, Member};

use crate::world::{CORPID, World};

fn departments() -> Vec<Department> {
    [
        (1, 0, "禾与"),
        (11, 1, "华东"),
        (12, 1, "华北"),
        (21, 11, "静安嘉里店"),
        (22, 11, "杭州湖滨店"),
        (23, 12, "北京三里屯店"),
        (211, 21, "女装组"),
    ]
    .map(|(id, parentid, name)| Department {
        id,
        name: name.into(),
        parentid,
        order: 0,
    })
    .to_vec()
}

fn members() -> Vec<Member> {
    [("li", 211), ("wu", 21), ("zhao", 22), ("qian", 12), ("sun", 23)]
        .map(|(userid, department)| Member {
            userid: userid.into(),
            name: userid.into(),
            department: vec![department],
            main_department: Some(department),
            status: 1,
            is_leader_in_dept: vec![],
        })
        .to_vec()
}

impl World {
    async fn people_are_read(&self) {
        directory::mirror_directory(&self.app, self.corp, &departments(), &members())
            .await
            .unwrap();
    }

    async fn marks(&self, mark: Mark) -> Result<(), Error> {
        let corp = directory::find_corp(&self.app.db, self.corp).await?;
        let tx = self.begin().await;
        directory::mark_store(&tx, &self.act(), &corp, &mark).await?;
        tx.commit().await
    }

    async fn imports(&self, text: &str) -> Result<Imported, Error> {
        let corp = directory::find_corp(&self.app.db, self.corp).await?;
        let tx = self.begin().await;
        let imported = directory::import_rule(&tx, &self.act(), &corp, text).await?;
        tx.commit().await?;
        Ok(imported)
    }

    /// What a change would do to people; nothing of it stays.
    async fn would(&self, change: RuleChange) -> Effect {
        let corp = directory::find_corp(&self.app.db, self.corp).await.unwrap();
        let tx = self.begin().await;
        let changed = contacts::change_rule(&tx, &self.act(), &corp, &change).await;
        tx.rollback().await.unwrap();
        changed.unwrap().effect
    }

    /// The code of an associate's store; empty: none.
    async fn store_of(&self, userid: &str) -> String {
        let sql = format!(
            "select coalesce((select s.code from store s where s.corp_id = a.corp_id and s.id = a.store_id), '')
             from associate a where a.userid = '{userid}'"
        );
        dianyu::db::scalar::<String>(&self.app.db, &sql, vec![])
            .await
            .unwrap()
            .unwrap()
    }

    async fn fingerprint_of_rule(&self) -> (i64, i64, i64, i64) {
        (
            self.number("select count(*) from store").await,
            self.number("select count(*) from region").await,
            self.number("select count(*) from store_mark").await,
            self.number("select count(*) from store_member").await,
        )
    }
}

fn problems(refused: Result<Imported, Error>) -> Vec<(String, String)> {
    match refused {
        Err(Error::Invalid(problems)) => problems
            .into_iter()
            .map(|problem| (problem.pointer, problem.message.to_string()))
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn with_nothing_marked_every_department_with_members_is_a_store() {
    let shop = World::open().await;
    shop.people_are_read().await;
    assert_eq!(shop.store_of("li").await, "D211");
    assert_eq!(shop.store_of("qian").await, "D12");
}

#[tokio::test]
async fn a_marked_department_is_the_store_of_all_below_it_and_headquarters_is_in_none() {
    let shop = World::open().await;
    shop.people_are_read().await;
    for (department, code, region) in [(21, Some("SH-021"), Some("上海")), (22, None, None)] {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let mark = Mark {
            department,
            code: owned(code),
            name: None,
            region: owned(region),
        };
        shop.marks(mark).await.unwrap();
    }
    shop.people_are_read().await;
    let stores = [
        shop.store_of("li").await,
        shop.store_of("wu").await,
        shop.store_of("zhao").await,
        shop.store_of("qian").await,
    ];
    assert_eq!(stores, ["SH-021", "SH-021", "S2", ""]);
    let shanghai =
        "select count(*) from store s join region r on r.corp_id = s.corp_id and r.id = s.region_id
                    where s.code = 'SH-021' and r.name = '上海' and s.id = 21";
    assert_eq!(
        shop.number(shanghai).await,
        1,
        "the store it was, under its new code"
    );
    let open = "select count(*) from store_membership where associate_id = 34 and until_at is null";
    assert_eq!(
        shop.number(open).await,
        0,
        "the one at headquarters left the store"
    );
    assert_eq!(
        shop.number("select count(*) from store_membership where associate_id = 34")
            .await,
        2,
        "and what was before stays"
    );
    // With the marks gone the departments decide again.
    let tx = shop.begin().await;
    for department in [21, 22] {
        directory::unmark_store(&tx, shop.corp, department).await.unwrap();
    }
    tx.commit().await.unwrap();
    shop.people_are_read().await;
    assert_eq!(shop.store_of("li").await, "D211");
    assert_eq!(shop.store_of("qian").await, "D12");
}

#[tokio::test]
async fn what_a_change_would_do_is_told_by_the_departments_people_are_in() {
    let shop = World::open().await;
    shop.people_are_read().await;
    let mark = |department: i64| Mark {
        department,
        ..Mark::default()
    };
    let effect = |leaving, moving| Effect { leaving, moving };
    let members = |text: &str| RuleChange::Import(format!("userid,store_code\n{text}\n"));
    // Nothing is marked: li of a group below the store and qian of a region are in stores of their own.
    let first = shop.would(RuleChange::Mark(mark(22))).await;
    assert_eq!(first, effect(4, 0), "everybody but zhao");
    assert_eq!(
        shop.would(RuleChange::Mark(mark(11))).await,
        effect(2, 3),
        "the whole region is a store"
    );
    for department in [21, 22, 23] {
        shop.marks(mark(department)).await.unwrap();
    }
    shop.people_are_read().await;
    let would = async |change| {
        let effect = shop.would(change).await;
        (effect.leaving, effect.moving)
    };
    // Of the store's people only li is in the group; nobody of the region is in any store.
    assert_eq!(would(RuleChange::Mark(mark(211))).await, (0, 1));
    assert_eq!(would(RuleChange::Mark(mark(12))).await, (0, 1));
    assert_eq!(would(RuleChange::Unmark(21)).await, (2, 0));
    // Named members, and let go of again: li is in a store by department, qian is not.
    shop.imports("userid,store_code\nli,S2\nqian,S2\n").await.unwrap();
    shop.people_are_read().await;
    assert_eq!(would(members("li,")).await, (0, 1));
    assert_eq!(would(members("li,\nqian,")).await, (1, 1));
    assert_eq!(would(members("li,S2\nzhao,")).await, (0, 0), "as they are");
    assert_eq!(
        would(RuleChange::Unmark(21)).await,
        (1, 0),
        "li is elsewhere by name"
    );
    // With the last mark gone every department is a store again: sun goes back to S3.
    let tx = shop.begin().await;
    for department in [22, 23] {
        directory::unmark_store(&tx, shop.corp, department).await.unwrap();
    }
    tx.commit().await.unwrap();
    shop.people_are_read().await;
    assert_eq!(
        would(RuleChange::Unmark(21)).await,
        (0, 2),
        "zhao and sun, not wu"
    );
}

#[tokio::test]
async fn whose_departments_were_not_read_yet_counts_as_in_that_of_their_store() {
    let shop = World::open().await;
    shop.people_are_read().await;
    shop.run("update associate set departments = null").await;
    for department in [21, 22, 23] {
        let mark = Mark {
            department,
            ..Mark::default()
        };
        shop.marks(mark).await.unwrap();
    }
    assert_eq!(
        shop.would(RuleChange::Unmark(22)).await,
        Effect {
            leaving: 1,
            moving: 0
        }
    );
    // The next reading knows them.
    shop.people_are_read().await;
    let unread = "select count(*) from associate where departments is null";
    assert_eq!(shop.number(unread).await, 0);
    let of_li = "select count(*) from associate where userid = 'li' and departments = '[211]'";
    assert_eq!(shop.number(of_li).await, 1);
}

#[tokio::test]
async fn a_table_marks_stores_by_id_or_path_and_names_members() {
    let shop = World::open().await;
    shop.people_are_read().await;
    let table = "department,code,name,region\n禾与/华东/静安嘉里店,SH-021,静安店,上海\n23,BJ-023,,\n";
    assert_eq!(shop.imports(table).await.unwrap(), Imported::Stores(2));
    let members = "userid,store_code\nZhao,BJ-023\n";
    assert_eq!(shop.imports(members).await.unwrap(), Imported::Members(1));
    shop.people_are_read().await;
    assert_eq!(shop.store_of("li").await, "SH-021");
    assert_eq!(
        shop.store_of("zhao").await,
        "BJ-023",
        "by name, before any department"
    );
    let freed = "userid,store_code\nzhao,\n";
    shop.imports(freed).await.unwrap();
    shop.people_are_read().await;
    assert_eq!(shop.store_of("zhao").await, "");
}

#[tokio::test]
async fn a_wrong_table_names_row_and_column_and_changes_nothing() {
    let shop = World::open().await;
    shop.people_are_read().await;
    let before = shop.fingerprint_of_rule().await;
    let table = "department,code,name,region\n21,SH 021,,上海\n99,,,\n22,,,\n22,,,\n,X,,\n23,D211,,\n";
    let told = problems(shop.imports(table).await);
    let places: Vec<&str> = told.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(
        places,
        [
            "/rows/2/code",
            "/rows/3/department",
            "/rows/5/department",
            "/rows/6/department",
            "/rows/7/code"
        ]
    );
    assert!(
        told[1].1 == "there is no `99`" && told[2].1 == "`22` is in row 4 already",
        "{told:?}"
    );
    let members = "userid,store_code\nli,S1\nnobody,S1\nwu,S9\nLI,S2\n";
    let told = problems(shop.imports(members).await);
    let places: Vec<&str> = told.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(places, ["/rows/3/userid", "/rows/4/store_code", "/rows/5/userid"]);
    let region = format!("department,region\n21,{}\n", "区".repeat(61));
    for (text, place) in [
        ("name,colour\n1,2\n", "/rows/1"),
        ("department,code\n21\n", "/rows/2"),
        ("department,code,Code\n21,A,B\n", "/rows/1/code"),
        (region.as_str(), "/rows/2/region"),
    ] {
        assert_eq!(problems(shop.imports(text).await)[0].0, place);
    }
    assert_eq!(shop.fingerprint_of_rule().await, before);
}

#[tokio::test]
async fn a_member_moved_below_a_department_we_do_not_know_yet_keeps_their_store_meanwhile() {
    let street = crate::street::Street::open().await;
    let shop = &street.shop;
    let mut corp = crate::street::seed();
    corp.departments.push(dianyu::sandbox::Department {
        id: 213,
        name: "童装组".into(),
        parentid: 21,
        order: 0,
    });
    street.sandbox.add_corp(corp);
    street.sandbox.set_callback(
        CORPID,
        &street.url,
        "SimToken2026",
        "HeEyGmbtghpKtg83Nv5glN8DaDh0Y6aMKLRJGptqbOU",
    );
    dianyu::contacts::sync_people(&shop.app, shop.corp).await.unwrap();
    let mark = Mark {
        department: 21,
        ..Mark::default()
    };
    shop.marks(mark).await.unwrap();
    shop.run("delete from department where id = 213").await;
    street.after(dianyu::time::DAY_MS);
    street.sandbox.move_member(CORPID, "li", vec![213]).unwrap();
    // The member, and then the departments.
    street.settle().await;
    assert_eq!(
        shop.number("select count(*) from department where id = 213")
            .await,
        1
    );
    assert_eq!(shop.store_of("li").await, "S1");
    let stretches = "select count(*) from store_membership where associate_id = 31";
    assert_eq!(shop.number(stretches).await, 1, "she never left");
}

#[tokio::test]
async fn a_mark_ends_with_its_department_and_its_store_can_be_another_departments() {
    let shop = World::open().await;
    shop.people_are_read().await;
    for department in [21, 22, 23] {
        let mark = Mark {
            department,
            ..Mark::default()
        };
        shop.marks(mark).await.unwrap();
    }
    let mut departments = departments();
    departments.retain(|one| one.id != 22);
    departments.push(Department {
        id: 24,
        name: "湖滨二楼".into(),
        parentid: 11,
        order: 0,
    });
    let mut members = members();
    members[2].department = vec![24];
    members[2].main_department = Some(24);
    let read = async || {
        directory::mirror_directory(&shop.app, shop.corp, &departments, &members)
            .await
            .unwrap();
    };
    read().await;
    assert_eq!(shop.number("select count(*) from store_mark").await, 2);
    assert_eq!(shop.store_of("zhao").await, "");
    // An answer without any department says nothing.
    directory::mirror_directory(&shop.app, shop.corp, &[], &[])
        .await
        .unwrap();
    assert_eq!(shop.number("select count(*) from store_mark").await, 2);
    // One that is there keeps its store.
    let told = problems(shop.imports("department,code\n24,S3\n").await);
    assert_eq!(told[0].0, "/rows/2/code");
    shop.imports("department,code\n24,S2\n").await.unwrap();
    read().await;
    assert_eq!(shop.store_of("zhao").await, "S2");
    let same = "select count(*) from store where id = 22 and code = 'S2' and department_id = 24";
    assert_eq!(shop.number(same).await, 1, "the store it was, with its history");

    // The department it was is another store now; its old one is free for the next.
    shop.imports("department,code\n11,D24\n24,D24B\n").await.unwrap();
    assert_eq!(
        shop.number("select count(*) from store where code = 'D24' and department_id = 11")
            .await,
        1
    );
    assert_eq!(
        shop.number("select count(*) from store where id = 22 and code = 'D24B'")
            .await,
        1
    );
}

#[tokio::test]
async fn thousands_of_rows_hold_the_writer_for_a_moment_only() {
    const MANY: i64 = 4_000;
    let shop = World::open().await;
    let count = format!(
        "with recursive n(i) as (select 1001 union all select i + 1 from n where i < {})",
        1000 + MANY
    );
    shop.run(&format!(
        "insert into department (corp_id, id, parent_id, name, sort, seen_at)
         {count} select c.id, n.i, 11, '第' || n.i || '店', 0, 0 from n, corp c"
    ))
    .await;
    shop.run(&format!(
        "insert into associate (corp_id, id, userid, name, store_id, status, created_at, seen_at)
         {count} select c.id, n.i, 'm' || n.i, 'm', 21, 'active', 0, 0 from n, corp c"
    ))
    .await;
    let rows = 1001..=1000 + MANY;
    let stores: String = rows
        .clone()
        .map(|i| format!("{i},SH-{i},,区{}\n", i % 50))
        .collect();
    let members: String = rows.map(|i| format!("m{i},SH-{i}\n")).collect();
    let stores = format!("department,code,name,region\n{stores}");
    let members = format!("userid,store_code\n{members}");
    for (text, expected) in [
        (&stores, Imported::Stores(4_000)),
        (&stores, Imported::Stores(4_000)),
        (&members, Imported::Members(4_000)),
        (&members, Imported::Members(4_000)),
    ] {
        let began = std::time::Instant::now();
        assert_eq!(shop.imports(text).await.unwrap(), expected);
        let took = began.elapsed();
        assert!(took.as_secs() < 5, "{took:?}");
    }
    assert_eq!(shop.number("select count(*) from store_mark").await, MANY);
    assert_eq!(shop.number("select count(*) from store_member").await, MANY);
    assert_eq!(
        shop.number("select count(*) from region where name like '区%'")
            .await,
        50
    );
    let named =
        "select count(*) from store where code = 'SH-1005' and name = '第1005店' and department_id = 1005";
    assert_eq!(shop.number(named).await, 1);
}
