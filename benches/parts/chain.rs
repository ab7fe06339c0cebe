//! A seeded chain to measure on, and the product serving it as it does in production: a process of its own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dianyu::app::App;
use dianyu::cache::Cache;
use dianyu::config::Config;
use dianyu::db::{self, Conn as _, Db};
use dianyu::ids::{CorpId, Ids};
use dianyu::time::Clock;

use crate::line::Line;

/// A chain that is kept can be opened again.
const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
pub const ZONE: chrono_tz::Tz = chrono_tz::Asia::Shanghai;

/// A database with one corp, and this process's own look at it.
pub struct Chain {
    pub app: App,
    pub corp: CorpId,
    pub contacts: u64,
    url: String,
    folder: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Chain {
    /// What `BENCH_DATABASE_URL` names, else a SQLite file in the folder after `--keep`, else one that is deleted again.
    /// Where no corp is in it, it is seeded with so many contacts first.
    pub async fn open(contacts: u64) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let kept = std::env::args()
            .skip_while(|argument| argument != "--keep")
            .nth(1);
        let temporary = kept.is_none().then(tempfile::tempdir).transpose()?;
        let folder = match (&kept, &temporary) {
            (Some(folder), _) => PathBuf::from(folder),
            (None, Some(folder)) => folder.path().to_path_buf(),
            (None, None) => anyhow::bail!("no folder"),
        };
        std::fs::create_dir_all(&folder)?;
        let url = std::env::var("BENCH_DATABASE_URL")
            .unwrap_or_else(|_| format!("sqlite://{}/chain.sqlite", folder.display()));
        let app = app(&url, &folder, 1).await?;
        db::migrate::up(&app.db, app.now()).await?;
        let corps = || db::scalars::<i64>(&app.db, "select id from corp", vec![]);
        if corps().await?.is_empty() {
            seed(&url, contacts)?;
        }
        let [corp] = corps().await?[..] else {
            anyhow::bail!("the database holds several corps; name an empty one");
        };
        let corp = CorpId(corp);
        let held = db::count(
            &app.db,
            "select count(*) from contact where corp_id = $1",
            dianyu::args![corp],
        )
        .await?;
        Ok(Self {
            app,
            corp,
            contacts: held as u64,
            url,
            folder,
            _temporary: temporary,
        })
    }

    pub fn database(&self) -> &'static str {
        self.app.db.backend().name()
    }

    /// Starts `dianyu serve`; what it says goes into the folder.
    pub fn serve(&self) -> anyhow::Result<Served> {
        let listen = {
            let free = std::net::TcpListener::bind("127.0.0.1:0")?;
            free.local_addr()?.to_string()
        };
        let log = std::fs::File::create(self.folder.join("serve.log"))?;
        let began = Instant::now();
        let process = dianyu(&self.url)
            .args(["serve", "--no-jobs"])
            .env("DIANYU_DATA_DIR", &self.folder)
            .env("DIANYU_LISTEN", &listen)
            .env("DIANYU_PUBLIC_URL", format!("http://{listen}"))
            .stderr(log)
            .spawn()?;
        Ok(Served {
            address: listen,
            process,
            began,
            log: self.folder.join("serve.log"),
        })
    }
}

async fn app(url: &str, folder: &std::path::Path, node: i64) -> anyhow::Result<App> {
    let config = Config::read(None, |name| match name {
        "DIANYU_MASTER_KEY" => Some(MASTER_KEY.to_owned()),
        "DIANYU_DATABASE_URL" => Some(url.to_owned()),
        _ => None,
    });
    let mut config = config.map_err(anyhow::Error::msg)?;
    config.data_dir = Some(folder.to_path_buf());
    let db = match url.starts_with("sqlite:") {
        true => Db::connect(url).await,
        false => Db::connect_postgres(url, None).await,
    };
    let ids = Ids::new(node, Clock::System.now());
    Ok(App::new(config, db?, Cache::memory(), Clock::System, ids))
}

#[expect(clippy::disallowed_methods, reason = "the process is what is measured")]
fn dianyu(url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dianyu"));
    command
        .env("DIANYU_DATABASE_URL", url)
        .env("DIANYU_MASTER_KEY", MASTER_KEY)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

fn seed(url: &str, contacts: u64) -> anyhow::Result<()> {
    let of = |reference: u64| (reference * contacts / 4_000_000).max(5).to_string();
    let began = Instant::now();
    let ended = dianyu(url)
        .args(["seed", "--contacts", &contacts.to_string()])
        .args(["--associates", &of(20_000), "--stores", &of(1_000)])
        .status()?;
    anyhow::ensure!(ended.success(), "the chain was not seeded");
    eprintln!("seeded in {:.0?}", began.elapsed());
    Ok(())
}

/// The product at work.
pub struct Served {
    pub address: String,
    pub began: Instant,
    process: Child,
    log: PathBuf,
}

impl Served {
    /// A connection, as soon as one is accepted.
    pub async fn line(&self) -> anyhow::Result<Line> {
        loop {
            match Line::open(&self.address).await {
                Ok(line) => return Ok(line),
                Err(_) if self.began.elapsed() < Duration::from_secs(60) => {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until the index and the names are read: both are there a while after the start.
    pub async fn is_warm(&self) -> anyhow::Result<()> {
        for _ in 0..300 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if std::fs::read_to_string(&self.log)?.contains("names are read") {
                return Ok(());
            }
        }
        anyhow::bail!("names were not read within five minutes")
    }

    pub fn memory(&self) -> String {
        crate::parts::memory_of(&self.process.id().to_string())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
