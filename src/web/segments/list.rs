//! Saved segments, last changed first.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::words::{Names, sentence};
use crate::app::App;
use crate::auth::Operator;
use crate::page::{Page, PageOf};
use crate::segments::{self, Segment};
use crate::web::{Query, Result, Shell, Show};

#[derive(Template)]
#[template(path = "segments/list.html")]
pub struct SegmentsPage {
    pub shell: Shell,
    pub rows: Vec<SegmentLine>,
    pub next: Option<String>,
}

pub struct SegmentLine {
    pub name: String,
    pub link: String,
    pub usage: String,
    pub rule: String,
    pub changed: String,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    after: Option<String>,
}

pub(super) async fn show(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Query(asked): Query<Asked>,
) -> Result<Show<SegmentsPage>> {
    let found = segments::list(&app.db, &me.scope, &PageOf::new(None, asked.after)?).await?;
    let names = super::names(&app, &me, found.items.iter().map(|segment| &segment.rule)).await?;
    Ok(Show(SegmentsPage::new(shell, found, &names)))
}

impl SegmentsPage {
    pub fn new(shell: Shell, found: Page<Segment>, names: &Names) -> Self {
        let line = |segment: &Segment| SegmentLine {
            name: segment.name.clone(),
            link: format!("/segments/{}", segment.id),
            usage: format!("/campaigns/new?segment={}", segment.id),
            rule: sentence(&segment.rule, names, &shell),
            changed: shell.with("segments-changed", &[("when", &shell.when(&segment.updated_at))]),
        };
        Self {
            rows: found.items.iter().map(line).collect(),
            next: found
                .next
                .map(|after| format!("/segments?after={}", shell.encode(&after))),
            shell,
        }
    }
}
