//! `dianyu migrate`.

use dianyu::db::{Db, migrate};
use dianyu::time::Clock;

pub async fn run() -> anyhow::Result<()> {
    let config = super::settings()?;
    let db = Db::connect(&config.database_url).await.map_err(super::sentence)?;
    let applied = migrate::up(&db, Clock::System.now())
        .await
        .map_err(super::sentence)?;
    match applied.as_slice() {
        [] => println!("nothing to apply; the schema is up to date"),
        names => names.iter().for_each(|name| println!("applied {name}")),
    }
    Ok(())
}
