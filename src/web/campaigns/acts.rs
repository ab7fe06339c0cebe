//! What can be done about a scheduled or running campaign: remind, pause, go on, stop, call off.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::Nothing;
use crate::app::App;
use crate::auth::Operator;
use crate::campaigns;
use crate::error::Error;
use crate::ids::{CampaignId, StoreId};
use crate::scope::{Reach, Scope};
use crate::web::{Form, Path, Result, Shell};

/// Whom to remind: one store's associates, or all in scope.
#[derive(Deserialize)]
pub(super) struct Whom {
    store: Option<StoreId>,
}

pub(super) async fn remind(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<CampaignId>,
    Form(whom): Form<Whom>,
) -> Result<Response> {
    let scope = match whom.store {
        None => me.scope.clone(),
        Some(store) if me.scope.sees_store(store) => Scope {
            corp: me.corp,
            reach: Reach::Stores(vec![store]),
        },
        Some(_) => return Err(Error::NotFound.into()),
    };
    let reminded = campaigns::remind(&app, &app.act(me.actor()), &scope, id, None).await?;
    let to = format!("/campaigns/{id}");
    match reminded {
        0 => Ok(shell.go_saying(&to, "toast-live-reminded-none", &[])),
        count => Ok(shell.go_saying(&to, "toast-live-reminded", &[("count", count.into())])),
    }
}

pub(super) async fn pause(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<CampaignId>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    campaigns::pause(&app, &app.act(me.actor()), &me.scope, id).await?;
    Ok(shell.go_saying(&format!("/campaigns/{id}"), "toast-live-paused", &[]))
}

pub(super) async fn resume(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<CampaignId>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    campaigns::resume(&app, &app.act(me.actor()), &me.scope, id).await?;
    Ok(shell.go_saying(&format!("/campaigns/{id}"), "toast-live-resumed", &[]))
}

pub(super) async fn cancel(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<CampaignId>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    campaigns::cancel(&app, &app.act(me.actor()), &me.scope, id).await?;
    Ok(shell.go_saying(&format!("/campaigns/{id}"), "toast-live-stopped", &[]))
}

pub(super) async fn call_off(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<CampaignId>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    campaigns::call_off(&app, &app.act(me.actor()), &me.scope, id).await?;
    Ok(shell.go_saying(&format!("/campaigns/{id}/review"), "toast-live-called-off", &[]))
}
