//! The demo's folder: database, journal, master key, and `demo.json` for scripts.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use dianyu::config::MasterKey;
use serde::{Deserialize, Serialize};

/// What `demo.json` holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Printed {
    pub url: String,
    pub sandbox_url: String,
    pub corpid: String,
    /// The app's, where no product is connected yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<i64>,
    pub api_key: String,
    pub callback: Callback,
    pub personas: Vec<Persona>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Callback {
    pub token: String,
    pub aes_key: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Persona {
    pub role: String,
    pub login: String,
    pub password: String,
    pub name: String,
    /// Of those who can also sign in through the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userid: Option<String>,
}

pub struct Files {
    folder: PathBuf,
}

const DATABASE: &str = "demo.sqlite";
const JOURNAL: &str = "platform.jsonl";
const KEY: &str = "master.key";
const PRINTED: &str = "demo.json";

impl Files {
    /// Makes the folder, its owner's only; with `fresh`, removes what an earlier demo left there and nothing else.
    pub fn open(folder: &Path, fresh: bool) -> anyhow::Result<Self> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("making `{}`; name another with --data", folder.display()))?;
        let files = Self {
            folder: folder.to_owned(),
        };
        // Without demo.json an earlier start did not finish: what it left is of no use.
        if fresh || !files.printed_path().exists() {
            for name in [
                PRINTED,
                DATABASE,
                "demo.sqlite-wal",
                "demo.sqlite-shm",
                JOURNAL,
                KEY,
            ] {
                match std::fs::remove_file(files.folder.join(name)) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(error)
                            .with_context(|| format!("removing `{name}`; is a demo still running on it?"));
                    }
                    _ => {}
                }
            }
        }
        Ok(files)
    }

    pub fn database_url(&self) -> String {
        format!("sqlite://{}", self.folder.join(DATABASE).display())
    }

    pub fn journal(&self) -> PathBuf {
        self.folder.join(JOURNAL)
    }

    pub fn printed_path(&self) -> PathBuf {
        self.folder.join(PRINTED)
    }

    /// What an earlier start wrote.
    pub fn printed(&self) -> anyhow::Result<Option<Printed>> {
        let path = self.printed_path();
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path)?;
        let printed = serde_json::from_str(&text)
            .with_context(|| format!("`{}` is damaged; `--fresh` starts over", path.display()))?;
        Ok(Some(printed))
    }

    /// Writes `demo.json`, readable by its owner only.
    pub fn print(&self, printed: &Printed) -> anyhow::Result<()> {
        self.write_secret(PRINTED, &serde_json::to_string_pretty(printed)?)
    }

    /// The key of this demo's secrets, made at the first start.
    pub fn master_key(&self) -> anyhow::Result<String> {
        let path = self.folder.join(KEY);
        if !path.exists() {
            self.write_secret(KEY, &MasterKey::generate().to_base64())?;
        }
        Ok(std::fs::read_to_string(path)?.trim().to_owned())
    }

    fn write_secret(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let (path, partial) = (self.folder.join(name), self.folder.join(format!("{name}.part")));
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(partial, path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_folder_and_its_secrets_are_their_owners_only() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("deep/demo");
        let files = Files::open(&folder, false).unwrap();
        files.master_key().unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join(KEY)), 0o600);
    }
}
