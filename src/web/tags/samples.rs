//! Invented markings for the tests of these pages.

use super::begin::{Meant, Whom};
use super::groups::NewGroup;
use super::marks::Names;
use super::rules::Typed;
use super::{BeginPage, GroupPage, MarkPage, MarksPage, RulesPage, TagPage, TagsPage};
use crate::error::said;
use crate::ids::{ContactId, LinkId, MarkingId, OperatorId, TagGroupId, TagId, TagRuleId};
use crate::marking::{Kind, Marking, OfOrder, OnLink, RefusedMark, State, TagRule, Told, When};
use crate::page::Page;
use crate::scope::Actor;
use crate::segments::Stage;
use crate::tags::{Tag, TagGroup};
use crate::time::{HOUR_MS, MINUTE_MS};
use crate::web::Shell;
use crate::web::contacts::sample_tag_groups;
use crate::web::samples::NOW;
use crate::web::shell::FieldProblem;

fn names() -> Names {
    Names {
        tags: [
            (TagId(901), "金卡".to_owned()),
            (TagId(902), "<b>银卡</b>".to_owned()),
        ]
        .into(),
        actors: [(Actor::Operator(OperatorId(1)), "许宁".to_owned())].into(),
    }
}

fn marking(number: i64, state: State, changed: i64, unchanged: i64, refused: i64) -> Marking {
    Marking {
        id: MarkingId(number),
        kind: if number == 3 { Kind::Merge } else { Kind::Asked },
        state,
        add: vec![TagId(901)],
        remove: if number % 2 == 0 { vec![] } else { vec![TagId(902)] },
        segment_id: None,
        total: 3_210,
        changed,
        unchanged,
        refused,
        created_by: if number == 4 { "rule:1" } else { "operator:1" }.into(),
        created_at: NOW.plus_ms(-number * HOUR_MS),
        ended_at: state
            .is_final()
            .then(|| NOW.plus_ms(MINUTE_MS - number * HOUR_MS)),
        problem: None,
        turn: 0,
    }
}

fn all() -> Vec<Marking> {
    vec![
        marking(1, State::Running, 600, 1_000, 4),
        marking(2, State::Done, 3_210, 0, 0),
        marking(3, State::Done, 3_000, 200, 10),
        marking(4, State::Stopped, 40, 0, 0),
        marking(5, State::Failed, 0, 0, 0),
        marking(6, State::Paused, 40, 0, 1),
    ]
}

fn refused(next: Option<&str>) -> Page<RefusedMark> {
    let one = |number: i64, associate: Option<&str>| RefusedMark {
        contact_id: ContactId(number),
        contact_name: format!("<i>小鹿</i> {number}"),
        associate_name: associate.map(str::to_owned),
        reason: Told::from(&said!(
            "refused-mark-platform",
            "the platform refused with {code}",
            code = "40096"
        )),
    };
    Page {
        items: vec![one(1, Some("林晓雯")), one(2, None)],
        next: next.map(str::to_owned),
    }
}

impl MarksPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let page = |items: Vec<Marking>, next: Option<&str>| Page {
            items,
            next: next.map(str::to_owned),
        };
        let many: Vec<Marking> = all().iter().cycle().take(20).cloned().collect();
        vec![
            ("empty", Self::new(shell.clone(), &page(vec![], None), &names())),
            ("typical", Self::new(shell.clone(), &page(all(), None), &names())),
            (
                "crowded",
                Self::new(shell.clone(), &page(many, Some("WzFd")), &names()),
            ),
        ]
    }
}

impl MarkPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let nobody = Page {
            items: vec![],
            next: None,
        };
        let page = |one: &Marking, refused: &Page<RefusedMark>, is_later: bool| {
            Self::new(shell.clone(), one, &names(), refused, is_later)
        };
        let mut held = marking(6, State::Paused, 40, 0, 1);
        held.problem = Some(Told::from(&said!(
            "refused-mark-silent",
            "the platform does not answer; go on when it does"
        )));
        let all = all();
        vec![
            ("running", page(&all[0], &nobody, false)),
            ("done", page(&all[1], &nobody, false)),
            ("partly", page(&all[2], &refused(Some("WzFd")), true)),
            ("stopped", page(&all[3], &nobody, false)),
            ("failed", page(&all[4], &nobody, false)),
            ("paused", page(&held, &refused(None), false)),
        ]
    }
}

impl BeginPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let page = |whom: Whom, name: Option<&str>, count: i64| {
            let meant = Meant {
                name: name.map(str::to_owned),
                count,
            };
            Self::new(shell.clone(), whom, &meant, sample_tag_groups())
        };
        let segment = Whom {
            segment: "7".into(),
            list: String::new(),
        };
        let list = Whom {
            segment: String::new(),
            list: "/contacts?q=王".into(),
        };
        let mut wrong = page(list.clone(), None, 428);
        wrong.add = Some(TagId(901));
        wrong.remove = Some(TagId(901));
        wrong.problems = vec![FieldProblem {
            field: "add".into(),
            message: shell.t("refused-tag-both"),
        }];
        vec![
            ("segment", page(segment, Some("<b>华东</b>金卡"), 3_210)),
            ("list", page(list.clone(), None, 428)),
            ("nobody", page(list, None, 0)),
            ("refused", wrong),
        ]
    }
}

impl RulesPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let rule = |number: i64, when: When, tag: i64| TagRule {
            id: TagRuleId(number),
            version: number,
            when,
            tag_id: TagId(tag),
            is_on: number != 3,
            since_at: NOW.plus_ms(-number * HOUR_MS),
            created_by: "operator:1".into(),
            created_at: NOW,
            updated_at: NOW,
            set_30_days: number * 1_200,
        };
        let ordered = When::Ordered(OfOrder {
            category: Some("连衣裙".into()),
            paid_fen_at_least: Some(50_000),
        });
        let rules = vec![
            rule(1, When::Channel("S1<till>".into()), 901),
            rule(2, When::Clicked(OnLink::default()), 902),
            rule(3, ordered, 999),
            rule(4, When::Stage(Stage::Dormant), 911),
            rule(
                5,
                When::Clicked(OnLink {
                    link: Some(LinkId(9)),
                }),
                912,
            ),
        ];
        let page = |rules: &[TagRule]| {
            Self::new(
                shell.clone(),
                rules,
                sample_tag_groups(),
                vec![],
                Typed::default(),
            )
        };
        let many: Vec<TagRule> = rules.iter().cycle().take(12).cloned().collect();
        let mut wrong = page(&rules);
        wrong.typed = Typed {
            kind: "channel".into(),
            tag: "901".into(),
            ..Typed::default()
        };
        wrong.problems = vec![FieldProblem {
            field: "channel".into(),
            message: shell.t("rule-no-channel"),
        }];
        vec![
            ("empty", page(&[])),
            ("typical", page(&rules)),
            ("crowded", page(&many)),
            ("refused", wrong),
        ]
    }
}

fn counted_groups() -> Vec<TagGroup> {
    let mut groups = sample_tag_groups();
    for (number, tag) in (0..).zip(groups.iter_mut().flat_map(|group| &mut group.tags)) {
        tag.contacts = Some(number * 1_204);
    }
    groups
}

impl TagsPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let page = |groups: Vec<TagGroup>| Self::new(shell.clone(), groups);
        let many: Vec<TagGroup> = counted_groups().iter().cycle().take(20).cloned().collect();
        let mut busy = counted_groups();
        for tag in busy.iter_mut().flat_map(|group| &mut group.tags) {
            tag.contacts = Some(7);
        }
        let mut wrong = page(counted_groups());
        wrong.typed = NewGroup {
            name: "会员".into(),
            tags: "<b>金卡</b>\n".into(),
        };
        wrong.problems = vec![FieldProblem {
            field: "name".into(),
            message: shell.t1("refused-tag-taken", "name", "会员"),
        }];
        vec![
            ("empty", page(vec![])),
            ("typical", page(counted_groups())),
            ("busy", page(busy)),
            ("crowded", page(many)),
            ("refused", wrong),
        ]
    }
}

impl GroupPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let group = || TagGroup {
            name: "会员<1>".into(),
            ..counted_groups().remove(0)
        };
        let mut wrong = Self::new(shell.clone(), group());
        wrong.tag = "金卡".into();
        wrong.problems = vec![FieldProblem {
            field: "tag".into(),
            message: shell.t1("refused-tag-taken", "name", "金卡"),
        }];
        vec![("typical", Self::new(shell.clone(), group())), ("refused", wrong)]
    }
}

impl TagPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let tag = || Tag {
            id: TagId(901),
            group_id: TagGroupId(90),
            name: "金卡<i>".into(),
            sort: 0,
            contacts: Some(1_300),
        };
        let page = |people: i64| Self::new(shell.clone(), tag(), people, counted_groups());
        let mut wrong = page(1_204);
        wrong.into = Some(TagId(902));
        wrong.problems = vec![FieldProblem {
            field: "into".into(),
            message: shell.t("refused-merge-same"),
        }];
        vec![("typical", page(1_204)), ("nobody", page(0)), ("refused", wrong)]
    }
}
