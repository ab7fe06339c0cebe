//! What the app must be allowed to do: for each area of the platform's client a read that does no harm.

use futures_util::future::join_all;

use super::model::Line;
use super::refusal::{is_about_range, refusal};
use super::run::in_time;
use crate::directory::Corp;
use crate::error::{Result, said};
use crate::ids::UserId;
use crate::time::{DAY_MS, Timestamp};
use crate::wecom::Client;
use crate::wecom::moment::Made;

/// An area of the client; the console's own name of the permission stands under `doctor-check-permission-…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    Directory,
    FollowUsers,
    Contacts,
    Tags,
    Broadcasts,
    Moments,
    Groups,
    ContactWays,
    Handover,
    Statistics,
    Acquisition,
    Album,
}

impl Area {
    pub const ALL: [Self; 12] = [
        Self::Directory,
        Self::FollowUsers,
        Self::Contacts,
        Self::Tags,
        Self::Broadcasts,
        Self::Moments,
        Self::Groups,
        Self::ContactWays,
        Self::Handover,
        Self::Statistics,
        Self::Acquisition,
        Self::Album,
    ];

    pub fn check(self) -> &'static str {
        match self {
            Self::Directory => "permission.directory",
            Self::FollowUsers => "permission.follow_users",
            Self::Contacts => "permission.contacts",
            Self::Tags => "permission.tags",
            Self::Broadcasts => "permission.broadcasts",
            Self::Moments => "permission.moments",
            Self::Groups => "permission.groups",
            Self::ContactWays => "permission.contact_ways",
            Self::Handover => "permission.handover",
            Self::Statistics => "permission.statistics",
            Self::Acquisition => "permission.acquisition",
            Self::Album => "permission.album",
        }
    }

    /// Whether the shop stands still without it; the others are bought or switched on where they are wanted.
    fn is_needed(self) -> bool {
        !matches!(self, Self::Acquisition | Self::Album)
    }

    /// Whether the read is about a member.
    fn wants_member(self) -> bool {
        matches!(self, Self::Contacts | Self::Statistics)
    }

    async fn read(self, client: &Client, member: Option<&UserId>, now: Timestamp) -> Result<()> {
        let (yesterday, week) = (now.plus_ms(-DAY_MS), now.plus_ms(-7 * DAY_MS));
        let nobody = UserId(String::new());
        let member = member.unwrap_or(&nobody);
        match self {
            Self::Directory => client.departments().await.map(drop),
            Self::FollowUsers => client.follow_users().await.map(drop),
            Self::Contacts => client
                .contacts_of(std::slice::from_ref(member), None)
                .await
                .map(drop),
            Self::Tags => client.tags().await.map(drop),
            Self::Broadcasts => client.broadcasts(week, now, None).await.map(drop),
            Self::Moments => client.moments(Made::ByCorp, week, now, None).await.map(drop),
            Self::Groups => client.groups(std::slice::from_ref(member), None).await.map(drop),
            Self::ContactWays => client.contact_ways(week, now, None).await.map(drop),
            Self::Handover => client.unassigned(None).await.map(drop),
            Self::Statistics => client.behaviour(member, week, yesterday).await.map(drop),
            Self::Acquisition => client.acquisition_quota().await.map(drop),
            Self::Album => client.products(None).await.map(drop),
        }
    }
}

/// One line an area, in order. `member` is one the app sees and who may have customers.
pub async fn permissions(corp: &Corp, client: &Client, member: Option<&UserId>, now: Timestamp) -> Vec<Line> {
    let looks = Area::ALL.map(|area| async move {
        if member.is_none() && (area.wants_member() || area == Area::Groups) {
            return Line::skipped(area.check(), "visible_range");
        }
        in_time(area.check(), async {
            let read = area.read(client, member, now).await;
            Ok(match read {
                Ok(()) => allowed(area),
                // Whose members these are is told once, by the visible range. Where it shows members and the
                // departments stay away, that is the directory's own.
                Err(error) if is_about_range(&error) && (area != Area::Directory || member.is_none()) => {
                    Line::skipped(area.check(), "visible_range")
                }
                Err(error) => refusal(area.check(), corp, &error, area.is_needed()),
            })
        })
        .await
    });
    join_all(looks).await
}

fn allowed(area: Area) -> Line {
    Line::ok(
        area.check(),
        said!("doctor-permission-ok", "the platform lets us read it"),
    )
}
