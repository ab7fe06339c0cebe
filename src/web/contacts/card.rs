//! One customer: what just happened and what to mind, tags, facts, notes, timeline.

use askama::Template;
use askama::filters::Safe;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::care::{Nothing, TypedFollowUp};
use super::channel;
use super::origin::{OriginLine, Origins};
use super::standing;
use super::story;
use crate::app::App;
use crate::auth::{Operator, Permission};
use crate::care::{self, FollowUp, FollowUpFilter};
use crate::contacts::{self, ContactCard, ContactField, FollowRow, TagName};
use crate::directory::{self, Store};
use crate::error::Error;
use crate::groups::{self, GroupOfContact, GroupsOfContact};
use crate::ids::{ContactId, TagId};
use crate::money::Fen;
use crate::page::{Page, PageOf};
use crate::tags::{self, TagGroup};
use crate::timeline::{self, Recorded};
use crate::web::shell::{FieldProblem, problems};
use crate::web::{Form, Path, Query, Result, Shell, Show, figures, format};

const ENTRIES: i64 = 20;
/// Those due first; the rest are on a page of their own.
const FOLLOW_UPS: i64 = 5;

#[derive(Template)]
#[template(path = "contacts/show.html")]
pub struct ContactPage {
    pub shell: Shell,
    pub card: ContactCard,
    /// Customer groups they are in now.
    pub groups: GroupsOfContact,
    pub timeline: Page<Recorded>,
    /// Open ones.
    pub follow_ups: Vec<FollowUp>,
    pub shown: standing::Shown,
    /// The number, for this once.
    pub phone: Option<String>,
    /// Further back in the timeline: the answer above is left out.
    pub is_older: bool,
    pub tag_groups: Vec<TagGroup>,
    /// Fields of the chain's own there are.
    pub fields: Vec<ContactField>,
    /// Who or what set each tag.
    pub origins: Origins,
    /// By whose codes a channel is known.
    pub stores: Vec<Store>,
    pub problems: Vec<FieldProblem>,
    pub typed: Typed,
}

/// What was typed and not done, so that nobody types it twice.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    pub note: String,
    pub remark: Option<Remark>,
    pub follow_up: TypedFollowUp,
    /// Own fields, by their names in the form.
    pub fields: Vec<(String, String)>,
    /// The tag that was to be put on.
    pub tag: Option<TagId>,
}

#[derive(Deserialize)]
pub struct Since {
    after: Option<String>,
}

pub async fn show(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<ContactId>,
    Query(since): Query<Since>,
) -> Result<Response> {
    // Somebody kept the address of a customer who was merged since.
    if let Some(kept) = contacts::kept_of(&app.db, me.corp, id).await? {
        contacts::find(&app.db, &me.scope, kept).await?;
        return Ok(shell.go(&format!("/contacts/{kept}")));
    }
    Ok(Show(page(&app, shell, &me, id, since.after).await?).into_response())
}

async fn page(
    app: &App,
    shell: Shell,
    me: &Operator,
    id: ContactId,
    after: Option<String>,
) -> Result<ContactPage> {
    let is_older = after.is_some();
    let card = contacts::find(&app.db, &me.scope, id).await?;
    let page = PageOf::new(Some(ENTRIES), after)?;
    let timeline = timeline::of_contact(&app.db, &me.scope, id, &page).await?;
    let open = FollowUpFilter {
        contact: Some(id),
        ..FollowUpFilter::default()
    };
    let follow_ups = care::list(&app.db, &me.scope, &open, &PageOf::first(FOLLOW_UPS))
        .await?
        .items;
    let groups = groups::of_contact(&app.db, &me.scope, id).await?;
    let tag_groups = tags::groups(&app.db, &me.scope).await?;
    let fields = contacts::fields(&app.db, me.corp).await?;
    let origins = Origins::of(app, &me.scope, id).await?;
    let stores = directory::all_stores(&app.db, &me.scope).await?;
    Ok(ContactPage {
        card,
        groups,
        timeline,
        follow_ups,
        shown: standing::shown(app, &shell, me, id).await?,
        phone: None,
        is_older,
        tag_groups,
        fields,
        origins,
        stores,
        problems: Vec::new(),
        typed: Typed::default(),
        shell,
    })
}

impl ContactPage {
    fn answer(&self) -> Safe<String> {
        story::answer(&self.shell, &self.card, &self.timeline.items)
    }

    fn mind(&self) -> Option<&str> {
        story::last_note(&self.timeline.items)
    }

    pub(super) fn live(&self) -> Vec<&FollowRow> {
        self.card
            .follows
            .iter()
            .filter(|follow| follow.state == "active")
            .collect()
    }

    /// The caller's own relationship, whose remark they may write.
    fn mine(&self) -> Option<&FollowRow> {
        let associate = self.shell.me.as_ref()?.associate?;
        self.live()
            .into_iter()
            .find(|follow| follow.associate_id == associate)
    }

    pub(super) fn has_problem(&self, field: &str) -> bool {
        self.problems.iter().any(|problem| problem.field == field)
    }

    /// The remark's form: as typed, else as it is.
    fn remarked(&self, follow: &FollowRow) -> Remark {
        self.typed.remark.clone().unwrap_or_else(|| Remark {
            remark: follow.remark.clone(),
            description: follow.description.clone(),
        })
    }

    fn is_chosen(&self, tag: &TagId) -> bool {
        self.typed.tag == Some(*tag)
    }

    /// What to call the person: the caller's remark, else the name.
    fn known_as(&self) -> &str {
        match self.mine() {
            Some(follow) if !follow.remark.is_empty() => &follow.remark,
            _ => &self.card.name,
        }
    }

    /// Tags of the live relationships, each once.
    fn tags(&self) -> Vec<&TagName> {
        let mut tags: Vec<&TagName> = self.live().into_iter().flat_map(|follow| &follow.tags).collect();
        tags.sort_by_key(|tag| tag.id);
        tags.dedup_by_key(|tag| tag.id);
        tags
    }

    /// The number as a phone takes it.
    fn dialled(&self) -> String {
        self.phone.as_deref().unwrap_or_default().replace(' ', "")
    }

    fn may_show_phone(&self) -> bool {
        self.shell.may(Permission::ContactsPhone) && self.card.phone_last4.is_some()
    }

    fn origins(&self) -> Vec<OriginLine> {
        self.origins.lines(&self.tags(), &self.shell)
    }

    fn may_write(&self) -> bool {
        self.shell.may(Permission::ContactsWrite) && !self.live().is_empty()
    }

    /// Average order value.
    fn average(&self) -> String {
        match self.card.orders_365 {
            0 => format::NONE.into(),
            orders => figures::yuan(Fen(self.card.spent_365_fen.0 / orders)),
        }
    }

    /// Many groups are never named; people see the members' names then.
    fn called(&self, group: &GroupOfContact) -> String {
        match group.name.as_str() {
            "" => self.shell.t("contact-group-nameless"),
            name => name.to_owned(),
        }
    }

    fn way(&self, follow: &FollowRow) -> String {
        channel::added(&self.shell, follow.add_way, &follow.channel, &self.stores)
    }

    fn older(&self) -> Option<String> {
        let next = self.timeline.next.as_deref()?;
        Some(format!(
            "/contacts/{}?after={}",
            self.card.id,
            self.shell.encode(next)
        ))
    }
}

/// Shows the phone number, on this answer and no other.
pub async fn phone(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<ContactId>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    match contacts::show_phone(&app, &app.act(me.actor()), &me.scope, id).await {
        Ok(number) => {
            let shell = Shell {
                address: format!("/contacts/{id}"),
                ..shell
            };
            let mut page = page(&app, shell, &me, id, None).await?;
            page.phone = Some(contacts::spaced(&number));
            Ok(Show(page).into_response())
        }
        Err(error) => refused(&app, shell, &me, id, error, Typed::default()).await,
    }
}

#[derive(Deserialize)]
pub struct Note {
    text: String,
}

/// Keeps a sentence about the customer. One that is refused comes back as typed.
pub async fn note(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<ContactId>,
    Form(form): Form<Note>,
) -> Result<Response> {
    let act = app.act(me.actor());
    match contacts::note(&app, &act, &me.scope, id, form.text.trim()).await {
        Ok(_) => Ok(shell.go_saying(&format!("/contacts/{id}"), "toast-noted", &[])),
        Err(error) => {
            let typed = Typed {
                note: form.text,
                ..Typed::default()
            };
            refused(&app, shell, &me, id, error, typed).await
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Remark {
    pub remark: String,
    pub description: String,
}

/// Names the customer as the associate knows them, in the platform's app too.
pub async fn remark(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<ContactId>,
    Form(form): Form<Remark>,
) -> Result<Response> {
    let act = app.act(me.actor());
    let (remark, description) = (form.remark.trim(), form.description.trim());
    match contacts::remark(&app, &act, &me.scope, id, Some(remark), Some(description)).await {
        Ok(()) => Ok(shell.go_saying(&format!("/contacts/{id}"), "toast-remarked", &[])),
        Err(error) => {
            let typed = Typed {
                remark: Some(form),
                ..Typed::default()
            };
            refused(&app, shell, &me, id, error, typed).await
        }
    }
}

pub(super) async fn refused(
    app: &App,
    shell: Shell,
    me: &Operator,
    id: ContactId,
    error: Error,
    typed: Typed,
) -> Result<Response> {
    let problems = problems(&shell, error)?;
    again(app, shell, me, id, problems, typed).await
}

/// The page with what was not done.
async fn again(
    app: &App,
    shell: Shell,
    me: &Operator,
    id: ContactId,
    problems: Vec<FieldProblem>,
    typed: Typed,
) -> Result<Response> {
    let shell = Shell {
        address: format!("/contacts/{id}"),
        ..shell
    };
    let mut page = page(app, shell.clone(), me, id, None).await?;
    page.problems = problems;
    page.typed = typed;
    Ok(shell.refused(Show(page)).into_response())
}

#[derive(Deserialize)]
pub struct Tagging {
    #[serde(default)]
    add: Vec<TagId>,
    #[serde(default)]
    remove: Vec<TagId>,
}

pub async fn tag(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<ContactId>,
    Form(form): Form<Tagging>,
) -> Result<Response> {
    let act = app.act(me.actor());
    let typed = Typed {
        tag: form.add.first().copied(),
        ..Typed::default()
    };
    let marked = match tags::mark(&app, &act, &me.scope, &[id], &form.add, &form.remove).await {
        Ok(marked) => marked,
        Err(error) => return refused(&app, shell, &me, id, error, typed).await,
    };
    let is_done = marked
        .iter()
        .all(|one| matches!(one.result.as_str(), "marked" | "unchanged"));
    if is_done {
        return Ok(shell.go_saying(&format!("/contacts/{id}"), "toast-tags-changed", &[]));
    }
    let whole = FieldProblem {
        field: String::new(),
        message: shell.t("undone-tags"),
    };
    again(&app, shell, &me, id, vec![whole], typed).await
}
