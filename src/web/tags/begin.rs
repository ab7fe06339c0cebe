//! Beginning a marking: who it is about, which tags, and how many that is, before it begins.

use askama::Template;
use askama::filters::Safe;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use crate::app::App;
use crate::auth::{Operator, Permission};
use crate::contacts::ContactFilter;
use crate::directory;
use crate::error::{Error, said};
use crate::ids::{SegmentId, TagId};
use crate::marking::{self, Audience, Kind, Wish};
use crate::segments::{self, browse};
use crate::tags::{self, TagGroup};
use crate::web::contacts::filter_of;
use crate::web::session::local;
use crate::web::shell::{FieldProblem, problems};
use crate::web::{Form, Query, Result, Shell, Show};

/// Who is meant: a segment, or the list of customers at an address.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Whom {
    pub segment: String,
    pub list: String,
}

impl Whom {
    /// # Errors
    /// `Invalid` for a segment or an address that does not read.
    fn audience(&self, shell: &Shell) -> Result<Audience, Error> {
        if self.segment.is_empty() {
            let filter = filter_of(local(Some(&self.list)), shell.today())?;
            return Ok(Audience::Listed(Box::new(filter)));
        }
        let wrong = |_| {
            Error::invalid(
                "/segment_id",
                said!(
                    "refused-no-segment",
                    "there is no segment `{id}` in your reach",
                    id = &self.segment
                ),
            )
        };
        self.segment
            .parse::<SegmentId>()
            .map(Audience::Segment)
            .map_err(wrong)
    }

    /// Where one comes from.
    fn back(&self) -> String {
        match self.segment.as_str() {
            "" => local(Some(&self.list)).to_owned(),
            id => format!("/segments/{id}"),
        }
    }
}

/// What the form says.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Asked {
    #[serde(flatten)]
    whom: Whom,
    #[serde(default)]
    add: String,
    #[serde(default)]
    remove: String,
}

#[derive(Template)]
#[template(path = "tags/begin.html")]
pub struct BeginPage {
    pub shell: Shell,
    pub answer: Safe<String>,
    pub whom: Whom,
    pub back: String,
    pub count: i64,
    pub tag_groups: Vec<TagGroup>,
    pub add: Option<TagId>,
    pub remove: Option<TagId>,
    pub problems: Vec<FieldProblem>,
}

/// Who is meant, in words and by number.
pub struct Meant {
    /// The segment's name; `None`: the list.
    pub name: Option<String>,
    pub count: i64,
}

impl BeginPage {
    pub fn new(shell: Shell, whom: Whom, meant: &Meant, tag_groups: Vec<TagGroup>) -> Self {
        let count = ("count", meant.count.into());
        let answer = match &meant.name {
            _ if meant.count == 0 => shell.rich("mark-new-nobody", &[]),
            Some(name) => shell.rich("mark-new-segment", &[count, ("name", name.as_str().into())]),
            None => shell.rich("mark-new-list", &[count]),
        };
        Self {
            answer,
            back: whom.back(),
            whom,
            count: meant.count,
            tag_groups,
            add: None,
            remove: None,
            problems: Vec::new(),
            shell,
        }
    }

    fn has_problem(&self, field: &str) -> bool {
        self.problems.iter().any(|problem| problem.field == field)
    }

    fn is_added(&self, tag: &TagId) -> bool {
        self.add == Some(*tag)
    }

    fn is_removed(&self, tag: &TagId) -> bool {
        self.remove == Some(*tag)
    }

    fn may_begin(&self) -> bool {
        self.count > 0 && !self.tag_groups.is_empty() && self.shell.may(Permission::ContactsWrite)
    }
}

pub async fn ask(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Query(whom): Query<Whom>,
) -> Result<Show<BeginPage>> {
    Ok(Show(page(&app, shell, &me, whom).await?))
}

async fn page(app: &App, shell: Shell, me: &Operator, whom: Whom) -> Result<BeginPage> {
    let meant = meant(app, me, &whom.audience(&shell)?).await?;
    let tag_groups = tags::groups(&app.db, &me.scope).await?;
    Ok(BeginPage::new(shell, whom, &meant, tag_groups))
}

async fn meant(app: &App, me: &Operator, audience: &Audience) -> Result<Meant, Error> {
    let listed = ContactFilter::default();
    let zone = directory::find_corp(&app.db, me.corp).await?.zone;
    let filter = match audience {
        Audience::Segment(id) => {
            let segment = segments::find(&app.db, &me.scope, *id).await?;
            let (at, now) = ("/segment_id", app.now());
            let preview = segments::checked_preview(app, &me.scope, &segment.rule, at, zone, now).await?;
            return Ok(Meant {
                name: Some(segment.name),
                count: preview.count,
            });
        }
        Audience::Listed(filter) => filter,
        Audience::Rule(_) => &listed,
    };
    Ok(Meant {
        name: None,
        count: browse::of(app, &me.scope, filter, zone).await?.count().await?,
    })
}

/// Freezes who is meant, and begins.
pub async fn begin(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Form(asked): Form<Asked>,
) -> Result<Response> {
    let (add, remove) = (chosen(&asked.add), chosen(&asked.remove));
    let wish = Wish {
        kind: Kind::Asked,
        add: add.into_iter().collect(),
        remove: remove.into_iter().collect(),
        carrying: None,
    };
    let audience = asked.whom.audience(&shell)?;
    match marking::begin(&app, &app.act(me.actor()), &me.scope, &audience, &wish).await {
        Ok(marking) => Ok(shell.go_saying(
            &format!("/tags/marks/{}", marking.id),
            "toast-mark-started",
            &[("count", marking.total.into())],
        )),
        Err(error) => {
            let problems = problems(&shell, error)?.into_iter().map(at_its_field).collect();
            let page = page(&app, shell.clone(), &me, asked.whom).await?;
            Ok(shell.refused(Show(BeginPage {
                problems,
                add,
                remove,
                ..page
            })))
        }
    }
}

/// A list of one has one field; what is wrong with who is meant has none.
fn at_its_field(problem: FieldProblem) -> FieldProblem {
    let field = match problem.field.split('-').next() {
        Some(field @ ("add" | "remove")) => field.to_owned(),
        _ => String::new(),
    };
    FieldProblem { field, ..problem }
}

/// A choice of the form; one that is none is as good as not made.
fn chosen(text: &str) -> Option<TagId> {
    text.parse().ok()
}
