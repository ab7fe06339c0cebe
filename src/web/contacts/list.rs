//! The list: everything it is narrowed by stands in the address.

use askama::Template;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::Deserialize;

use crate::app::App;
use crate::auth::{Operator, Permission};
use crate::contacts::{self, ContactFilter, ContactRow, SavedView};
use crate::directory::{self, Store};
use crate::error::{Error, said};
use crate::ids::{ContactId, TagId};
use crate::page::{Page, PageOf};
use crate::segments::browse;
use crate::tags::{self, TagGroup};
use crate::time::Day;
use crate::web::session::{encode, local};
use crate::web::shell::{FieldProblem, problems};
use crate::web::{Form, Query, Result, Shell, Show};

const ROWS: i64 = 20;

/// The filters as they stand in the address; empty ones are not there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Narrowed {
    pub q: String,
    pub tag: String,
    pub store: String,
    /// Added in so many days, today being the first.
    pub added: String,
    /// No order in so many days.
    pub quiet: String,
    /// Opened a link in so many days.
    pub clicked: String,
    pub after: String,
}

impl Narrowed {
    fn fields(&self) -> [(&'static str, &str); 6] {
        [
            ("q", &self.q),
            ("tag", &self.tag),
            ("store", &self.store),
            ("added", &self.added),
            ("quiet", &self.quiet),
            ("clicked", &self.clicked),
        ]
    }

    pub(super) fn address(&self, without: Option<&str>, after: Option<&str>) -> String {
        let kept = self
            .fields()
            .into_iter()
            .filter(|(name, value)| !value.is_empty() && Some(*name) != without);
        let pairs: Vec<String> = kept
            .chain(after.map(|after| ("after", after)))
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        match pairs.is_empty() {
            true => "/contacts".into(),
            false => format!("/contacts?{}", pairs.join("&")),
        }
    }

    /// What an address of the list says; any other address is the whole list.
    pub(super) fn of(address: &str) -> Self {
        let uri: Option<Uri> = address.parse().ok().filter(|uri: &Uri| uri.path() == "/contacts");
        let query = uri.and_then(|uri| axum_extra::extract::Query::try_from_uri(&uri).ok());
        query
            .map(|axum_extra::extract::Query(narrowed)| narrowed)
            .unwrap_or_default()
    }

    /// # Errors
    /// `Invalid` naming a value that does not read.
    pub(super) fn filter(&self, today: Day) -> Result<ContactFilter, Error> {
        let since = |name: &str, text: &str| -> Result<_, Error> {
            Ok(days(name, text)?.map(|days| today.plus(1 - days)))
        };
        Ok(ContactFilter {
            search: Some(self.q.trim().to_owned()).filter(|text| !text.is_empty()),
            tag: parsed("tag", &self.tag)?,
            store: parsed("store", &self.store)?,
            added_from: since("added", &self.added)?,
            quiet_since: since("quiet", &self.quiet)?,
            clicked_from: since("clicked", &self.clicked)?,
            ..ContactFilter::default()
        })
    }
}

/// What an address of the list narrows it by.
pub fn filter_of(address: &str, today: Day) -> Result<ContactFilter, Error> {
    Narrowed::of(address).filter(today)
}

fn parsed<T: std::str::FromStr>(name: &str, text: &str) -> Result<Option<T>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = |_| {
        Error::invalid(
            format!("/{name}"),
            said!(
                "refused-filter",
                "`{text}` is not a {name}; choose one from the list",
                text = text,
                name = name
            ),
        )
    };
    text.parse().map(Some).map_err(wrong)
}

fn days(name: &str, text: &str) -> Result<Option<i64>, Error> {
    match parsed::<i64>(name, text)? {
        Some(days) if !(1..=3_650).contains(&days) => Err(Error::invalid(
            format!("/{name}"),
            said!(
                "refused-filter-days",
                "`{days}` days is not between 1 and 3650",
                days = days
            ),
        )),
        days => Ok(days),
    }
}

/// A saved view: a name for an address.
pub struct View {
    pub label: String,
    pub count: i64,
    pub href: String,
    pub is_current: bool,
}

/// A filter in force, and the address without it.
pub struct Chip {
    pub label: String,
    pub href: String,
}

#[derive(Template)]
#[template(path = "contacts/list.html")]
pub struct ContactsPage {
    pub shell: Shell,
    pub narrowed: Narrowed,
    pub total: i64,
    pub views: Vec<View>,
    /// Filters kept under a name.
    pub saved: Vec<SavedView>,
    /// A view that was not kept, as typed.
    pub typed: super::views::Typed,
    pub page: Page<ContactRow>,
    pub tag_groups: Vec<TagGroup>,
    /// To choose from, where there are several.
    pub stores: Vec<Store>,
    pub problems: Vec<FieldProblem>,
    /// Who was to get a tag and did not: they stay ticked.
    pub chosen: Vec<ContactId>,
    pub chosen_tag: Option<TagId>,
}

fn views() -> [(&'static str, Narrowed); 4] {
    let one = |text: &str| text.to_owned();
    [
        ("view-all", Narrowed::default()),
        (
            "view-clicked",
            Narrowed {
                clicked: one("1"),
                ..Narrowed::default()
            },
        ),
        (
            "view-quiet",
            Narrowed {
                quiet: one("60"),
                ..Narrowed::default()
            },
        ),
        (
            "view-new",
            Narrowed {
                added: one("7"),
                ..Narrowed::default()
            },
        ),
    ]
}

pub async fn list(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Query(narrowed): Query<Narrowed>,
) -> Result<Show<ContactsPage>> {
    Ok(Show(page(&app, shell, &me, narrowed).await?))
}

pub(super) async fn page(app: &App, shell: Shell, me: &Operator, narrowed: Narrowed) -> Result<ContactsPage> {
    let filter = narrowed.filter(shell.today())?;
    let after = Some(narrowed.after.clone());
    let zone = shell.zone;
    let found = browse::of(app, &me.scope, &filter, zone).await?;
    let page = found.page(&PageOf::new(Some(ROWS), after)?).await?;
    let total = found.count().await?;
    let mut shown = Vec::new();
    for (name, view) in views() {
        let in_view = browse::of(app, &me.scope, &view.filter(shell.today())?, zone).await?;
        let count = in_view.count().await?;
        shown.push(ContactsPage::view(&shell, name, &view, count, &narrowed));
    }
    let tag_groups = tags::groups(&app.db, &me.scope).await?;
    let stores = directory::all_stores(&app.db, &me.scope).await?;
    Ok(ContactsPage {
        shell,
        narrowed,
        total,
        views: shown,
        saved: contacts::views(&app.db, me).await?,
        typed: super::views::Typed::default(),
        page,
        tag_groups,
        stores,
        problems: Vec::new(),
        chosen: Vec::new(),
        chosen_tag: None,
    })
}

impl ContactsPage {
    fn view(shell: &Shell, name: &str, view: &Narrowed, count: i64, now: &Narrowed) -> View {
        View {
            label: shell.t(name),
            count,
            href: view.address(None, None),
            is_current: Narrowed {
                after: String::new(),
                ..now.clone()
            } == *view,
        }
    }

    fn chips(&self) -> Vec<Chip> {
        let set = self
            .narrowed
            .fields()
            .into_iter()
            .filter(|(_, value)| !value.is_empty());
        let chip = |(name, value): (&'static str, &str)| Chip {
            label: self
                .shell
                .t1(&format!("filter-{name}"), "value", self.word(name, value)),
            href: self.narrowed.address(Some(name), None),
        };
        set.map(chip).collect()
    }

    /// A filter's value as people call it.
    fn word(&self, name: &str, value: &str) -> String {
        let tags = || self.tag_groups.iter().flat_map(|group| &group.tags);
        let found = match name {
            "tag" => tags()
                .find(|tag| tag.id.to_string() == value)
                .map(|tag| tag.name.clone()),
            "store" => {
                let store = self.stores.iter().find(|store| store.id.to_string() == value);
                store.map(|store| store.name.clone())
            }
            _ => None,
        };
        found.unwrap_or_else(|| value.to_owned())
    }

    fn next(&self) -> Option<String> {
        let next = self.page.next.as_deref()?;
        Some(self.narrowed.address(None, Some(next)))
    }

    fn first(&self) -> Option<String> {
        (!self.narrowed.after.is_empty()).then(|| self.narrowed.address(None, None))
    }

    pub(super) fn is_narrowed(&self) -> bool {
        self.narrowed.fields().iter().any(|(_, value)| !value.is_empty())
    }

    fn may_export(&self) -> bool {
        self.shell.may(Permission::ContactsExport) && self.total > 0
    }

    fn may_import(&self) -> bool {
        self.shell.may(Permission::ContactsImport)
    }

    fn may_merge(&self) -> bool {
        self.shell.may(Permission::ContactsMerge)
    }

    fn may_tag(&self) -> bool {
        self.shell.may(Permission::ContactsWrite)
            && !self.tag_groups.is_empty()
            && !self.page.items.is_empty()
    }

    fn bought(&self, row: &ContactRow) -> String {
        row.last_order_at
            .map(|at| self.shell.ago(&at))
            .unwrap_or_else(|| crate::web::format::NONE.into())
    }

    /// The remark, as colleagues know the person, else the name.
    fn known_as<'a>(&self, row: &'a ContactRow) -> &'a str {
        if row.remark.is_empty() {
            &row.name
        } else {
            &row.remark
        }
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.narrowed
            .fields()
            .iter()
            .any(|(field, set)| *field == name && *set == value)
    }

    fn is_chosen(&self, id: &ContactId) -> bool {
        self.chosen.contains(id)
    }

    fn is_chosen_tag(&self, id: &TagId) -> bool {
        self.chosen_tag == Some(*id)
    }

    fn is_id(&self, name: &str, id: &impl std::fmt::Display) -> bool {
        self.is(name, &id.to_string())
    }
}

#[derive(Deserialize)]
pub struct Tagging {
    #[serde(default)]
    id: Vec<ContactId>,
    tag: TagId,
    return_to: Option<String>,
}

/// Puts one tag on the chosen customers.
pub async fn tag(app: State<App>, shell: Shell, me: Operator, Form(form): Form<Tagging>) -> Result<Response> {
    let back = local(form.return_to.as_deref());
    if form.id.is_empty() {
        return Ok(shell.go_saying(back, "toast-none-chosen", &[]));
    }
    let act = app.act(me.actor());
    let (failed, problems) = match tags::mark(&app, &act, &me.scope, &form.id, &[form.tag], &[]).await {
        Ok(marked) => {
            let is_done = |one: &&tags::Marked| matches!(one.result.as_str(), "marked" | "unchanged");
            let done = marked.iter().filter(is_done).count();
            if done == marked.len() {
                return Ok(shell.go_saying(back, "toast-tagged", &[("count", done.into())]));
            }
            let failed = marked
                .iter()
                .filter(|one| !is_done(one))
                .map(|one| one.contact_id);
            (
                failed.collect(),
                vec![untagged(&shell, done, marked.len() - done)],
            )
        }
        Err(error) => (form.id.clone(), problems(&shell, error)?),
    };
    let narrowed = Narrowed::of(back);
    let shell = Shell {
        address: narrowed.address(
            None,
            Some(narrowed.after.as_str()).filter(|after| !after.is_empty()),
        ),
        ..shell
    };
    let mut page = page(&app, shell.clone(), &me, narrowed).await?;
    page.problems = problems;
    page.chosen = failed;
    page.chosen_tag = Some(form.tag);
    Ok(shell.refused(Show(page)))
}

fn untagged(shell: &Shell, done: usize, failed: usize) -> FieldProblem {
    FieldProblem {
        field: String::new(),
        message: match done {
            0 => shell.t("undone-tags"),
            _ => shell.t2("undone-tags-partly", "count", done, "failed", failed),
        },
    }
}

impl ContactsPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let page = |narrowed: Narrowed, rows: Vec<ContactRow>, total: i64| {
            let shell = Shell {
                address: narrowed.address(None, None),
                ..shell.clone()
            };
            let counts = [428, 11, 87, 9];
            let counted = views().into_iter().zip(counts);
            let view = |((name, view), count): ((&str, Narrowed), i64)| {
                Self::view(&shell, name, &view, if total == 0 { 0 } else { count }, &narrowed)
            };
            let next = (total > rows.len() as i64).then(|| "WzFd".to_owned());
            Self {
                views: counted.map(view).collect(),
                saved: super::views::samples(),
                typed: super::views::Typed::default(),
                narrowed,
                total,
                page: Page { items: rows, next },
                tag_groups: super::samples::tag_groups(),
                stores: vec![],
                problems: Vec::new(),
                chosen: Vec::new(),
                chosen_tag: None,
                shell,
            }
        };
        let filtered = Narrowed {
            q: "王".into(),
            tag: "901".into(),
            quiet: "60".into(),
            ..Narrowed::default()
        };
        let rows = super::samples::rows();
        let many: Vec<_> = rows.iter().cycle().take(20).cloned().collect();
        let mut undone = page(Narrowed::default(), rows.clone(), 428);
        undone.chosen = rows.iter().take(2).map(|row| row.id).collect();
        undone.problems = vec![FieldProblem {
            field: String::new(),
            message: shell.t2("undone-tags-partly", "count", 1i64, "failed", 2i64),
        }];
        let mut unnamed = page(filtered.clone(), rows.clone(), 6);
        unnamed.problems = vec![FieldProblem {
            field: "name".into(),
            message: "名称要 1 到 20 个字".into(),
        }];
        vec![
            ("typical", page(Narrowed::default(), rows, 428)),
            ("unnamed", unnamed),
            ("empty", page(Narrowed::default(), vec![], 0)),
            ("nothing", page(filtered.clone(), vec![], 0)),
            ("crowded", page(filtered, many, 3_282)),
            ("undone", undone),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_read_and_write_the_same_address() {
        let narrowed = Narrowed {
            q: "王 莉".into(),
            quiet: "60".into(),
            ..Narrowed::default()
        };
        assert_eq!(
            narrowed.address(None, None),
            "/contacts?q=%E7%8E%8B%20%E8%8E%89&quiet=60"
        );
        assert_eq!(
            narrowed.address(Some("q"), Some("abc")),
            "/contacts?quiet=60&after=abc"
        );
        let filter = narrowed.filter(Day::parse("2026-11-23").unwrap()).unwrap();
        assert_eq!(filter.quiet_since, Day::parse("2026-09-25"));
    }

    #[test]
    fn values_that_do_not_read_are_named() {
        let today = Day::parse("2026-11-23").unwrap();
        for narrowed in [
            Narrowed {
                tag: "x".into(),
                ..Narrowed::default()
            },
            Narrowed {
                quiet: "0".into(),
                ..Narrowed::default()
            },
            Narrowed {
                added: "99999".into(),
                ..Narrowed::default()
            },
        ] {
            assert!(narrowed.filter(today).is_err(), "{narrowed:?}");
        }
    }
}
