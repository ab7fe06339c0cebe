//! Invented links for the tests of these pages.

use super::*;
use crate::money::Fen;

fn sample(number: i64, title: &str, clicks: i64, orders: i64, net: Fen) -> Link {
    use crate::web::samples::NOW;
    Link {
        id: LinkId(number),
        code: format!("7kQ2mPz8a{number:02}"),
        title: title.into(),
        target: LinkTarget::Web {
            url: "https://shop.example.com/dress".into(),
        },
        store_id: None,
        associate_id: Some(crate::ids::AssociateId(31)),
        associate_name: Some("林晓雯".into()),
        campaign_id: None,
        moment_id: None,
        contact_id: None,
        created_at: NOW.plus_ms(-number * 2 * crate::time::DAY_MS),
        closed_at: None,
        clicks,
        people: clicks * 4 / 5,
        orders,
        net_fen: net,
    }
}

impl LinksPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let page = |items: Vec<Link>, next: Option<&str>, problems: Vec<FieldProblem>| Self {
            shell: Shell {
                address: "/links".into(),
                ..shell.clone()
            },
            page: Page {
                items,
                next: next.map(str::to_owned),
            },
            draft: Draft {
                url: if problems.is_empty() { "" } else { "shop" }.into(),
                ..Draft::default()
            },
            problems,
        };
        let some = || {
            vec![
                sample(1, "冬日连衣裙", 463, 37, Fen::yuan(24_100)),
                sample(2, "羊绒大衣", 88, 0, Fen::ZERO),
            ]
        };
        let many = |number| {
            sample(
                number,
                "一条名字很长很长的链接，说了季节说了款式还说了人群和时间",
                12_345,
                678,
                Fen::yuan(1_234_567),
            )
        };
        let problem = FieldProblem {
            field: "url".into(),
            message: "`shop` 不是网址，要以 https:// 开头".into(),
        };
        vec![
            ("typical", page(some(), None, vec![])),
            ("empty", page(vec![], None, vec![])),
            (
                "crowded",
                page((1..=20).map(many).collect(), Some("WzFd"), vec![]),
            ),
            ("refused", page(some(), None, vec![problem])),
        ]
    }
}

impl LinkPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let page = |link: Link, clicks: &[i64]| {
            let today = shell.today();
            let span = clicks.len() as i64;
            let days = clicks
                .iter()
                .zip(0..)
                .map(|(clicks, index)| (today.plus(index + 1 - span), *clicks));
            Self {
                shell: Shell {
                    address: format!("/links/{}", link.id),
                    ..shell.clone()
                },
                url: format!("https://crm.example.com/l/{}", link.code),
                days: days.collect(),
                previous: clicks.iter().map(|clicks| clicks * 3 / 4).collect(),
                link,
                span,
            }
        };
        let closed = Link {
            closed_at: Some(crate::web::samples::NOW),
            ..sample(3, "旧款清仓", 12, 0, Fen::ZERO)
        };
        let month: Vec<i64> = (0..30).map(|day| (day * 37) % 101).collect();
        vec![
            (
                "typical",
                page(
                    sample(1, "冬日连衣裙", 463, 37, Fen::yuan(24_100)),
                    &[40, 52, 48, 61, 70, 96, 96],
                ),
            ),
            ("empty", page(sample(2, "羊绒大衣", 0, 0, Fen::ZERO), &[0; 7])),
            ("closed", page(closed, &[0, 0, 5, 7, 0, 0, 0])),
            (
                "crowded",
                page(
                    sample(4, "冬日连衣裙", 1_234_567, 98_765, Fen::yuan(12_345_678)),
                    &month,
                ),
            ),
        ]
    }
}
