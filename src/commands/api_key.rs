//! `dianyu api-key add`: prints a key once.

use dianyu::auth;
use dianyu::scope::Actor;
use secrecy::ExposeSecret as _;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Make a key and print it once; only its fingerprint is kept.
    Add(Add),
}

#[derive(clap::Args)]
pub struct Add {
    /// Corp id on the platform, `ww…`.
    #[arg(long)]
    corp: String,
    /// What the key is for.
    #[arg(long)]
    name: String,
    /// Comma-separated, such as `contacts:read,campaigns:write`; `all` for every scope.
    #[arg(long, value_delimiter = ',')]
    scopes: Vec<String>,
    /// `90d`, `12h`. Absent: it does not expire.
    #[arg(long, value_parser = super::duration_ms)]
    expires: Option<i64>,
}

pub async fn run(command: Command) -> anyhow::Result<()> {
    let Command::Add(add) = command;
    let (app, node) = super::connect().await?;
    let corp = super::corp_named(&app, &add.corp).await?;
    let scopes = match add.scopes.as_slice() {
        [all] if all == "all" => auth::key_scopes().into_iter().map(str::to_owned).collect(),
        _ => add.scopes,
    };
    let expires_at = add.expires.map(|ms| app.now().plus_ms(ms));
    let tx = app.db.begin().await.map_err(super::sentence)?;
    let (_, key) = auth::add_key(
        &tx,
        &app.act(Actor::System),
        corp.id,
        &add.name,
        &scopes,
        expires_at,
    )
    .await
    .map_err(super::sentence)?;
    tx.commit().await.map_err(super::sentence)?;
    super::done(&app, &node).await;
    eprintln!("the key, shown this once; send it as `Authorization: Bearer …`:");
    println!("{}", key.expose_secret());
    Ok(())
}
