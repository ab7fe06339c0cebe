//! `dianyu corp add`: connects a corp of the platform. `dianyu corp set`: what may be changed about it later.

use dianyu::auth::audit;
use dianyu::directory::{self, NewCorp};
use dianyu::scope::Actor;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Connect a corp. Secrets may come from the environment or standard input instead.
    Add(Box<Add>),
    /// Change how a corp is run.
    Set(Set),
}

#[derive(clap::Args)]
pub struct Set {
    /// The corp's id on the platform, `ww…`.
    #[arg(long)]
    corpid: String,
    /// A campaign to more people than this wants a second person's approval; `none`: never.
    #[arg(long, value_name = "N|none", value_parser = people)]
    approval_over: Limit,
}

/// A number of people, or no limit.
#[derive(Clone, Copy)]
struct Limit(Option<i64>);

fn people(text: &str) -> Result<Limit, String> {
    if text == "none" {
        return Ok(Limit(None));
    }
    let number = text.parse().ok().filter(|number: &i64| *number >= 0);
    number
        .map(|number| Limit(Some(number)))
        .ok_or_else(|| format!("`{text}` is not a number of people, nor `none`"))
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
    match command {
        Command::Add(add) => self::add(*add).await,
        Command::Set(set) => self::set(set).await,
    }
}

async fn set(set: Set) -> anyhow::Result<()> {
    let (app, node) = super::connect().await?;
    let corp = super::corp_named(&app, &set.corpid).await?;
    let Limit(most) = set.approval_over;
    let act = app.act(Actor::System);
    let tx = app.db.begin().await.map_err(super::sentence)?;
    directory::set_approval_over(&tx, corp.id, most)
        .await
        .map_err(super::sentence)?;
    let detail = serde_json::json!({ "approval_over": most });
    audit::append(
        &tx,
        &act,
        corp.id,
        "corp.set",
        &format!("corp:{}", corp.id),
        &detail,
    )
    .await
    .map_err(super::sentence)?;
    tx.commit().await.map_err(super::sentence)?;
    super::done(&app, &node).await;
    match most {
        Some(most) => println!(
            "corp `{}`: a campaign to more than {most} people wants a second person",
            corp.corpid
        ),
        None => println!("corp `{}`: no campaign wants a second person", corp.corpid),
    }
    Ok(())
}

async fn add(add: Add) -> anyhow::Result<()> {
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
