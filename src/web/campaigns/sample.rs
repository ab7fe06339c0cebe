//! Invented campaigns for the tests of the pages; totals add up.

use super::audience::{AudiencePage, Fields as AudienceFields};
use super::content::{ContentPage, Fields as ContentFields};
use super::deliveries::DeliveriesPage;
use super::list::CampaignsPage;
use super::live::{Live, LivePage};
use super::phone::Phone;
use super::result::ResultPage;
use super::review::{Review, ReviewPage};
use super::time::{Fields as TimeFields, TimePage};
use crate::campaigns::*;
use crate::directory::{Corp, QuotaMode};
use crate::ids::{AssociateId, CampaignId, ContactId, CorpId, SegmentId, StoreId};
use crate::links::LinkTarget;
use crate::links::content::{Attachment, Content};
use crate::money::Fen;
use crate::page::Page;
use crate::segments::Segment;
use crate::time::{HOUR_MS, MINUTE_MS};
use crate::web::Shell;
use crate::web::samples::NOW;
use crate::web::segments::words::sentence;
use crate::web::segments::{sample_names, sample_rule};
use crate::web::shell::FieldProblem;

const TEXT: &str =
    "你好，我是{门店}的{导购}。上次你挑的那条连衣裙出了加绒款，金卡会员可以提前两天选，我先给你留着？";

fn content() -> Content {
    let target = LinkTarget::MiniProgram {
        appid: "wx0a1b2c3d4e5f6a7b".into(),
        page: "pages/item?id=dress".into(),
        url: "https://shop.heyu.example/dress".into(),
    };
    let title = "冬日连衣裙 · 金卡会员提前两天选".into();
    let link = Attachment::StoreLink {
        title,
        target,
        description: None,
        picture_url: None,
    };
    Content {
        text: TEXT.into(),
        attachments: vec![link],
    }
}

fn campaign(id: i64, name: &str, state: CampaignState) -> Campaign {
    Campaign {
        id: CampaignId(id),
        name: name.into(),
        state,
        segment_id: Some(SegmentId(1)),
        rule: sample_rule(),
        content: content(),
        send_at: Some("2026-11-29T10:00".into()),
        zone: "Asia/Shanghai".into(),
        deadline: Some("2026-11-29T18:00".into()),
        late_after_minutes: 60,
        holdout_percent: 10,
        priority: 0,
        created_by: "operator:1".into(),
        approved_by: None,
        starts_at: Some(NOW.plus_ms(-3 * HOUR_MS)),
        ends_at: Some(NOW.plus_ms(5 * HOUR_MS)),
        frozen_at: Some(NOW.plus_ms(-3 * HOUR_MS)),
        started_at: (state != CampaignState::Scheduled).then(|| NOW.plus_ms(-3 * HOUR_MS)),
        finished_at: state.is_final().then_some(NOW),
        version: 3,
        created_at: NOW.plus_ms(-30 * HOUR_MS),
        updated_at: NOW.plus_ms(-4 * HOUR_MS),
    }
}

fn plan() -> QuotaPlan {
    let blocked = |reason: &str, contacts: i64| Blocked {
        reason: reason.into(),
        contacts,
        frees_at: (reason == "quota_used").then(|| NOW.plus_ms(190 * HOUR_MS)),
    };
    let left = |left: i64, contacts: i64| LeftAfter { left, contacts };
    QuotaPlan {
        targeted: 3_486,
        eligible: 2_954,
        holdout: 328,
        blocked: vec![
            blocked("quota_used", 126),
            blocked("opted_out", 38),
            blocked("no_associate", 40),
        ],
        associates: 168,
        stores: 42,
        left_after: vec![left(0, 412), left(1, 556), left(2, 1_986)],
    }
}

fn nobody() -> QuotaPlan {
    QuotaPlan {
        targeted: 0,
        eligible: 0,
        holdout: 0,
        blocked: Vec::new(),
        associates: 0,
        stores: 0,
        left_after: Vec::new(),
    }
}

fn reason(state: &str, reason: &str, contacts: i64) -> Reason {
    Reason {
        state: state.into(),
        reason: reason.into(),
        contacts,
    }
}

fn progress() -> Progress {
    Progress {
        targeted: 3_486,
        eligible: 2_954,
        tasked: 1_108,
        sent: 1_808,
        failed: 38,
        excluded: 532,
        reasons: vec![
            reason("excluded", "holdout", 328),
            reason("excluded", "quota_used", 126),
            reason("excluded", "no_associate", 40),
            reason("excluded", "opted_out", 38),
            reason("failed", "not_friend", 21),
            reason("failed", "quota_used", 12),
            reason("failed", "platform_45033", 5),
        ],
        associates: 168,
        associates_confirmed: 105,
        clickers: 438,
        clicks: 611,
        orders: 61,
        buyers: 58,
        net_fen: Fen::yuan(39_528),
        ..Progress::default()
    }
}

fn store(id: i64, name: &str, sent: i64, eligible: i64, confirmed: i64, associates: i64) -> StoreProgress {
    StoreProgress {
        store_id: (id > 0).then_some(StoreId(id)),
        store_name: name.into(),
        eligible,
        sent,
        associates,
        associates_confirmed: confirmed,
    }
}

fn live(state: CampaignState) -> Live {
    let sent = [0, 310, 742, 1_120, 1_385, 1_602, 1_808];
    let speed = (0..).zip(sent).map(|(half, sent)| SpeedPoint {
        at: NOW.plus_ms(-3 * HOUR_MS + half * 30 * MINUTE_MS),
        sent,
    });
    Live {
        campaign: campaign(1, "冬日连衣裙 · 金卡会员先享", state),
        progress: progress(),
        stores: vec![
            store(24, "宁波天一店", 0, 87, 0, 5),
            store(26, "苏州中心店", 41, 104, 2, 6),
            store(27, "南京德基店", 88, 141, 5, 8),
            store(28, "杭州湖滨银泰店", 112, 128, 6, 7),
            store(21, "静安嘉里店", 96, 96, 6, 6),
        ],
        speed: speed.collect(),
    }
}

/// Just scheduled: everything planned, nothing sent.
fn waiting() -> Live {
    let planned = Progress {
        targeted: 40,
        eligible: 40,
        planned: 40,
        associates: 3,
        ..Progress::default()
    };
    Live {
        progress: planned,
        stores: Vec::new(),
        speed: Vec::new(),
        ..live(CampaignState::Scheduled)
    }
}

fn many_stores() -> Live {
    let store = |id: i64| store(id, "上海静安嘉里中心北区二层旗舰店", id % 80, 90, id % 7, 8);
    let every = Progress {
        unknown: 9,
        expired: 120,
        planned: 4,
        ..progress()
    };
    Live {
        progress: every,
        stores: (0..60).map(store).collect(),
        ..live(CampaignState::Running)
    }
}

fn lift() -> Lift {
    Lift {
        treated: 2_954,
        treated_buyers: 118,
        held_out: 328,
        held_out_buyers: 7,
        points: Some(1.86),
        low: Some(0.15),
        high: Some(3.58),
        incremental_fen: Some(3_600_000),
    }
}

fn wrong(shell: &Shell, field: &str, key: &str) -> Vec<FieldProblem> {
    vec![FieldProblem {
        field: field.into(),
        message: shell.t(key),
    }]
}

impl AudiencePage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let segment = |id: i64| Segment {
            id: SegmentId(id),
            name: format!("华东金卡 · 90 天连衣裙 {id}"),
            rule: sample_rule(),
            version: 1,
            created_by: "operator:1".into(),
            created_at: NOW,
            updated_at: NOW,
        };
        let typed = |audience: &str, segment: &str, rule: &str| AudienceFields {
            audience: audience.into(),
            segment: segment.into(),
            rule: rule.into(),
            holdout: "10".into(),
            ..AudienceFields::default()
        };
        let rule = r#"{"stage":"cooling"}"#;
        let words = sentence(&sample_rule(), &sample_names(), shell);
        let (few, many): (Vec<_>, Vec<_>) = ((1..3).map(segment).collect(), (1..60).map(segment).collect());
        let id = Some(CampaignId(1));
        let page = |id, typed, segments: &[Segment], words, plan: Option<&QuotaPlan>, wrong| {
            Self::new(shell.clone(), id, typed, segments, words, plan, wrong)
        };
        vec![
            (
                "typical",
                page(
                    id,
                    typed("segment", "1", ""),
                    &few,
                    None,
                    Some(&plan()),
                    Vec::new(),
                ),
            ),
            (
                "empty",
                page(
                    None,
                    typed("segment", "", ""),
                    &[],
                    None,
                    None,
                    wrong(shell, "audience", "form-choose-audience"),
                ),
            ),
            (
                "crowded",
                page(
                    id,
                    typed("rule", "", rule),
                    &many,
                    Some(words),
                    Some(&nobody()),
                    Vec::new(),
                ),
            ),
        ]
    }
}

fn phone(shell: &Shell, content: &Content) -> Phone {
    let text = content
        .text
        .replace("{门店}", "静安嘉里店")
        .replace("{导购}", "林晓雯");
    Phone::new(shell, "林晓雯", "10:02".into(), text, content)
}

impl ContentPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let draft = campaign(1, "冬日连衣裙 · 金卡会员先享", CampaignState::Draft);
        let mut full = content();
        let image = Attachment::Image {
            media_id: None,
            picture_url: Some("https://img.heyu.example/a.jpg".into()),
        };
        full.attachments.extend(vec![image; 8]);
        let crowded = Campaign {
            content: full.clone(),
            ..draft.clone()
        };
        let page = |fields: ContentFields, content: &Content, wrong| {
            Self::new(
                shell.clone(),
                CampaignId(1),
                fields,
                content,
                phone(shell, content),
                wrong,
            )
        };
        vec![
            (
                "typical",
                page(ContentFields::of(&draft), &draft.content, Vec::new()),
            ),
            (
                "empty",
                page(
                    ContentFields::default(),
                    &Content::default(),
                    wrong(shell, "text", "refused-content-empty"),
                ),
            ),
            ("crowded", page(ContentFields::of(&crowded), &full, Vec::new())),
        ]
    }
}

impl TimePage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let draft = campaign(1, "冬日连衣裙 · 金卡会员先享", CampaignState::Draft);
        let others: Vec<_> = (2..5)
            .map(|id| campaign(id, "华南新店开业", CampaignState::Scheduled))
            .collect();
        let now = TimeFields {
            when: "now".into(),
            deadline: "none".into(),
            ..TimeFields::default()
        };
        let page = |fields: TimeFields, others: &[Campaign], wrong| {
            Self::new(
                shell.clone(),
                CampaignId(1),
                fields,
                "Asia/Shanghai",
                others,
                wrong,
            )
        };
        vec![
            ("typical", page(TimeFields::of(&draft), &[], Vec::new())),
            ("empty", page(now, &[], Vec::new())),
            (
                "crowded",
                page(
                    TimeFields::of(&draft),
                    &others,
                    wrong(shell, "date", "refused-start-past"),
                ),
            ),
        ]
    }
}

impl ReviewPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let Some(me) = &shell.me else { return Vec::new() };
        let page = |campaign: Campaign, plan: QuotaPlan, over: Option<i64>, wrong| {
            let corp = Corp {
                id: CorpId(1),
                corpid: "ww1a2b3c4d5e6f7a8b".into(),
                name: "禾与 HEYU".into(),
                zone: chrono_tz::Asia::Shanghai,
                agent_id: 1_000_002,
                quota_mode: QuotaMode::PerWeek(7),
                approval_over: over,
                link_hosts: Vec::new(),
                mini_store: None,
            };
            let audience = "华东金卡 · 90 天连衣裙".to_owned();
            let review = Review {
                campaign: &campaign,
                plan: &plan,
                corp: &corp,
                audience,
            };
            Self::new(shell.clone(), me, &review, phone(shell, &campaign.content), wrong)
        };
        let draft = || campaign(1, "冬日连衣裙 · 金卡会员先享", CampaignState::Draft);
        let of_another = Campaign {
            created_by: "operator:2".into(),
            ..draft()
        };
        let approved = Campaign {
            approved_by: Some("operator:2".into()),
            send_at: None,
            deadline: None,
            ..draft()
        };
        vec![
            ("typical", page(draft(), plan(), None, Vec::new())),
            ("waiting", page(draft(), plan(), Some(2_000), Vec::new())),
            ("to-approve", page(of_another, plan(), Some(2_000), Vec::new())),
            (
                "approved",
                page(
                    approved,
                    plan(),
                    Some(2_000),
                    wrong(shell, "date", "refused-start-past"),
                ),
            ),
            (
                "empty",
                page(
                    Campaign {
                        holdout_percent: 0,
                        ..draft()
                    },
                    nobody(),
                    None,
                    Vec::new(),
                ),
            ),
        ]
    }
}

impl LivePage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let page = |live: Live| Self::new(shell.clone(), &live, false);
        vec![
            ("typical", page(live(CampaignState::Running))),
            ("paused", page(live(CampaignState::Paused))),
            ("empty", page(waiting())),
            ("crowded", page(many_stores())),
        ]
    }
}

impl ResultPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let finished = Progress {
            tasked: 0,
            sent: 2_702,
            failed: 79,
            expired: 173,
            clickers: 811,
            orders: 122,
            buyers: 118,
            net_fen: Fen::yuan(76_464),
            ..progress()
        };
        let unsure = Lift {
            points: Some(-0.2),
            low: Some(-1.4),
            high: Some(1.0),
            incremental_fen: Some(-120_000),
            ..lift()
        };
        let page = |state: CampaignState, progress: &Progress, lift: &Lift| {
            Self::new(
                shell.clone(),
                &campaign(1, "冬日连衣裙 · 金卡会员先享", state),
                progress,
                lift,
            )
        };
        vec![
            ("typical", page(CampaignState::Finished, &finished, &lift())),
            ("unsure", page(CampaignState::Finished, &finished, &unsure)),
            (
                "no-holdout",
                page(CampaignState::Cancelled, &finished, &Lift::default()),
            ),
            (
                "empty",
                page(CampaignState::Missed, &Progress::default(), &Lift::default()),
            ),
        ]
    }
}

impl CampaignsPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let page = |items: Vec<Campaign>, state, next: Option<&str>| {
            Self::new(
                shell.clone(),
                Page {
                    items,
                    next: next.map(str::to_owned),
                },
                state,
            )
        };
        let of_state = |(id, state): (i64, CampaignState)| campaign(id, "冬日连衣裙 · 金卡会员先享", state);
        let every = || (1..).zip(CampaignState::ALL).map(of_state);
        vec![
            ("typical", page(every().collect(), None, None)),
            ("empty", page(Vec::new(), None, None)),
            (
                "none-of-state",
                page(Vec::new(), Some(CampaignState::Paused), None),
            ),
            (
                "crowded",
                page(every().cycle().take(30).collect(), None, Some("WzFd")),
            ),
        ]
    }
}

impl DeliveriesPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let delivery = |(id, state): (i64, DeliveryState)| Delivery {
            contact_id: ContactId(100 + id),
            contact_name: "王莉".into(),
            associate_id: Some(AssociateId(31)),
            store_id: Some(StoreId(21)),
            batch_id: None,
            state,
            reason: match state {
                DeliveryState::Excluded => Some("holdout".into()),
                DeliveryState::Failed => Some("not_friend".into()),
                _ => None,
            },
            sent_at: (state == DeliveryState::Sent).then_some(NOW),
        };
        let page = |items: Vec<Delivery>, next: Option<&str>| {
            let found = Page {
                items,
                next: next.map(str::to_owned),
            };
            Self::new(shell.clone(), CampaignId(1), "冬日连衣裙".into(), found, None)
        };
        let every = || (1..).zip(DeliveryState::ALL).map(delivery);
        vec![
            ("typical", page(every().collect(), None)),
            ("empty", page(Vec::new(), None)),
            ("crowded", page(every().cycle().take(40).collect(), Some("WzFd"))),
        ]
    }
}
