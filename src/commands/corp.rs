//! `dianyu corp add`: connects a corp of the platform.

use dianyu::directory::{self, NewCorp};
use dianyu::scope::Actor;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Connect a corp. Secrets may come from the environment or standard input instead.
    Add(Box<Add>),
}

#[derive(clap::Args)]
pub struct Add {
    /// The corp's id on the platform, `ww…`.
    #[arg(long)]
    corpid: String,
    #[arg(long)]
    name: String,
    /// The self-built app's secret; else DIANYU_CORP_SECRET, else a line of standard input.
    #[arg(long)]
    secret: Option<String>,
    #[arg(long)]
    agent_id: i64,
    /// Token of the app's callback; else DIANYU_CALLBACK_TOKEN, else a line of standard input.
    #[arg(long)]
    callback_token: Option<String>,
    /// EncodingAESKey of the app's callback, 43 characters; else DIANYU_CALLBACK_AES_KEY, else a line of standard input.
    #[arg(long)]
    callback_aes_key: Option<String>,
    /// IANA zone of business days.
    #[arg(long, default_value = "Asia/Shanghai")]
    zone: String,
    /// A host that links may lead to; repeat for several.
    #[arg(long = "link-host")]
    link_hosts: Vec<String>,
    /// Where a message's store link leads when it names nothing else.
    #[arg(long)]
    mini_store_url: Option<String>,
}

pub async fn run(command: Command) -> anyhow::Result<()> {
    let Command::Add(add) = command;
    let zone = dianyu::time::zone(&add.zone)
        .ok_or_else(|| anyhow::anyhow!("`{}` is not an IANA zone such as `Asia/Shanghai`", add.zone))?;
    let new = NewCorp {
        corpid: add.corpid.clone(),
        name: add.name,
        zone,
        agent_id: add.agent_id,
        secret: super::secret(add.secret, "DIANYU_CORP_SECRET", "app secret")?,
        callback_token: super::secret(add.callback_token, "DIANYU_CALLBACK_TOKEN", "callback token")?,
        callback_aes_key: super::secret(
            add.callback_aes_key,
            "DIANYU_CALLBACK_AES_KEY",
            "callback EncodingAESKey",
        )?,
        link_hosts: add.link_hosts,
        mini_store: add
            .mini_store_url
            .map(|url| serde_json::json!({ "kind": "web", "url": url }).to_string()),
    };
    let (app, node) = super::connect().await?;
    let tx = app.db.begin().await.map_err(super::sentence)?;
    let corp = directory::add_corp(&tx, &app.act(Actor::System), &app.sealer, new)
        .await
        .map_err(super::sentence)?;
    tx.commit().await.map_err(super::sentence)?;
    super::done(&app, &node).await;
    println!("corp `{}` is connected (id {corp})", add.corpid);
    println!(
        "callback address to enter on the platform: {}/wecom/{}/callback",
        app.config.public_url, add.corpid
    );
    println!(
        "next: `dianyu sync --corp {}` pulls stores, associates, tags and contacts",
        add.corpid
    );
    Ok(())
}
