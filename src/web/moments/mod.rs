//! Posts to the customers' feed: what waits to be published, what was, and for headquarters a new one.

mod samples;

pub use samples::sample_row;

use askama::Template;
use askama::filters::Safe;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::app::App;
use crate::auth::{Operator, Permission, Policy};
use crate::directory::{self, Store};
use crate::error::{Error, said};
use crate::ids::{MomentId, StoreId, TagId};
use crate::links::LinkTarget;
use crate::links::content::{Attachment, Content};
use crate::moments::{self, MomentRow, MomentTask, NewMoment, Senders};
use crate::page::{Page, PageOf};
use crate::routes::Routes;
use crate::segments::Rule;
use crate::tags::{self, TagGroup};
use crate::web::shell::{FieldProblem, problems};
use crate::web::{Form, Path, Query, Result, Shell, Show, session};

const ROWS: i64 = 20;

pub fn routes() -> Routes<App> {
    let read = Policy::Can(Permission::MomentsRead);
    let write = Policy::Can(Permission::MomentsWrite);
    Routes::new(session::guard)
        .get("/moments", read, list)
        .post("/moments", write, create)
        .get("/moments/new", write, new)
        .get("/moments/{id}", read, show)
        .post("/moments/{id}/cancellation", write, cancel)
}

/// Whether a post of an associate's list still waits to be published.
pub fn waits(row: &MomentRow) -> bool {
    matches!(row.state.as_str(), "planned" | "creating" | "published") && row.published < row.assigned
}

#[derive(Template)]
#[template(path = "moments/list.html")]
pub struct MomentsPage {
    pub shell: Shell,
    pub page: Page<MomentRow>,
}

#[derive(Deserialize)]
struct After {
    after: Option<String>,
}

async fn list(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Query(query): Query<After>,
) -> Result<Show<MomentsPage>> {
    let page = PageOf::new(Some(ROWS), query.after)?;
    let page = moments::list(&app.db, &me.scope, &page).await?;
    Ok(Show(MomentsPage { shell, page }))
}

impl MomentsPage {
    fn waiting(&self) -> Vec<&MomentRow> {
        let mine = self.shell.is_associate();
        self.page.items.iter().filter(|row| mine && waits(row)).collect()
    }

    fn others(&self) -> Vec<&MomentRow> {
        let mine = self.shell.is_associate();
        self.page
            .items
            .iter()
            .filter(|row| !(mine && waits(row)))
            .collect()
    }

    fn answer(&self) -> Safe<String> {
        if self.shell.is_associate() {
            return match self.waiting().len() {
                0 if self.page.items.is_empty() => self.shell.rich("moments-none", &[]),
                0 => self.shell.rich("moments-all-posted", &[]),
                waiting => self.shell.rich("moments-waiting", &[("count", waiting.into())]),
            };
        }
        let Some(last) = self.page.items.first() else {
            return self.shell.rich("moments-none", &[]);
        };
        let args = [
            ("published", last.published.into()),
            ("assigned", last.assigned.into()),
        ];
        self.shell.rich("moments-last", &args)
    }

    fn state(&self, row: &MomentRow) -> String {
        state(&self.shell, row)
    }

    fn percent(&self, row: &MomentRow) -> i64 {
        percent(row)
    }

    fn may_write(&self) -> bool {
        self.shell.may(Permission::MomentsWrite)
    }
}

fn state(shell: &Shell, row: &MomentRow) -> String {
    // To an associate their own part is the post: it is out, whoever else is still to publish it.
    if shell.is_associate() && row.state == "published" && !waits(row) {
        return shell.t("moment-task-published");
    }
    let known = ["planned", "creating", "published", "failed", "cancelled"];
    let state = known
        .into_iter()
        .find(|state| *state == row.state)
        .unwrap_or("planned");
    shell.t(&format!("moment-{state}"))
}

/// A share of 100 for a bar; nothing assigned is nothing done.
fn percent(row: &MomentRow) -> i64 {
    (row.published * 100 / row.assigned.max(1)).clamp(0, 100)
}

#[derive(Template)]
#[template(path = "moments/show.html")]
pub struct MomentPage {
    pub shell: Shell,
    pub moment: MomentRow,
    pub tasks: Vec<MomentTask>,
}

async fn show(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<MomentId>,
) -> Result<Show<MomentPage>> {
    let moment = moments::find(&app.db, &me.scope, id).await?;
    let tasks = moments::tasks(&app.db, &me.scope, id).await?;
    Ok(Show(MomentPage { shell, moment, tasks }))
}

impl MomentPage {
    fn answer(&self) -> Safe<String> {
        let published = ("published", self.moment.published.into());
        match (self.shell.is_associate(), waits(&self.moment)) {
            (true, true) => self.shell.rich("moment-post-it", &[]),
            (true, false) => self
                .shell
                .rich("moment-posted", &[("visible", self.moment.visible.into())]),
            (false, _) => self.shell.rich(
                "moments-last",
                &[published, ("assigned", self.moment.assigned.into())],
            ),
        }
    }

    fn waits(&self) -> bool {
        self.shell.is_associate() && waits(&self.moment)
    }

    fn state(&self, row: &MomentRow) -> String {
        state(&self.shell, row)
    }

    fn percent(&self, row: &MomentRow) -> i64 {
        percent(row)
    }

    fn task_state(&self, task: &MomentTask) -> String {
        let known = ["planned", "tasked", "published", "failed", "cancelled"];
        let state = known
            .into_iter()
            .find(|state| *state == task.state)
            .unwrap_or("planned");
        self.shell.t(&format!("moment-task-{state}"))
    }

    /// The title of the tracked link, where the post carries one.
    fn link_title(&self) -> Option<&str> {
        self.moment
            .content
            .attachments
            .iter()
            .find_map(|attachment| match attachment {
                Attachment::StoreLink { title, .. } | Attachment::Link { title, .. } => Some(title.as_str()),
                Attachment::Image { .. } => None,
            })
    }

    fn may_cancel(&self) -> bool {
        let is_open = matches!(self.moment.state.as_str(), "planned" | "creating" | "published");
        is_open && self.moment.published < self.moment.assigned && self.shell.may(Permission::MomentsWrite)
    }
}

/// A post as typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Draft {
    pub text: String,
    pub link_title: String,
    pub link_url: String,
    /// Empty: everyone.
    pub store: Vec<StoreId>,
    /// Empty: all customers see it.
    pub tag: Vec<TagId>,
    pub send_at: String,
}

impl Draft {
    /// # Errors
    /// `Invalid` for a link with only one of title and address.
    fn read(self) -> Result<NewMoment, Error> {
        let (title, url) = (self.link_title.trim(), self.link_url.trim());
        let attachments = match (title.is_empty(), url.is_empty()) {
            (true, true) => Vec::new(),
            (false, false) => vec![Attachment::StoreLink {
                title: title.into(),
                target: LinkTarget::Web { url: url.into() },
                description: None,
                picture_url: None,
            }],
            (true, false) => {
                return Err(Error::invalid(
                    "/link_title",
                    said!("moment-form-no-title", "the link has an address and no title"),
                ));
            }
            (false, true) => {
                return Err(Error::invalid(
                    "/link_url",
                    said!("moment-form-no-url", "the link has a title and no address"),
                ));
            }
        };
        let tags: Vec<Rule> = self.tag.into_iter().map(Rule::Tag).collect();
        Ok(NewMoment {
            content: Content {
                text: self.text.trim().into(),
                attachments,
            },
            audience: (!tags.is_empty()).then_some(Rule::Any(tags)),
            senders: match self.store.is_empty() {
                true => Senders::Everyone,
                false => Senders::Stores(self.store),
            },
            send_at: Some(self.send_at).filter(|at| !at.is_empty()),
        })
    }
}

#[derive(Template)]
#[template(path = "moments/form.html")]
pub struct MomentForm {
    pub shell: Shell,
    pub draft: Draft,
    pub stores: Vec<Store>,
    pub tag_groups: Vec<TagGroup>,
    pub problems: Vec<FieldProblem>,
}

async fn new(app: State<App>, shell: Shell, me: Operator) -> Result<Show<MomentForm>> {
    Ok(Show(form(&app, shell, &me, Draft::default(), Vec::new()).await?))
}

async fn form(
    app: &App,
    shell: Shell,
    me: &Operator,
    draft: Draft,
    problems: Vec<FieldProblem>,
) -> Result<MomentForm> {
    let stores = directory::all_stores(&app.db, &me.scope).await?;
    let tag_groups = tags::groups(&app.db, &me.scope).await?;
    Ok(MomentForm {
        shell,
        draft,
        stores,
        tag_groups,
        problems,
    })
}

impl MomentForm {
    fn problem(&self, field: &str) -> Option<&str> {
        let found = self.problems.iter().find(|problem| problem.field == field);
        found.map(|problem| problem.message.as_str())
    }
}

async fn create(app: State<App>, shell: Shell, me: Operator, Form(draft): Form<Draft>) -> Result<Response> {
    let act = app.act(me.actor());
    let created = match draft.clone().read() {
        Ok(new) => moments::create(&app, &act, &me.scope, new).await,
        Err(error) => Err(error),
    };
    match created {
        Ok(id) => Ok(shell.go_saying(&format!("/moments/{id}"), "toast-moment-planned", &[])),
        Err(error) => {
            let problems = problems(&shell, error)?.into_iter().map(on_this_form).collect();
            let page = form(&app, shell.clone(), &me, draft, problems).await?;
            Ok(shell.refused(Show(page)).into_response())
        }
    }
}

/// The verb names places in the content; the form has flat fields.
fn on_this_form(problem: FieldProblem) -> FieldProblem {
    let field = match problem.field.as_str() {
        field if field.contains("attachments") && field.contains("title") => "link_title",
        field if field.contains("attachments") => "link_url",
        field if field.contains("text") => "text",
        field if field.contains("senders") || field.contains("store") => "senders",
        field if field.contains("audience") => "audience",
        "link_title" => "link_title",
        "link_url" => "link_url",
        "send_at" => "send_at",
        "" => "",
        _ => "text",
    };
    FieldProblem {
        field: field.into(),
        ..problem
    }
}

#[derive(Deserialize)]
struct Empty {}

async fn cancel(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<MomentId>,
    _: Form<Empty>,
) -> Result<Response> {
    moments::cancel(&app, &app.act(me.actor()), &me.scope, id).await?;
    Ok(shell.go_saying(&format!("/moments/{id}"), "toast-moment-cancelled", &[]))
}
