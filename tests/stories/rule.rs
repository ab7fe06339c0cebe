//! The store rule: departments marked as stores, members named one by one, and what a wrong table changes.

use dianyu::auth::Role;
use dianyu::directory::{self, Imported, Mark};
use dianyu::error::Error;
use dianyu::jobs;
use dianyu::wecom::directory::{Department, Member};

use crate::visitor::Visitor;
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

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_marks_a_store_on_the_page() {
    let street = crate::street::Street::open().await;
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
    for department in ["21", "22"] {
        admin
            .post("/admin/stores/marks/end", &[("department", department)])
            .await;
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
        .post("/admin/stores/marks/end", &[("department", "11")])
        .await;
    assert_eq!(ended.location, "/admin/stores");
    street.settle().await;
    assert_eq!(shop.store_of("li").await, "", "below no mark any more");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_first_table_that_takes_stores_away_is_asked_about() {
    let street = crate::street::Street::open().await;
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
