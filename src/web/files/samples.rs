//! Invented files for the pages about them.

use super::fields::Typed;
use super::{ExportsPage, FieldsPage, ImportPage, ImportsPage};
use crate::contacts::{ContactField, FieldKind};
use crate::files::{Export, Import, RefusedRow, RefusedRows, State};
use crate::ids::{ExportId, FieldId, ImportId};
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use crate::web::Shell;
use crate::web::samples::NOW;
use crate::web::shell::FieldProblem;

fn import(number: i64, state: State, loaded: i64, unchanged: i64, refused: i64) -> Import {
    Import {
        id: ImportId(1_000 + number),
        name: format!("会员资料-{number}.csv"),
        state,
        total: 100_000,
        loaded,
        unchanged,
        refused,
        created_by: "operator:1".into(),
        created_at: NOW.plus_ms(-number * HOUR_MS),
        ended_at: state
            .is_final()
            .then(|| NOW.plus_ms(MINUTE_MS - number * HOUR_MS)),
        problem: None,
    }
}

fn refused() -> RefusedRows {
    let row = |line: i64, column: &str, key: &str, args: &[(&str, &str)]| RefusedRow {
        line,
        column: column.into(),
        reason: "it is not right".into(),
        key: key.into(),
        args: args
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).into()))
            .collect(),
        cells: vec!["wmAn".into()],
    };
    RefusedRows {
        head: vec!["external_userid".into(), "birthday".into()],
        rows: vec![
            row(18, "birthday", "refused-import-birthday", &[]),
            row(
                112,
                "external_userid",
                "refused-csv-unknown",
                &[("value", "wm<An>")],
            ),
            row(4_031, "", "refused-csv-row", &[]),
        ],
        next: Some(4_031),
    }
}

impl ImportsPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let all = [
            import(1, State::Running, 41_000, 0, 12),
            import(2, State::Done, 99_863, 0, 137),
            import(3, State::Done, 0, 100_000, 0),
            import(4, State::Stopped, 3_000, 0, 0),
            import(5, State::Failed, 3_000, 0, 0),
        ];
        let many: Vec<Import> = all.iter().cycle().take(20).cloned().collect();
        let fields = ["鞋码", "会员等级"];
        let mut wrong = Self::new(shell.clone(), &all[1..2], &fields);
        wrong.problems = vec![FieldProblem {
            field: "file".into(),
            message: shell.t1("refused-import-column", "name", "vip"),
        }];
        vec![
            ("empty", Self::new(shell.clone(), &[], &[])),
            ("typical", Self::new(shell.clone(), &all, &fields)),
            ("crowded", Self::new(shell.clone(), &many, &fields)),
            ("refused", wrong),
        ]
    }
}

impl ImportPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let none = RefusedRows {
            rows: Vec::new(),
            next: None,
            ..refused()
        };
        let page = |import: Import, refused: &RefusedRows| Self::new(shell.clone(), &import, refused);
        vec![
            ("running", page(import(1, State::Running, 41_000, 0, 0), &none)),
            (
                "typical",
                page(import(2, State::Done, 99_863, 0, 137), &refused()),
            ),
            ("whole", page(import(3, State::Done, 0, 100_000, 0), &none)),
        ]
    }
}

impl ExportsPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let export = |number: i64, state: State, written: i64| Export {
            id: ExportId(2_000 + number),
            state,
            total: 3_282,
            written,
            created_at: NOW.plus_ms(-number * DAY_MS),
            ended_at: state.is_final().then(|| NOW.plus_ms(-number * DAY_MS)),
            expires_at: NOW.plus_ms((7 - number) * DAY_MS),
            problem: None,
        };
        let all = [
            export(0, State::Running, 2_000),
            export(1, State::Done, 3_282),
            export(2, State::Stopped, 1_000),
            export(3, State::Failed, 0),
            export(8, State::Done, 3_282),
        ];
        vec![
            ("empty", Self::new(shell.clone(), &[])),
            ("running", Self::new(shell.clone(), &all)),
            ("typical", Self::new(shell.clone(), &all[1..])),
        ]
    }
}

impl FieldsPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let field = |id: i64, name: &str, kind: FieldKind, choices: &[&str]| ContactField {
            id: FieldId(id),
            name: name.into(),
            kind,
            choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
        };
        let all = [
            field(1, "鞋码", FieldKind::Number, &[]),
            field(2, "会员等级", FieldKind::Choice, &["金卡", "银卡", "普通"]),
            field(3, "入会日期", FieldKind::Date, &[]),
        ];
        let typed = Typed {
            name: "name".into(),
            kind: "choice".into(),
            choices: "a\nb".into(),
        };
        let mut wrong = Self::new(shell.clone(), &all, typed);
        wrong.problems = vec![FieldProblem {
            field: "name".into(),
            message: shell.t1("refused-field-name-ours", "name", "name"),
        }];
        vec![
            ("empty", Self::new(shell.clone(), &[], Typed::default())),
            ("typical", Self::new(shell.clone(), &all, Typed::default())),
            ("refused", wrong),
        ]
    }
}
