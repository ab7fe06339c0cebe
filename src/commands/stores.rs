//! `dianyu stores`: which departments are stores, and who belongs to which.

use std::path::PathBuf;

use anyhow::Context as _;
use dianyu::app::App;
use dianyu::contacts;
use dianyu::directory::{self, Changed, Corp, Mark, RuleChange};
use dianyu::error::Error;
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
    #[command(flatten)]
    sure: Sure,
}

#[derive(clap::Args)]
struct Sure {
    /// Do it though members would lose their store.
    #[arg(long)]
    yes: bool,
}

#[derive(clap::Args)]
pub struct Unmark {
    #[command(flatten)]
    of: Of,
    /// The department's id on the platform.
    #[arg(long)]
    department: i64,
    #[command(flatten)]
    sure: Sure,
}

#[derive(clap::Args)]
pub struct Import {
    #[command(flatten)]
    of: Of,
    /// UTF-8, UTF-16 or GB18030.
    file: PathBuf,
    #[command(flatten)]
    sure: Sure,
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
        marked => format!("departments marked as stores: {marked}"),
    })
}

async fn mark(app: &App, args: MarkArgs) -> anyhow::Result<String> {
    let corp = super::corp_named(app, &args.of.corp).await?;
    let department = args.department;
    let change = RuleChange::Mark(Mark {
        department,
        code: args.code,
        name: args.name,
        region: args.region,
    });
    change_rule(app, &corp, &change, &args.sure).await?;
    Ok(format!("department {department} is a store; {}", next(&corp)))
}

async fn unmark(app: &App, args: Unmark) -> anyhow::Result<String> {
    let corp = super::corp_named(app, &args.of.corp).await?;
    let department = args.department;
    let change = RuleChange::Unmark(department);
    let unmarked = change_rule(app, &corp, &change, &args.sure).await;
    unmarked.with_context(|| format!("department {department} stays as it is"))?;
    Ok(format!(
        "department {department} is not marked any more; {}",
        next(&corp)
    ))
}

async fn import(app: &App, args: Import) -> anyhow::Result<String> {
    let corp = super::corp_named(app, &args.of.corp).await?;
    let path = args.file.display().to_string();
    let bytes = std::fs::read(&args.file).with_context(|| format!("reading `{path}`"))?;
    let text = directory::text_of(&bytes).map_err(in_table);
    let text = text.with_context(|| format!("`{path}`: nothing was changed"))?;
    let imported = change_rule(app, &corp, &RuleChange::Import(text), &args.sure).await;
    let imported = imported.with_context(|| format!("`{path}`: nothing was changed"))?;
    Ok(format!("{} rows were taken in; {}", imported.count, next(&corp)))
}

/// Changes the rule and says what that does to people; that somebody loses their store has to be wanted.
async fn change_rule(app: &App, corp: &Corp, change: &RuleChange, sure: &Sure) -> anyhow::Result<Changed> {
    let tx = app.db.begin().await.map_err(super::sentence)?;
    let changed = contacts::change_rule(&tx, &app.act(Actor::System), corp, change).await;
    let changed = changed.map_err(in_table)?;
    let effect = changed.effect;
    if !effect.is_nothing() {
        println!(
            "members who lose their store: {}; who change it: {}",
            effect.leaving, effect.moving
        );
    }
    if effect.leaving > 0 && !sure.yes {
        tx.rollback().await.map_err(super::sentence)?;
        anyhow::bail!(
            "{} members would belong to no store; mark theirs in the same file, begin with today's stores on \
             /admin/stores, or say `--yes`",
            effect.leaving
        );
    }
    tx.commit().await.map_err(super::sentence)?;
    Ok(changed)
}

/// Problems of a table with row and column, one a line.
fn in_table(error: Error) -> anyhow::Error {
    let Error::Invalid(problems) = &error else {
        return super::sentence(error);
    };
    let lines = problems
        .iter()
        .map(|problem| match directory::row_and_column(&problem.pointer) {
            None => problem.message.to_string(),
            Some((row, None)) => format!("row {row}: {}", problem.message),
            Some((row, Some(column))) => format!("row {row}, column `{column}`: {}", problem.message),
        });
    anyhow::anyhow!("{}", lines.collect::<Vec<_>>().join("\n"))
}

fn next(corp: &Corp) -> String {
    format!(
        "people follow with the next sync: `dianyu serve` does it now, or `dianyu sync --corp {}`",
        corp.corpid
    )
}
