//! `dianyu corp add`: connects a corp of the platform. `dianyu corp set`: what may be changed about it later.

use dianyu::app::App;
use dianyu::auth::audit;
use dianyu::contacts::inbox;
use dianyu::directory::{self, Corp, NewCorp, SecretChange};
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
    approval_over: Option<Limit>,
    /// Replace the app's secret; without a value it is DIANYU_CORP_SECRET or a line of standard input. So are the next two.
    #[arg(long, num_args = 0..=1, value_name = "SECRET")]
    secret: Option<Option<String>>,
    /// Replace the callback's token.
    #[arg(long, num_args = 0..=1, value_name = "TOKEN")]
    callback_token: Option<Option<String>>,
    /// Replace the callback's EncodingAESKey.
    #[arg(long, num_args = 0..=1, value_name = "KEY")]
    callback_aes_key: Option<Option<String>>,
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
    let asked = |given: Option<Option<String>>, variable: &str, prompt: &str| {
        given
            .map(|value| super::secret(value, variable, prompt))
            .transpose()
    };
    let secrets = SecretChange {
        secret: asked(set.secret, "DIANYU_CORP_SECRET", "app secret")?,
        callback_token: asked(set.callback_token, "DIANYU_CALLBACK_TOKEN", "callback token")?,
        callback_aes_key: asked(
            set.callback_aes_key,
            "DIANYU_CALLBACK_AES_KEY",
            "callback EncodingAESKey",
        )?,
    };
    let (app, node) = super::connect().await?;
    let corp = super::corp_named(&app, &set.corpid).await?;
    let told = change(&app, &corp, set.approval_over, &secrets)
        .await
        .map_err(super::sentence);
    super::done(&app, &node).await;
    let told = told?;
    anyhow::ensure!(
        !told.is_empty(),
        "nothing to set: see `dianyu corp set --help` for what may be changed"
    );
    told.iter()
        .for_each(|told| println!("corp `{}`: {told}", corp.corpid));
    Ok(())
}

/// Changes what is given; answers what was.
async fn change(
    app: &App,
    corp: &Corp,
    approval_over: Option<Limit>,
    secrets: &SecretChange,
) -> dianyu::error::Result<Vec<String>> {
    let act = app.act(Actor::System);
    let tx = app.db.begin().await?;
    let mut told = Vec::new();
    let mut detail = serde_json::Map::new();
    if let Some(Limit(most)) = approval_over {
        directory::set_approval_over(&tx, corp.id, most).await?;
        detail.insert("approval_over".into(), serde_json::json!(most));
        told.push(match most {
            Some(most) => format!("a campaign to more than {most} people wants a second person"),
            None => "no campaign wants a second person".to_owned(),
        });
    }
    inbox::replace_secrets(&tx, &app.sealer, corp, secrets).await?;
    for (name, given) in [
        ("secret", &secrets.secret),
        ("callback_token", &secrets.callback_token),
        ("callback_aes_key", &secrets.callback_aes_key),
    ] {
        if given.is_some() {
            detail.insert(name.into(), serde_json::json!("replaced"));
            told.push(format!(
                "the {} is replaced; `dianyu doctor` says whether it is right",
                name.replace('_', " ")
            ));
        }
    }
    if !told.is_empty() {
        let subject = format!("corp:{}", corp.id);
        audit::append(
            &tx,
            &act,
            corp.id,
            "corp.set",
            &subject,
            &serde_json::Value::Object(detail),
        )
        .await?;
    }
    tx.commit().await?;
    Ok(told)
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
