//! The front page, by role.

use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::{Result, Shell, session, workbench};
use crate::app::App;
use crate::auth::{Operator, Policy, Role};
use crate::routes::Routes;

pub fn routes() -> Routes<App> {
    Routes::new(session::guard).get("/", Policy::SignedIn, home)
}

/// Associates see today's work, managers their store's report, others the overview.
async fn home(app: State<App>, shell: Shell, me: Operator) -> Result<Response> {
    match (me.role, me.store) {
        (Role::Associate, _) => Ok(workbench::today(&app, shell, &me).await?.into_response()),
        (Role::Manager, Some(store)) => Ok(shell.go(&format!("/stores/{store}/report"))),
        (Role::Regional | Role::Marketer | Role::Admin | Role::Manager, _) => Ok(shell.go("/overview")),
    }
}
