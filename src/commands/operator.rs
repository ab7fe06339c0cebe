//! `dianyu operator add`: somebody who signs in.

use anyhow::Context as _;
use dianyu::auth::{self, NewOperator, Role};
use dianyu::directory;
use dianyu::ids::UserId;
use dianyu::scope::{Actor, Scope};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Add somebody who signs in by password, by the platform, or both.
    Add(Box<Add>),
}

#[derive(clap::Args)]
pub struct Add {
    /// Corp id on the platform, `ww…`.
    #[arg(long)]
    corp: String,
    #[arg(long)]
    login: String,
    #[arg(long)]
    name: String,
    /// admin, marketer, regional, manager or associate.
    #[arg(long, value_parser = role)]
    role: Role,
    /// Store code, for a manager.
    #[arg(long)]
    store: Option<String>,
    /// Region name or id, for a regional manager.
    #[arg(long)]
    region: Option<String>,
    /// Member id on the platform, for associates and for signing in by the platform.
    #[arg(long)]
    userid: Option<String>,
    /// Read the password from standard input (12 to 128 characters).
    #[arg(long)]
    password_stdin: bool,
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "one of admin, marketer, regional, manager, associate".to_owned())
}

pub async fn run(command: Command) -> anyhow::Result<()> {
    let Command::Add(add) = command;
    let password = if add.password_stdin {
        Some(super::password_from_stdin()?)
    } else {
        None
    };
    let (app, node) = super::connect().await?;
    let corp = super::corp_named(&app, &add.corp).await?;
    let store = match &add.store {
        Some(code) => Some(
            directory::find_store_by_code(&app.db, corp.id, code)
                .await
                .map_err(|_| anyhow::anyhow!("store `{code}` is not known; `dianyu sync` pulls stores"))?
                .id,
        ),
        None => None,
    };
    let region = match &add.region {
        Some(wanted) => {
            let regions = directory::regions(&app.db, &Scope::whole(corp.id))
                .await
                .map_err(super::sentence)?;
            let found = regions
                .iter()
                .find(|region| region.name == *wanted || region.id.to_string() == *wanted);
            Some(
                found
                    .with_context(|| format!("region `{wanted}` is not known"))?
                    .id,
            )
        }
        None => None,
    };
    let associate = match &add.userid {
        Some(userid) => {
            let found = directory::associate_by_userid(&app.db, corp.id, &UserId(userid.clone())).await;
            let found = found.map_err(super::sentence)?;
            Some(
                found
                    .with_context(|| format!("member `{userid}` is not known; `dianyu sync` pulls members"))?
                    .id,
            )
        }
        None => None,
    };
    let new = NewOperator {
        login: add.login.clone(),
        name: add.name,
        role: add.role,
        password,
        store,
        region,
        associate,
    };
    let tx = app.db.begin().await.map_err(super::sentence)?;
    auth::add_operator(&tx, &app.act(Actor::System), corp.id, new)
        .await
        .map_err(super::sentence)?;
    tx.commit().await.map_err(super::sentence)?;
    super::done(&app, &node).await;
    println!("`{}` may sign in at {}/sign-in", add.login, app.config.public_url);
    Ok(())
}
