//! `dianyu stores`: which departments are stores, and who belongs to which.

use std::path::PathBuf;

use anyhow::Context as _;
use dianyu::app::App;
use dianyu::auth::audit;
use dianyu::contacts::jobs::SyncPeople;
use dianyu::db::Tx;
use dianyu::directory::{self, Corp, Imported, Mark};
use dianyu::job;
use dianyu::scope::Actor;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Departments as the mirror has them, each with its store.
    List(Of),
    /// Make a department a store, with everybody in it and below it; again changes code, name and region. With the
    /// first mark departments without one are no stores any more.
    Mark(MarkArgs),
    /// Take a mark back. With none left, every department that holds members is a store.
    Unmark(Unmark),
    /// Read a CSV: `department,code,name,region` marks stores (department: id or path such as `总部/华东/静安店`),
    /// `userid,store_code` names members' stores (an empty code lets the departments decide again).
    Import(Import),
}

#[derive(clap::Args)]
pub struct Of {
    /// Corp id on the platform, `ww…`.
    #[arg(long)]
    corp: String,
}

#[derive(clap::Args)]
pub struct MarkArgs {
    #[command(flatten)]
    of: Of,
    /// The department's id on the platform.
    #[arg(long)]
    department: i64,
    #[arg(long)]
    code: Option<String>,
    #[arg(long)]
    name: Option<String>,
    /// The region's name; made if there is none.
    #[arg(long)]
    region: Option<String>,
}

#[derive(clap::Args)]
pub struct Unmark {
    #[command(flatten)]
    of: Of,
    /// The department's id on the platform.
    #[arg(long)]
    department: i64,
}

#[derive(clap::Args)]
pub struct Import {
    #[command(flatten)]
    of: Of,
    file: PathBuf,
}

pub async fn run(command: Command) -> anyhow::Result<()> {
    let (app, node) = super::connect().await?;
    let said = match command {
        Command::List(of) => list(&app, &of).await,
        Command::Mark(args) => mark(&app, args).await,
        Command::Unmark(args) => unmark(&app, args).await,
        Command::Import(args) => import(&app, args).await,
    };
    super::done(&app, &node).await;
    println!("{}", said?);
    Ok(())
}

async fn list(app: &App, of: &Of) -> anyhow::Result<String> {
    let corp = super::corp_named(app, &of.corp).await?;
    let departments = directory::departments_with_stores(&app.db, corp.id).await;
    let departments = departments.map_err(super::sentence)?;
    for one in &departments {
        let store = match (&one.code, &one.store_name) {
            (Some(code), Some(name)) => format!("{code} {name}, {} people", one.people),
            _ => "no store".to_owned(),
        };
        let mark = if one.is_marked { " (marked)" } else { "" };
        println!("{:>10}  {}: {store}{mark}", one.id, one.name);
    }
    let marked = departments.iter().filter(|one| one.is_marked).count();
    Ok(match marked {
        0 => "nothing is marked: every department that holds members is a store".to_owned(),
        marked => format!("{marked} departments are marked as stores"),
    })
}

async fn mark(app: &App, args: MarkArgs) -> anyhow::Result<String> {
    let corp = super::corp_named(app, &args.of.corp).await?;
    let mark = Mark {
        department: args.department,
        code: args.code,
        name: args.name,
        region: args.region,
    };
    let marked = async {
        let tx = app.db.begin().await?;
        directory::mark_store(&tx, &app.act(Actor::System), &corp, &mark).await?;
        follow(
            app,
            &tx,
            &corp,
            "stores.mark",
            &serde_json::json!({ "department": mark.department }),
        )
        .await?;
        tx.commit().await
    };
    marked.await.map_err(super::sentence)?;
    Ok(format!(
        "department {} is a store; {}",
        args.department,
        next(&corp)
    ))
}

async fn unmark(app: &App, args: Unmark) -> anyhow::Result<String> {
    let corp = super::corp_named(app, &args.of.corp).await?;
    let department = args.department;
    let unmarked = async {
        let tx = app.db.begin().await?;
        directory::unmark_store(&tx, corp.id, department).await?;
        follow(
            app,
            &tx,
            &corp,
            "stores.unmark",
            &serde_json::json!({ "department": department }),
        )
        .await?;
        tx.commit().await
    };
    unmarked
        .await
        .map_err(|error| anyhow::anyhow!("department {department} is not marked ({error})"))?;
    Ok(format!(
        "department {department} is not marked any more; {}",
        next(&corp)
    ))
}

async fn import(app: &App, args: Import) -> anyhow::Result<String> {
    let corp = super::corp_named(app, &args.of.corp).await?;
    let path = args.file.display().to_string();
    let text = std::fs::read_to_string(&args.file).with_context(|| format!("reading `{path}`"))?;
    let imported = async {
        let tx = app.db.begin().await?;
        let imported = directory::import_rule(&tx, &app.act(Actor::System), &corp, &text).await?;
        let detail = serde_json::json!({ "rows": format!("{imported:?}") });
        follow(app, &tx, &corp, "stores.import", &detail).await?;
        tx.commit().await?;
        Ok(imported)
    };
    let imported = imported
        .await
        .map_err(super::sentence)
        .with_context(|| format!("`{path}`: nothing was changed"))?;
    Ok(match imported {
        Imported::Stores(count) => format!("{count} departments are stores; {}", next(&corp)),
        Imported::Members(count) => format!("{count} members have their store; {}", next(&corp)),
    })
}

/// Written down, and the job that lets people follow.
async fn follow(
    app: &App,
    tx: &Tx,
    corp: &Corp,
    action: &str,
    detail: &serde_json::Value,
) -> dianyu::error::Result<()> {
    let act = app.act(Actor::System);
    audit::append(tx, &act, corp.id, action, &format!("corp:{}", corp.id), detail).await?;
    job::enqueue(tx, &app.ids, act.now, corp.id, &SyncPeople {}, act.now).await?;
    Ok(())
}

fn next(corp: &Corp) -> String {
    format!(
        "people follow with the next sync: `dianyu serve` does it now, or `dianyu sync --corp {}`",
        corp.corpid
    )
}
