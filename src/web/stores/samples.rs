//! Invented departments for the page of stores.

use super::{About, Asked, Department, Shell, StoresPage};
use crate::directory::{DepartmentLine, Effect};
use crate::ids::StoreId;
use crate::web::shell::FieldProblem;

fn line(id: i64, parent_id: i64, name: &str, store: Option<&str>, is_marked: bool) -> DepartmentLine {
    DepartmentLine {
        id,
        parent_id,
        name: name.into(),
        store_id: store.map(|_| StoreId(id)),
        code: store.map(str::to_owned),
        store_name: store.map(|_| name.to_owned()),
        region_name: store.map(|_| "华东".to_owned()),
        is_marked,
        people: if store.is_some() { 12 } else { 0 },
    }
}

fn departments(is_marked: bool) -> Vec<DepartmentLine> {
    let mut all = vec![
        line(1, 0, "禾与总部", None, false),
        line(2, 1, "华东", None, false),
        line(21, 2, "静安嘉里店", Some("SH-021"), is_marked),
        line(22, 2, "杭州湖滨店", Some("HZ-022"), is_marked),
        line(211, 21, "女装组", None, false),
    ];
    all.extend((300..350).map(|id| line(id, 2, &format!("第 {id} 店"), Some(&format!("D{id}")), false)));
    all
}

impl StoresPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let mut wrong = Self::new(shell.clone(), &departments(true)[..5], 3, 0);
        wrong.csv = "userid,store_code\nlin,S9".into();
        wrong.problems = vec![FieldProblem {
            field: "csv".into(),
            message: shell.tell(
                "csv-at",
                &[
                    ("row", 2i64.into()),
                    ("column", "store_code".into()),
                    ("why", shell.t1("refused-csv-unknown", "value", "S9").into()),
                ],
            ),
        }];
        let mut asked = Self::new(shell.clone(), &departments(false)[..5], 0, 0);
        asked.csv = "department,code\n21,SH-021".into();
        let effect = Effect {
            leaving: 41,
            moving: 12,
        };
        asked.asked = Some(Asked {
            about: About::Table,
            effect,
        });
        let department = || Department {
            id: 21,
            name: "静安嘉里店".into(),
        };
        let of_mark = |about: About| {
            let mut page = Self::new(shell.clone(), &departments(true)[..5], 3, 0);
            page.asked = Some(Asked { about, effect });
            page
        };
        vec![
            ("typical", Self::new(shell.clone(), &departments(true)[..5], 3, 0)),
            ("crowded", Self::new(shell.clone(), &departments(false), 0, 0)),
            ("last", Self::new(shell.clone(), &departments(false), 0, 9)),
            ("empty", Self::new(shell.clone(), &[], 0, 0)),
            ("wrong", wrong),
            ("asked", asked),
            ("asked-mark", of_mark(About::Mark(department()))),
            ("asked-unmark", of_mark(About::Unmark(department()))),
        ]
    }
}
