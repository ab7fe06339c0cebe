//! Invented segments for the tests of the pages.

use super::builder::{Asked, BuilderPage, Known, Use};
use super::form::{Kind, Row};
use super::list::SegmentsPage;
use super::words::Names;
use crate::contacts::{ContactField, FieldKind};
use crate::directory::{Associate, Region, Store};
use crate::ids::{
    AssociateId, ContactId, FieldId, LinkId, RegionId, SegmentId, StoreId, TagGroupId, TagId, UserId,
};
use crate::links::Titled;
use crate::page::Page;
use crate::segments::{Ordered, Preview, PreviewStep, Rule, SamplePerson, Segment, Stage, Within};
use crate::tags::{Tag, TagGroup};
use crate::web::Shell;
use crate::web::samples::NOW;
use crate::web::shell::FieldProblem;

/// What the samples' rules point at.
pub fn names() -> Names {
    let tag = |id: i64, name: &str| Tag {
        id: TagId(id),
        group_id: TagGroupId(1),
        name: name.into(),
        sort: id,
        contacts: None,
    };
    let field = |id: i64, name: &str, kind: FieldKind, choices: &[&str]| ContactField {
        id: FieldId(id),
        name: name.into(),
        kind,
        choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
    };
    Names {
        tags: vec![TagGroup {
            id: TagGroupId(1),
            name: "会员等级".into(),
            sort: 1,
            tags: vec![tag(7, "金卡"), tag(8, "银卡")],
        }],
        regions: vec![Region {
            id: RegionId(11),
            name: "华东".into(),
            stores: 42,
        }],
        stores: vec![Store {
            id: StoreId(21),
            code: "S1".into(),
            name: "静安嘉里店".into(),
            region_id: RegionId(11),
            region_name: "华东".into(),
            zone: "Asia/Shanghai".into(),
            status: "open".into(),
        }],
        associates: vec![Associate {
            id: AssociateId(31),
            userid: UserId::from("li"),
            name: "林晓雯".into(),
            store_id: Some(StoreId(21)),
            store_name: Some("静安嘉里店".into()),
            status: "active".into(),
            left_at: None,
        }],
        fields: vec![
            field(1, "会员等级", FieldKind::Choice, &["金卡", "<b>银卡</b>"]),
            field(2, "爱吃", FieldKind::Text, &[]),
            field(3, "鞋码", FieldKind::Number, &[]),
            field(4, "纪念日", FieldKind::Date, &[]),
        ],
        links: vec![Titled {
            id: LinkId(9),
            title: "冬日连衣裙 <新>".into(),
            associate_name: Some("林晓雯".into()),
            created_at: NOW,
        }],
    }
}

/// 华东金卡 · 90 天连衣裙.
pub fn rule() -> Rule {
    Rule::All(vec![
        Rule::Tag(TagId(7)),
        Rule::Region(RegionId(11)),
        Rule::Ordered(Ordered {
            within_days: 90,
            at_least: None,
            category: Some("连衣裙".into()),
            net_fen_at_least: None,
        }),
    ])
}

fn preview(rule: &Rule, steps: &[i64]) -> Preview {
    let Rule::All(rules) = rule else {
        unreachable!("samples are groups")
    };
    let steps = rules.iter().zip(steps).map(|(rule, left)| PreviewStep {
        rule: rule.clone(),
        remaining: *left,
    });
    Preview {
        count: steps.clone().next_back().map_or(0, |step| step.remaining),
        as_of: NOW,
        steps: steps.collect(),
        steps_left_out: false,
        in_reach: 68_400,
        sample: ["王莉", "赵一诺", "周琳"]
            .map(|name| SamplePerson {
                id: ContactId(101),
                name: name.into(),
            })
            .to_vec(),
    }
}

impl BuilderPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let names = names();
        let page = |id: Option<i64>,
                    name: &str,
                    asked: Asked,
                    preview: Option<&Preview>,
                    wrong: Vec<FieldProblem>| {
            Self::new(
                shell.clone(),
                id.map(SegmentId),
                name.to_owned(),
                asked,
                &names,
                preview,
                wrong,
            )
        };
        let rows = super::form::rows(&rule()).expect("the sample fits the form");
        let found = preview(&rule(), &[41_208, 15_937, 3_282]);
        let of_kinds = |kinds: &[Kind]| -> Vec<Row> {
            let row = |(place, kind): (usize, &Kind)| Row {
                group: place / 2,
                kind: *kind,
                is_not: place % 3 == 0,
                ..Row::default()
            };
            kinds.iter().enumerate().map(row).collect()
        };
        let (some, others) = Kind::ALL.split_at(7);
        let own = [
            ("1", "<b>银卡</b>", "", ""),
            ("2", "火锅", "", ""),
            ("3", "", "36", "38.5"),
            ("4", "", "2026-11-23", ""),
            ("9", "", "", ""),
        ];
        let own = own.map(|(field, value, from, to)| Row {
            kind: Kind::Field,
            value: field.into(),
            days: value.into(),
            times: from.into(),
            amount: to.into(),
            ..Row::default()
        });
        let wrong = vec![
            FieldProblem {
                field: "name".into(),
                message: shell.t("segment-no-name"),
            },
            FieldProblem {
                field: "rows-0".into(),
                message: shell.t("segment-row-choose"),
            },
        ];
        let deep = Rule::All(vec![Rule::Any(vec![
            Rule::All(vec![Rule::Stage(Stage::New)]),
            Rule::Tag(TagId(99)),
        ])]);
        let nobody = preview(&deep, &[0]);
        let typical = page(
            Some(1),
            "华东金卡 · 90 天连衣裙",
            Asked::Rows(rows),
            Some(&found),
            Vec::new(),
        );
        let uses = vec![Use {
            name: "连衣裙上新".into(),
            link: "/campaigns/1".into(),
            state: shell.t("campaign-scheduled"),
        }];
        let known = Known {
            categories: vec!["外套".into(), "连衣裙".into()],
            channels: vec!["S1<till>".into()],
        };
        vec![
            (
                "typical",
                Self {
                    uses,
                    known,
                    ..typical
                },
            ),
            (
                "empty",
                page(None, "", Asked::Rows(vec![Row::default()]), None, Vec::new()),
            ),
            (
                "crowded",
                page(None, "", Asked::Rows(of_kinds(some)), None, wrong),
            ),
            (
                "kinds",
                page(None, "", Asked::Rows(of_kinds(others)), None, Vec::new()),
            ),
            (
                "fields",
                page(None, "", Asked::Rows(own.to_vec()), None, Vec::new()),
            ),
            (
                "deep",
                page(Some(2), "接口建的", Asked::Deep(deep), Some(&nobody), Vec::new()),
            ),
        ]
    }
}

impl SegmentsPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let segment = |id: i64, name: &str, rule: Rule| Segment {
            id: SegmentId(id),
            name: name.into(),
            rule,
            version: 1,
            created_by: "operator:1".into(),
            created_at: NOW,
            updated_at: NOW,
        };
        let new = Rule::All(vec![
            Rule::Not(Box::new(Rule::Added(Within { within_days: 30 }))),
            Rule::Stage(Stage::Cooling),
        ]);
        let two = vec![
            segment(1, "华东金卡 · 90 天连衣裙", rule()),
            segment(2, "变冷的老客户", new.clone()),
        ];
        let many = (0..30).map(|id| {
            segment(
                id,
                "名字很长的人群：双十一预热期间点过链接没有下单的金卡客户",
                new.clone(),
            )
        });
        let page = |items: Vec<Segment>, next: Option<&str>| {
            Self::new(
                shell.clone(),
                Page {
                    items,
                    next: next.map(str::to_owned),
                },
                &names(),
            )
        };
        vec![
            ("typical", page(two, None)),
            ("empty", page(Vec::new(), None)),
            ("crowded", page(many.collect(), Some("WzFd"))),
        ]
    }
}
