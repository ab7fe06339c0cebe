//! Invented posts for the tests of these pages.

use super::*;
use crate::ids::AssociateId;
use crate::money::Fen;
use crate::time::HOUR_MS;

/// An invented post for samples.
pub fn sample_row(number: i64, state: &str, assigned: i64, published: i64) -> MomentRow {
    use crate::web::samples::NOW;
    let text = "上海今天初雪。外面裹严，里面穿裙子，进门脱了大衣也好看。";
    let title = "初雪穿搭".to_owned();
    let target = LinkTarget::Web {
        url: "https://shop.example.com/snow".into(),
    };
    MomentRow {
        id: MomentId(number),
        text: text.into(),
        state: state.into(),
        starts_at: NOW.plus_ms(-number * 20 * HOUR_MS),
        created_by: "许宁".into(),
        created_at: NOW.plus_ms(-number * 21 * HOUR_MS),
        error: None,
        assigned,
        published,
        visible: published * 320,
        likes: published * 8,
        comments: published,
        clicks: published * 5,
        orders: published / 3,
        net_fen: Fen::yuan(published / 3 * 860),
        content: Content {
            text: text.into(),
            attachments: vec![Attachment::StoreLink {
                title,
                target,
                description: None,
                picture_url: None,
            }],
        },
    }
}

impl MomentsPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let page = |items: Vec<MomentRow>, next: Option<&str>| Self {
            shell: Shell {
                address: "/moments".into(),
                ..shell.clone()
            },
            page: Page {
                items,
                next: next.map(str::to_owned),
            },
        };
        let assigned = if shell.is_associate() { 1 } else { 168 };
        let row = |number, published| sample_row(number, "published", assigned, published);
        vec![
            (
                "typical",
                page(
                    vec![row(1, 0), row(2, assigned), row(3, assigned * 78 / 100 + 1)],
                    None,
                ),
            ),
            ("empty", page(vec![], None)),
            (
                "crowded",
                page(
                    (1..=20).map(|number| row(number, number % 2)).collect(),
                    Some("WzFd"),
                ),
            ),
        ]
    }
}

impl MomentPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let task = |number: i64, name: &str, state: &str, likes: i64| MomentTask {
            associate_id: AssociateId(number),
            associate_name: name.into(),
            store_name: Some("静安嘉里店".into()),
            state: state.into(),
            published_at: (state == "published").then_some(crate::web::samples::NOW),
            visible: likes * 40,
            likes,
            comments: likes / 4,
        };
        let page = |moment: MomentRow, tasks| Self {
            shell: Shell {
                address: "/moments/1".into(),
                ..shell.clone()
            },
            moment,
            tasks,
        };
        let failed = MomentRow {
            error: Some("图片过期了".into()),
            ..sample_row(2, "failed", 1, 0)
        };
        if shell.is_associate() {
            let (waiting, posted) = (sample_row(1, "published", 1, 0), sample_row(2, "published", 1, 1));
            return vec![
                ("typical", page(waiting, vec![])),
                ("posted", page(posted, vec![])),
                ("failed", page(failed, vec![])),
            ];
        }
        let tasks = vec![
            task(31, "林晓雯", "published", 36),
            task(32, "徐佳", "tasked", 0),
            task(33, "何倩", "failed", 0),
        ];
        vec![
            ("typical", page(sample_row(1, "published", 3, 1), tasks)),
            ("failed", page(failed, vec![])),
        ]
    }
}

impl MomentForm {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let store = |id: i64, name: &str| Store {
            id: StoreId(id),
            code: format!("S{id}"),
            name: name.into(),
            region_id: crate::ids::RegionId(11),
            region_name: "华东".into(),
            zone: "Asia/Shanghai".into(),
            status: "open".into(),
        };
        let page = |draft: Draft, problems| Self {
            shell: Shell {
                address: "/moments/new".into(),
                ..shell.clone()
            },
            draft,
            stores: vec![store(21, "静安嘉里店"), store(22, "杭州湖滨店")],
            tag_groups: crate::web::contacts::sample_tag_groups(),
            problems,
        };
        let draft = Draft {
            text: "上海今天初雪。".into(),
            link_title: "初雪穿搭".into(),
            store: vec![StoreId(21)],
            tag: vec![TagId(901)],
            ..Draft::default()
        };
        let problem = FieldProblem {
            field: "link_url".into(),
            message: "链接要有地址".into(),
        };
        vec![
            ("empty", page(Draft::default(), vec![])),
            ("refused", page(draft, vec![problem])),
        ]
    }
}
