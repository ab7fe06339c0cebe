//! An associate's day: what to send first, what comes next, how the week goes, whom to greet.

mod samples;

pub use samples::{no_week as sample_empty_week, week as sample_week};

use askama::Template;
use askama::filters::Safe;
use axum::extract::State;

use crate::app::App;
use crate::auth::{Operator, Permission, Policy};
use crate::campaigns::{self, Delivery, WaitingBatch};
use crate::care::{self, FollowUp, FollowUpFilter};
use crate::error::Error;
use crate::ids::{AssociateId, BatchId};
use crate::metrics::{self, Greeting, Lang, OwnResults};
use crate::moments::{self, MomentRow};
use crate::money::Fen;
use crate::page::{Page, PageOf};
use crate::routes::Routes;
use crate::time::{DAY_MS, Timestamp};
use crate::web::care::{Line, lines};
use crate::web::charts::{Spark, Tone};
use crate::web::span::SpanQuery;
use crate::web::{Path, Result, Shell, Show, figures, session};

/// People shown on the page of a task; the rest are counted.
const PEOPLE_SHOWN: i64 = 200;
const GREETINGS: i64 = 5;
/// Follow-ups on the page; the rest are counted.
const DUE_SHOWN: i64 = 8;
/// Finished tasks stay on their own page this long.
const DONE_FOR_DAYS: i64 = 30;

pub fn routes() -> Routes<App> {
    Routes::new(session::guard).get("/tasks/{id}", Policy::Can(Permission::OwnResults), task)
}

#[derive(Template)]
#[template(path = "workbench/today.html")]
pub struct WorkbenchPage {
    pub shell: Shell,
    pub waiting: Vec<WaitingBatch>,
    pub done: Vec<WaitingBatch>,
    /// Posts that wait to be published.
    pub moments: Vec<MomentRow>,
    pub week: OwnResults,
    pub greetings: Vec<Greeting>,
    /// Follow-ups due today or before, the first of them, and how many there are.
    pub due: Vec<FollowUp>,
    pub due_count: i64,
}

/// Today's page of an associate.
pub async fn today(app: &App, mut shell: Shell, me: &Operator) -> Result<Show<WorkbenchPage>> {
    let associate = own(me)?;
    let today = shell.today();
    let batches = campaigns::batches_of(&app.db, &me.scope, associate, today.start(me.zone)).await?;
    let (done, waiting): (Vec<_>, Vec<_>) = batches
        .into_iter()
        .partition(|batch| batch.confirmed_at.is_some());
    let moments = moments::list(&app.db, &me.scope, &PageOf::first(20)).await?.items;
    let moments: Vec<_> = moments.into_iter().filter(crate::web::moments::waits).collect();
    let span = SpanQuery::default().read(today)?.span;
    let week = metrics::own_results(&app.db, &me.scope, associate, span).await?;
    let greetings = metrics::greetings(&app.db, &me.scope, associate, today, GREETINGS).await?;
    let of_today = FollowUpFilter {
        due_by: Some(today),
        ..FollowUpFilter::default()
    };
    let due = care::list(&app.db, &me.scope, &of_today, &PageOf::first(DUE_SHOWN))
        .await?
        .items;
    let due_count = care::count_due(&app.db, &me.scope, today).await?;
    shell.waiting = (waiting.len() + moments.len()) as i64 + due_count;
    Ok(Show(WorkbenchPage {
        shell,
        waiting,
        done,
        moments,
        week,
        greetings,
        due,
        due_count,
    }))
}

fn own(me: &Operator) -> Result<AssociateId> {
    me.associate
        .ok_or_else(|| Error::Forbidden("this page is an associate's".into()).into())
}

impl WorkbenchPage {
    /// The sentence that says what to do first.
    fn answer(&self) -> Safe<String> {
        let name = self
            .shell
            .me
            .as_ref()
            .map(|me| call_name(&me.name))
            .unwrap_or_default();
        let name = ("name", name.into());
        match (self.waiting.first(), self.moments.first(), self.done.is_empty()) {
            (Some(batch), _, _) => {
                let task = ("task", batch.campaign_name.as_str().into());
                self.shell
                    .rich("desk-send-first", &[name, task, ("count", batch.contacts.into())])
            }
            (None, Some(_), _) => self.shell.rich("desk-post-first", &[name]),
            (None, None, _) if self.due_count > 0 => {
                let first = self.due.first().map_or("", |due| due.contact_name.as_str());
                let first = ("contact", first.into());
                self.shell.rich(
                    "desk-care-first",
                    &[name, first, ("count", self.due_count.into())],
                )
            }
            (None, None, false) => self.shell.rich("desk-all-done", &[name]),
            (None, None, true) => self.shell.rich("desk-nothing", &[name]),
        }
    }

    fn care(&self) -> Vec<Line> {
        lines(&self.shell, &self.due)
    }

    fn more_due(&self) -> i64 {
        self.due_count - self.due.len() as i64
    }

    fn total(&self) -> usize {
        self.waiting.len() + self.moments.len() + self.done.len()
    }

    fn done_percent(&self) -> usize {
        self.done.len() * 100 / self.total().max(1)
    }

    fn next(&self) -> &[WaitingBatch] {
        self.waiting.get(1..).unwrap_or_default()
    }

    fn sales(&self) -> Fen {
        Fen(self.week.net_sales.numerator.unwrap_or(0))
    }

    fn sales_parts(&self) -> (String, &'static str) {
        figures::headline(self.sales(), self.shell.lang)
    }

    /// Colour and words of the change against last week, where there is one.
    fn change(&self) -> Option<(&'static str, String)> {
        let change = self.week.net_sales.change()?;
        Some((Tone::of(change).class(), figures::change(change)))
    }

    fn spark(&self) -> Spark {
        let sums = |days: &[metrics::DayRow]| days.iter().map(|day| day.net_sales_fen.0).collect::<Vec<_>>();
        let title = self.shell.t("desk-week-spark");
        Spark::of_counts(title, &sums(&self.week.days), &sums(&self.week.previous_days))
    }

    fn greeting(&self, greeting: &Greeting) -> String {
        let number = ("number", greeting.number.into());
        let about = ("about", greeting.about.as_deref().unwrap_or_default().into());
        let key = match (greeting.reason.as_str(), &greeting.about) {
            ("clicked_not_bought", Some(_)) => "greet-clicked-about",
            ("clicked_not_bought", None) => "greet-clicked",
            ("quiet", _) => "greet-quiet",
            ("birthday", _) => "greet-birthday",
            _ => "greet-new",
        };
        self.shell.tell(key, &[number, about])
    }

    fn names(&self, batch: &WaitingBatch) -> String {
        names(&self.shell, batch)
    }

    fn due(&self, batch: &WaitingBatch) -> Option<Due> {
        due(&self.shell, batch)
    }
}

/// How a colleague would call somebody: a Chinese full name without its family name.
fn call_name(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let is_chinese = letters
        .iter()
        .all(|letter| ('\u{4e00}'..='\u{9fff}').contains(letter));
    match letters.len() {
        3 if is_chinese => letters[1..].iter().collect(),
        4 if is_chinese => letters[2..].iter().collect(),
        _ => name.to_owned(),
    }
}

fn names(shell: &Shell, batch: &WaitingBatch) -> String {
    let shown = batch.names.iter().take(2).map(String::as_str).collect::<Vec<_>>();
    let joined = shown.join(match shell.lang {
        Lang::Zh => "、",
        Lang::En => ", ",
    });
    if batch.contacts > shown.len() as i64 && !joined.is_empty() {
        shell.t2("desk-names-and-more", "names", joined, "count", batch.contacts)
    } else if joined.is_empty() {
        shell.t1("desk-people", "count", batch.contacts)
    } else {
        joined
    }
}

/// A deadline as a chip.
pub struct Due {
    pub class: &'static str,
    pub text: String,
}

fn due(shell: &Shell, batch: &WaitingBatch) -> Option<Due> {
    let ends_at = batch.ends_at?;
    let left = ends_at.0 - shell.now.0;
    let when = shell.when(&ends_at);
    Some(match left {
        ..=0 => Due {
            class: "r",
            text: shell.t1("desk-overdue", "when", when),
        },
        _ if left < DAY_MS => Due {
            class: "r",
            text: shell.t1("desk-due", "when", when),
        },
        _ => Due {
            class: "w",
            text: shell.t1("desk-due", "when", when),
        },
    })
}

/// One message to send: what it says, to whom, and where in the platform's app to press send.
#[derive(Template)]
#[template(path = "workbench/task.html")]
pub struct TaskPage {
    pub shell: Shell,
    pub batch: WaitingBatch,
    pub people: Vec<Delivery>,
}

async fn task(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<BatchId>,
) -> Result<Show<TaskPage>> {
    let associate = own(&me)?;
    let since = shell.now.plus_ms(-DONE_FOR_DAYS * DAY_MS);
    let batches = campaigns::batches_of(&app.db, &me.scope, associate, since).await?;
    let batch = batches
        .into_iter()
        .find(|batch| batch.batch_id == id)
        .ok_or(Error::NotFound)?;
    let page = PageOf::first(PEOPLE_SHOWN);
    let people: Page<Delivery> =
        campaigns::deliveries(&app.db, &me.scope, batch.campaign_id, None, &page).await?;
    let people = people
        .items
        .into_iter()
        .filter(|one| one.batch_id == Some(id))
        .collect();
    Ok(Show(TaskPage { shell, batch, people }))
}

impl TaskPage {
    fn due(&self) -> Option<Due> {
        due(&self.shell, &self.batch)
    }

    fn state(&self, delivery: &Delivery) -> String {
        self.shell.t(&format!("delivery-{}", delivery.state.as_str()))
    }

    fn more(&self) -> i64 {
        self.batch.contacts - self.people.len() as i64
    }

    fn my_name(&self) -> String {
        self.shell
            .me
            .as_ref()
            .map(|me| me.name.clone())
            .unwrap_or_default()
    }
}

/// When a batch was confirmed, for the list of what is done.
fn confirmed(shell: &Shell, at: &Option<Timestamp>) -> String {
    at.map(|at| shell.t1("desk-sent-at", "when", shell.when(&at)))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_called_as_colleagues_do() {
        for (name, called) in [
            ("林晓雯", "晓雯"),
            ("周敏", "周敏"),
            ("欧阳小雨", "小雨"),
            ("Li Wen", "Li Wen"),
        ] {
            assert_eq!(call_name(name), called);
        }
    }
}
