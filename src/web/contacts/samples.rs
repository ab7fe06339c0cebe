//! Invented customers for the tests of these pages.

use super::card::{ContactPage, Remark, Typed};
use super::duplicates::DuplicatesPage;
use super::origin::Origins;
use super::standing::Shown;
use crate::campaigns::QuotaLeft;
use crate::contacts::{
    ContactCard, ContactField, ContactRow, FieldKind, FollowRow, OwnValue, TagName, TagOrigin, TurnOn,
};
use crate::directory::QuotaMode;
use crate::groups::{GroupOfContact, GroupsOfContact};
use crate::ids::{
    AssociateId, CampaignId, ClickId, ContactId, FieldId, FollowId, FollowUpId, GroupId, LinkId, MarkingId,
    MergeId, OperatorId, OrderId, StoreId, TagGroupId, TagId, TagRuleId, TimelineId,
};
use crate::marking::{Kind, When};
use crate::money::Fen;
use crate::page::Page;
use crate::persons::{Duplicate, Merge, Twin};
use crate::scope::Actor;
use crate::segments::{Scored, Scores, Stage, Standing};
use crate::tags::{Tag, TagGroup};
use crate::time::{DAY_MS, HOUR_MS};
use crate::timeline::{Entry, Recorded};
use crate::web::Shell;
use crate::web::care::sample_follow_ups;
use crate::web::samples::NOW;
use crate::web::shell::FieldProblem;

pub fn tag_groups() -> Vec<TagGroup> {
    let group = |id: i64, name: &str, tags: &[(i64, &str)]| TagGroup {
        id: TagGroupId(id),
        name: name.into(),
        sort: id,
        tags: tags
            .iter()
            .map(|(tag, name)| Tag {
                id: TagId(*tag),
                group_id: TagGroupId(id),
                name: (*name).into(),
                sort: *tag,
                contacts: None,
            })
            .collect(),
    };
    vec![
        group(90, "会员", &[(901, "金卡"), (902, "银卡")]),
        group(
            91,
            "喜好",
            &[(911, "爱买连衣裙"), (912, "通勤风"), (913, "小个子")],
        ),
    ]
}

fn tag(id: i64, name: &str) -> TagName {
    TagName {
        id: TagId(id),
        name: name.into(),
        group_name: "喜好".into(),
    }
}

pub fn rows() -> Vec<ContactRow> {
    let row =
        |number: i64, name: &str, remark: &str, tags: &[&str], spent: i64, bought: Option<i64>| ContactRow {
            id: ContactId(100 + number),
            external_userid: format!("wmSim{number}"),
            name: name.into(),
            avatar: String::new(),
            gender: 2,
            remark: remark.into(),
            associate_id: AssociateId(31),
            associate_name: "林晓雯".into(),
            store_id: Some(StoreId(21)),
            store_name: Some("静安嘉里店".into()),
            added_at: NOW.plus_ms(-number * 40 * DAY_MS),
            tags: tags.iter().zip(911..).map(|(name, id)| tag(id, name)).collect(),
            last_order_at: bought.map(|days| NOW.plus_ms(-days * DAY_MS)),
            spent_365_fen: Fen::yuan(spent),
        };
    vec![
        row(1, "小鹿Deer", "王莉", &["金卡", "爱买连衣裙"], 12_860, Some(3)),
        row(2, "Yinuo", "赵一诺", &["金卡", "通勤风"], 9_420, Some(12)),
        row(3, "阿珊", "黄珊", &["银卡", "高意向"], 3_180, Some(41)),
        row(
            4,
            "HeYT",
            "何雨桐",
            &["沉睡", "M 码", "不要短款", "11 月去北方", "通勤风"],
            6_250,
            Some(62),
        ),
        row(5, "静水流深", "", &["金卡", "生日 11/25"], 15_030, Some(6)),
        row(6, "<b>Mandy</b> 孙", "孙婷", &[], 0, None),
    ]
}

pub fn card() -> ContactCard {
    let follow = |associate: i64, name: &str, remark: &str, tags: Vec<TagName>| FollowRow {
        id: FollowId(associate),
        associate_id: AssociateId(associate),
        associate_name: name.into(),
        store_id: Some(StoreId(21)),
        store_name: Some("静安嘉里店".into()),
        state: "active".into(),
        remark: remark.into(),
        description: "月底去哈尔滨，要厚的".into(),
        add_way: 1,
        channel: "收银台".into(),
        added_at: NOW.plus_ms(-625 * DAY_MS),
        tags,
    };
    let tags = ["爱买连衣裙", "通勤风", "M 码", "不要短款"];
    let tags = tags.iter().zip(911..).map(|(name, id)| tag(id, name)).collect();
    ContactCard {
        id: ContactId(101),
        external_userid: "wmSim101".into(),
        name: "小鹿Deer".into(),
        avatar: String::new(),
        gender: 2,
        birthday: Some("06-18".into()),
        phone_last4: Some("6027".into()),
        opted_out: false,
        own_fields: vec![OwnValue {
            field_id: FieldId(1),
            name: "鞋码".into(),
            value: "38".into(),
        }],
        follows: vec![follow(31, "林晓雯", "王莉", tags)],
        orders_365: 14,
        spent_365_fen: Fen::yuan(12_860),
        last_order_at: Some(NOW.plus_ms(-4 * DAY_MS)),
    }
}

fn shown(rfm: Scored) -> Shown {
    Shown {
        standing: Standing {
            stage: Some(Stage::Active),
            rfm,
        },
        quota: QuotaLeft {
            left: 27,
            limit: 30,
            renews_at: NOW.plus_ms(8 * DAY_MS),
            last_sent_at: Some(NOW.plus_ms(-3 * DAY_MS)),
        },
        mode: QuotaMode::MonthDays,
    }
}

/// One of each kind.
fn fields() -> Vec<ContactField> {
    let field = |id: i64, name: &str, kind: FieldKind, choices: &[&str]| ContactField {
        id: FieldId(id),
        name: name.into(),
        kind,
        choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
    };
    vec![
        field(1, "鞋码", FieldKind::Number, &[]),
        field(2, "会员等级", FieldKind::Choice, &["金卡", "银卡"]),
        field(3, "结婚纪念日", FieldKind::Date, &[]),
        field(4, "爱<吃>什么", FieldKind::Text, &[]),
    ]
}

fn origins() -> Origins {
    let origin = |tag: i64, by: Option<Actor>, marking: Option<i64>| TagOrigin {
        tag: TagId(tag),
        associate: AssociateId(31),
        associate_name: "林晓雯".into(),
        turn: by.map(|by| TurnOn {
            by: Some(by),
            at: NOW.plus_ms(-tag * HOUR_MS),
            marking: marking.map(MarkingId),
        }),
    };
    let rule = When::Channel("收银台<1>".into());
    Origins {
        list: vec![
            origin(911, None, None),
            origin(912, Some(Actor::Platform), None),
            origin(913, Some(Actor::Rule(TagRuleId(1))), None),
            origin(914, Some(Actor::Operator(OperatorId(1))), Some(7)),
        ],
        actors: [(Actor::Operator(OperatorId(1)), "许<宁>".to_owned())].into(),
        rules: [(TagRuleId(1), rule)].into(),
        markings: [(MarkingId(7), Kind::Asked)].into(),
    }
}

fn groups() -> Vec<GroupOfContact> {
    let group = |id: i64, name: &str, owner: Option<&str>, members: i64| GroupOfContact {
        id: GroupId(id),
        name: name.into(),
        owner_userid: "lin".into(),
        owner_name: owner.map(str::to_owned),
        members,
        joined_at: NOW.plus_ms(-id * DAY_MS),
        join_scene: 3,
    };
    vec![
        group(21, "嘉里店 · 新品<先看>", Some("林晓雯"), 186),
        group(240, "", None, 3),
    ]
}

pub fn timeline() -> Vec<Recorded> {
    let recorded = |hours: i64, by: Option<&str>, entry: Entry| Recorded {
        id: TimelineId(hours),
        at: NOW.plus_ms(-hours * HOUR_MS),
        associate_id: by.map(|_| AssociateId(31)),
        associate_name: by.map(str::to_owned),
        author: (hours == 264).then(|| "operator:1".to_owned()),
        author_name: None,
        entry,
    };
    let title = "加绒灯芯绒连衣裙".to_owned();
    let ordered = Entry::Ordered {
        order_id: OrderId(1),
        order_no: "A1".into(),
        paid_fen: Fen::yuan(1_298),
        items: 2,
        first_item: "针织开衫".into(),
    };
    vec![
        recorded(
            0,
            None,
            Entry::Clicked {
                click_id: ClickId(1),
                link_id: LinkId(1),
                title,
            },
        ),
        recorded(
            70,
            Some("林晓雯"),
            Entry::Sent {
                campaign_id: CampaignId(71),
                name: "初雪穿搭".into(),
            },
        ),
        recorded(96, Some("林晓雯"), ordered),
        recorded(
            264,
            Some("林晓雯"),
            Entry::Noted {
                text: "月底去哈尔滨，要厚的。别推荐短款。".into(),
            },
        ),
        recorded(265, Some("林晓雯"), Entry::Unnoted { removed_at: NOW }),
        recorded(
            266,
            Some("林晓雯"),
            Entry::FollowedUp {
                follow_up_id: FollowUpId(9),
                what: "送小样".into(),
                is_done: true,
            },
        ),
        recorded(
            270,
            Some("林晓雯"),
            Entry::Tagged {
                tag_id: TagId(911),
                name: "爱买连衣裙".into(),
            },
        ),
        recorded(
            15_000,
            Some("林晓雯"),
            Entry::Added {
                cause: "scan".into(),
                channel: "收银台".into(),
            },
        ),
    ]
}

impl ContactPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let page = |card: ContactCard, items: Vec<Recorded>, next: Option<&str>| Self {
            shell: Shell {
                address: "/contacts/101".into(),
                ..shell.clone()
            },
            card,
            groups: GroupsOfContact {
                items: groups(),
                others: 2,
            },
            timeline: Page {
                items,
                next: next.map(str::to_owned),
            },
            follow_ups: vec![
                sample_follow_ups(1, "问她羊绒大衣要不要留 M 码", -3),
                sample_follow_ups(2, "生日送小样", 4),
            ],
            shown: shown(Scored::Scores(Scores {
                r: 5,
                f: 4,
                m: 3,
                as_of: NOW,
            })),
            phone: None,
            is_older: false,
            tag_groups: tag_groups(),
            fields: fields(),
            origins: origins(),
            stores: Vec::new(),
            problems: Vec::new(),
            typed: Typed::default(),
        };
        let nobody = ContactCard {
            name: "<script>alert(1)</script>".into(),
            follows: Vec::new(),
            birthday: None,
            phone_last4: None,
            orders_365: 0,
            spent_365_fen: Fen::ZERO,
            last_order_at: None,
            opted_out: true,
            ..card()
        };
        let long: Vec<_> = timeline().iter().cycle().take(20).cloned().collect();
        let mut wrong = page(card(), timeline(), None);
        wrong.problems = vec![FieldProblem {
            field: "text".into(),
            message: "500 字以内".into(),
        }];
        wrong.typed.note = "很长的备注".into();
        let mut silent = page(card(), timeline(), None);
        silent.problems = vec![FieldProblem {
            field: String::new(),
            message: shell.t("undone-silent"),
        }];
        silent.typed.remark = Some(Remark {
            remark: "王姐".into(),
            description: "喜欢羊绒".into(),
        });
        let mut mistyped = page(card(), timeline(), None);
        mistyped.problems = vec![FieldProblem {
            field: "fields-1".into(),
            message: "鞋码：不是数字".into(),
        }];
        mistyped.typed.fields = vec![("fields-1".into(), "三十八".into())];
        let mut shown = page(card(), timeline(), None);
        shown.phone = Some("138 1234 6027".into());
        let mut quiet = page(nobody.clone(), vec![], None);
        quiet.shown = self::shown(Scored::NoOrders);
        quiet.shown.standing.stage = Some(Stage::Lost);
        quiet.shown.quota.left = 0;
        quiet.shown.quota.last_sent_at = None;
        quiet.card.opted_out = false;
        let mut counting = page(card(), timeline(), None);
        counting.shown = self::shown(Scored::Counting);
        vec![
            ("typical", page(card(), timeline(), None)),
            ("mistyped", mistyped),
            ("shown", shown),
            ("quiet", quiet),
            ("counting", counting),
            ("empty", page(nobody, vec![], None)),
            ("crowded", page(card(), long, Some("WzFd"))),
            ("refused", wrong),
            ("undone", silent),
        ]
    }
}

impl DuplicatesPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let twin = |id: i64, associates: &[&str], added: Option<i64>, orders: i64| Twin {
            id: ContactId(id),
            external_userid: format!("wmSim0000000000000000{id}"),
            name: "晴天".into(),
            associates: associates.iter().map(|name| (*name).to_owned()).collect(),
            last_added_at: added.map(|days| NOW.plus_ms(-days * DAY_MS)),
            orders,
        };
        let found = |next: Option<&str>| Page {
            items: vec![
                Duplicate {
                    unionid: "oSimUnion1".into(),
                    contacts: vec![
                        twin(101, &["李晓雯", "吴桐"], Some(2), 1),
                        twin(88, &[], Some(400), 12),
                    ],
                },
                Duplicate {
                    unionid: "oSimUnion2".into(),
                    contacts: vec![
                        twin(102, &["赵颖"], Some(9), 0),
                        twin(103, &["赵颖"], Some(30), 3),
                        twin(104, &[], None, 0),
                    ],
                },
            ],
            next: next.map(str::to_owned),
        };
        let merge = |id: i64, is_undone: bool, undo_first: Option<i64>| Merge {
            id: MergeId(id),
            kept_id: ContactId(101),
            kept_name: "晴天".into(),
            merged_id: ContactId(60 + id),
            merged_name: "晴天".into(),
            merged_external_userid: format!("wmSim00000000000000000{}", 60 + id),
            created_by: "operator:7".into(),
            created_at: NOW.plus_ms(-id * DAY_MS),
            undone_at: is_undone.then_some(NOW),
            undo_first: undo_first.map(MergeId),
        };
        let done = |items: Vec<Merge>, next: Option<&str>| Page {
            items,
            next: next.map(str::to_owned),
        };
        let names = [(Actor::Operator(OperatorId(7)), "陈总".to_owned())].into();
        let nothing = Page {
            items: Vec::new(),
            next: None,
        };
        let all = vec![
            merge(1, false, None),
            merge(2, true, None),
            merge(3, false, Some(1)),
        ];
        let page =
            |found: &Page<Duplicate>, done: &Page<Merge>| Self::new(shell.clone(), found, done, &names);
        let mut refused = page(&found(None), &done(all.clone(), None));
        refused.problems = vec![FieldProblem {
            field: String::new(),
            message: shell.t("conflict-merge-undone"),
        }];
        vec![
            ("empty", page(&nothing, &done(Vec::new(), None))),
            ("typical", page(&found(None), &done(all.clone(), None))),
            ("crowded", page(&found(Some("x")), &done(all, Some("y")))),
            ("refused", refused),
        ]
    }
}
