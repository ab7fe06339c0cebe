//! Where one can go, by role: five tabs on a phone, groups beside the page on a desktop.

use super::Shell;
use crate::auth::{Permission, Role};

/// A place of the navigation, ready to show.
pub struct Place {
    pub href: &'static str,
    pub icon: &'static str,
    pub label: String,
    /// The label under a tab.
    pub short: String,
    pub is_current: bool,
    /// Things that wait there.
    pub waiting: i64,
}

pub struct Group {
    pub label: String,
    pub places: Vec<Place>,
}

/// Address, icon, name of the texts (`nav-…`, `tab-…`), and what it takes to go there.
type Line = (&'static str, &'static str, &'static str, Permission);

const TODAY: Line = ("/", "today", "today", Permission::OwnResults);
const REPORT: Line = ("/", "chart", "report", Permission::ReportsRead);
const OVERVIEW: Line = ("/overview", "chart", "overview", Permission::OverviewRead);
const CONTACTS: Line = ("/contacts", "people", "contacts", Permission::ContactsRead);
const FOLLOW_UPS: Line = ("/follow-ups", "clock", "follow-ups", Permission::ContactsRead);
const SEGMENTS: Line = ("/segments", "segments", "segments", Permission::SegmentsRead);
const TAGS: Line = ("/tags", "filter", "tags", Permission::TagsWrite);
const CAMPAIGNS: Line = ("/campaigns", "send", "campaigns", Permission::CampaignsRead);
const MOMENTS: Line = ("/moments", "moments", "moments", Permission::MomentsRead);
const LINKS: Line = ("/links", "link", "links", Permission::LinksRead);
const PLATFORM: Line = ("/admin/platform", "settings", "platform", Permission::Administer);
const STORES: Line = ("/admin/stores", "store", "stores", Permission::Administer);
const ME: Line = ("/me", "person", "me", Permission::OwnResults);

type Groups = &'static [(&'static str, &'static [Line])];

fn groups(role: Role) -> Groups {
    match role {
        Role::Associate => &[
            ("work", &[TODAY, CONTACTS, FOLLOW_UPS, MOMENTS, LINKS]),
            ("mine", &[ME]),
        ],
        Role::Manager => &[
            (
                "store",
                &[REPORT, CONTACTS, FOLLOW_UPS, CAMPAIGNS, MOMENTS, LINKS],
            ),
            ("mine", &[ME]),
        ],
        Role::Regional => &[
            ("look", &[OVERVIEW, CONTACTS, CAMPAIGNS, MOMENTS, LINKS]),
            ("mine", &[ME]),
        ],
        Role::Marketer => &[
            ("look", &[OVERVIEW]),
            ("reach", &[CAMPAIGNS, SEGMENTS, TAGS, MOMENTS, LINKS, CONTACTS]),
            ("mine", &[ME]),
        ],
        Role::Admin => &[
            ("look", &[OVERVIEW]),
            ("reach", &[CAMPAIGNS, SEGMENTS, TAGS, MOMENTS, LINKS, CONTACTS]),
            ("run", &[PLATFORM, STORES]),
            ("mine", &[ME]),
        ],
    }
}

fn tabs(role: Role) -> &'static [Line] {
    match role {
        Role::Associate => &[TODAY, CONTACTS, MOMENTS, LINKS, ME],
        Role::Manager => &[REPORT, CONTACTS, CAMPAIGNS, MOMENTS, ME],
        Role::Regional => &[OVERVIEW, CONTACTS, CAMPAIGNS, MOMENTS, ME],
        Role::Marketer => &[OVERVIEW, CAMPAIGNS, SEGMENTS, MOMENTS, ME],
        Role::Admin => &[OVERVIEW, CAMPAIGNS, SEGMENTS, PLATFORM, ME],
    }
}

impl Shell {
    pub fn side(&self) -> Vec<Group> {
        let Some(me) = &self.me else { return Vec::new() };
        let group = |(name, lines): &(&str, &[Line])| Group {
            label: self.t(&format!("nav-group-{name}")),
            places: self.places(lines),
        };
        groups(me.role).iter().map(group).collect()
    }

    pub fn tabs(&self) -> Vec<Place> {
        self.me
            .as_ref()
            .map(|me| self.places(tabs(me.role)))
            .unwrap_or_default()
    }

    fn places(&self, lines: &[Line]) -> Vec<Place> {
        let may = |line: &&Line| self.me.as_ref().is_some_and(|me| me.may(line.3));
        let place = |(href, icon, name, _): &Line| Place {
            href,
            icon,
            label: self.t(&format!("nav-{name}")),
            short: self.t(&format!("tab-{name}")),
            is_current: self.is_at(href),
            waiting: if *name == "today" { self.waiting } else { 0 },
        };
        lines.iter().filter(may).map(place).collect()
    }

    /// Store reports belong to the first place; other addresses to the one they begin with.
    fn is_at(&self, href: &str) -> bool {
        let path = self.path();
        match href {
            "/" => path == "/" || path.starts_with("/stores"),
            _ => path == href || path.strip_prefix(href).is_some_and(|rest| rest.starts_with('/')),
        }
    }
}
