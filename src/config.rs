//! Settings: defaults in `config.toml` (embedded), a `config.toml` in the working directory over them, environment
//! over both. Checked once, at start; a missing or wrong one is a sentence that names it and the way out.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use base64::Engine as _;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::address::Network;

const DEFAULTS: &str = include_str!("../config.toml");

#[derive(Debug, Clone)]
pub struct Config {
    pub database_url: String,
    pub redis_url: Option<String>,
    pub listen: SocketAddr,
    /// Where people and the platform reach us, without a trailing slash.
    pub public_url: String,
    /// Whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<Network>,
    pub master_key: MasterKey,
    pub wecom_base_url: String,
    /// Pages of the platform that people open: OAuth and web login. On the real platform these are other hosts.
    pub wecom_oauth_url: String,
    pub wecom_login_url: String,
    /// Where `/metrics` answers; absent: nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// Connections at once, as far as the process may open files.
    pub max_connections: usize,
    /// Of them from one address, proxies on the own network aside.
    pub max_connections_per_address: usize,
    /// Where files are kept that can be made anew, such as snapshots of the audience index.
    pub data_dir: Option<PathBuf>,
    pub log: String,
}

/// The key that seals stored secrets.
#[derive(Clone)]
pub struct MasterKey(pub [u8; 32]);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    database_url: Option<String>,
    redis_url: Option<String>,
    listen: Option<String>,
    public_url: Option<String>,
    trusted_proxies: Option<String>,
    plain_http: Option<bool>,
    master_key: Option<SecretString>,
    wecom_base_url: Option<String>,
    wecom_oauth_url: Option<String>,
    wecom_login_url: Option<String>,
    metrics_listen: Option<String>,
    max_connections: Option<usize>,
    max_connections_per_address: Option<usize>,
    data_dir: Option<String>,
    log: Option<String>,
}

impl Config {
    /// Reads `config.toml` in the working directory, if there is one, and the environment.
    pub fn load() -> Result<Self, String> {
        let local = match std::fs::read_to_string("config.toml") {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(format!("`config.toml` cannot be read: {error}")),
        };
        Self::read(local.as_deref(), |name| {
            std::env::var(name).ok().filter(|value| !value.is_empty())
        })
    }

    /// The same from given parts: `environment` answers a variable's value.
    pub fn read(local: Option<&str>, environment: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let defaults: File =
            toml::from_str(DEFAULTS).map_err(|error| format!("built-in `config.toml`: {error}"))?;
        let local: File = toml::from_str(local.unwrap_or_default())
            .map_err(|error| format!("`config.toml`: {}", error.message()))?;
        let pick = |name: &str, local: Option<String>, default: Option<String>| {
            environment(&format!("DIANYU_{name}")).or(local).or(default)
        };
        let need = |name: &str, value: Option<String>| {
            value.ok_or_else(|| format!("`DIANYU_{name}` is not set; see docs/operating.md"))
        };
        let address = |name: &str, text: String| {
            text.parse::<SocketAddr>().map_err(|_| {
                format!("`DIANYU_{name}` is `{text}`, not an address with a port such as `127.0.0.1:8080`")
            })
        };
        let number = |name: &str, local: Option<usize>, default: Option<usize>| {
            let written = |number: Option<usize>| number.map(|number| number.to_string());
            let text = need(name, pick(name, written(local), written(default)))?;
            text.parse()
                .ok()
                .filter(|number| *number > 0)
                .ok_or_else(|| format!("`DIANYU_{name}` is `{text}`, not a whole number above 0"))
        };

        let database_url = need(
            "DATABASE_URL",
            pick("DATABASE_URL", local.database_url, defaults.database_url),
        )?;
        if !["sqlite:", "postgres://", "postgresql://"]
            .iter()
            .any(|start| database_url.starts_with(start))
        {
            return Err("`DIANYU_DATABASE_URL` must start with `sqlite://` or `postgres://`".into());
        }
        let listen = address(
            "LISTEN",
            need("LISTEN", pick("LISTEN", local.listen, defaults.listen))?,
        )?;
        let public_url = pick("PUBLIC_URL", local.public_url, defaults.public_url)
            .unwrap_or_else(|| format!("http://{listen}"))
            .trim_end_matches('/')
            .to_owned();
        if !public_url.starts_with("http://") && !public_url.starts_with("https://") {
            return Err(format!(
                "`DIANYU_PUBLIC_URL` is `{public_url}`; it must start with `https://`"
            ));
        }
        let plain_http = pick(
            "PLAIN_HTTP",
            local.plain_http.map(|on| on.to_string()),
            defaults.plain_http.map(|on| on.to_string()),
        );
        let plain_http = match plain_http.as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                return Err(format!(
                    "`DIANYU_PLAIN_HTTP` is `{other}`; it is `true` or `false`"
                ));
            }
        };
        if !plain_http && public_url.starts_with("http://") && !is_loopback(&public_url) {
            return Err(format!(
                "`DIANYU_PUBLIC_URL` is `{public_url}`: without TLS passwords and sessions can be read on the way; \
                 set it to the `https://` address people use, or `DIANYU_PLAIN_HTTP=true` to accept that"
            ));
        }
        let sealed = |secret: Option<SecretString>| secret.map(|secret| secret.expose_secret().to_owned());
        let master_key = pick(
            "MASTER_KEY",
            sealed(local.master_key),
            sealed(defaults.master_key),
        );
        let base = |name: &str, local, default| {
            need(name, pick(name, local, default)).map(|url| url.trim_end_matches('/').to_owned())
        };
        Ok(Self {
            database_url,
            redis_url: pick("REDIS_URL", local.redis_url, defaults.redis_url),
            listen,
            public_url,
            trusted_proxies: networks(pick(
                "TRUSTED_PROXIES",
                local.trusted_proxies,
                defaults.trusted_proxies,
            ))?,
            master_key: MasterKey::read(master_key.as_deref())?,
            wecom_base_url: base("WECOM_BASE_URL", local.wecom_base_url, defaults.wecom_base_url)?,
            wecom_oauth_url: base("WECOM_OAUTH_URL", local.wecom_oauth_url, defaults.wecom_oauth_url)?,
            wecom_login_url: base("WECOM_LOGIN_URL", local.wecom_login_url, defaults.wecom_login_url)?,
            metrics_listen: pick("METRICS_LISTEN", local.metrics_listen, defaults.metrics_listen)
                .map(|text| address("METRICS_LISTEN", text))
                .transpose()?,
            max_connections: number("MAX_CONNECTIONS", local.max_connections, defaults.max_connections)?,
            max_connections_per_address: number(
                "MAX_CONNECTIONS_PER_ADDRESS",
                local.max_connections_per_address,
                defaults.max_connections_per_address,
            )?,
            data_dir: pick("DATA_DIR", local.data_dir, defaults.data_dir).map(PathBuf::from),
            log: pick("LOG", local.log, defaults.log).unwrap_or_else(|| "info".into()),
        })
    }

    /// Whether people reach us over TLS: cookies are then marked so.
    pub fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}

fn networks(list: Option<String>) -> Result<Vec<Network>, String> {
    let list = list.unwrap_or_default();
    list.split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(|text| {
            Network::parse(text).ok_or_else(|| {
                format!("`DIANYU_TRUSTED_PROXIES` holds `{text}`, not an address or a network such as `10.0.0.0/8`")
            })
        })
        .collect()
}

/// Whether an `http://` address leads to this machine.
pub fn is_loopback(url: &str) -> bool {
    let rest = url.trim_start_matches("http://");
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl MasterKey {
    fn read(text: Option<&str>) -> Result<Self, String> {
        let Some(text) = text else {
            return Err(format!(
                "`DIANYU_MASTER_KEY` is not set; it seals stored secrets. Keep one of your own, for example \
                 DIANYU_MASTER_KEY={} (made just now, at random; `openssl rand -base64 32` makes another)",
                Self::generate().to_base64()
            ));
        };
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(text.trim())
            .unwrap_or_default();
        let key: [u8; 32] = bytes.try_into().map_err(|_| {
            "`DIANYU_MASTER_KEY` must be 32 bytes in base64 (44 characters); make one with `openssl rand -base64 32`"
        })?;
        if key.iter().all(|byte| *byte == key[0]) {
            return Err(
                "`DIANYU_MASTER_KEY` is one byte repeated; make a random one with `openssl rand -base64 32`"
                    .into(),
            );
        }
        Ok(Self(key))
    }

    pub fn generate() -> Self {
        let mut key = [0u8; 32];
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut key)
            .expect("the system gives random bytes");
        Self(key)
    }

    pub fn to_base64(&self) -> String {
        base64::engine::general_purpose::STANDARD.encode(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &'static [(&'static str, &'static str)]) -> Result<Config, String> {
        Config::read(None, |name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    const KEY: (&str, &str) = (
        "DIANYU_MASTER_KEY",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    );

    #[test]
    fn a_wrong_setting_is_named() {
        for (pairs, named) in [
            (&[][..], "DIANYU_MASTER_KEY"),
            (&[("DIANYU_MASTER_KEY", "c2hvcnQ=")][..], "DIANYU_MASTER_KEY"),
            (&[KEY, ("DIANYU_LISTEN", "8080")][..], "DIANYU_LISTEN"),
            (
                &[KEY, ("DIANYU_DATABASE_URL", "mysql://x")][..],
                "DIANYU_DATABASE_URL",
            ),
            (
                &[KEY, ("DIANYU_PUBLIC_URL", "http://crm.example.com")][..],
                "DIANYU_PUBLIC_URL",
            ),
            (&[KEY, ("DIANYU_LISTEN", "0.0.0.0:8080")][..], "DIANYU_PUBLIC_URL"),
            (&[KEY, ("DIANYU_PLAIN_HTTP", "yes")][..], "DIANYU_PLAIN_HTTP"),
            (
                &[KEY, ("DIANYU_MAX_CONNECTIONS", "0")][..],
                "DIANYU_MAX_CONNECTIONS",
            ),
            (
                &[KEY, ("DIANYU_PUBLIC_URL", "crm.example.com")][..],
                "DIANYU_PUBLIC_URL",
            ),
            (
                &[KEY, ("DIANYU_TRUSTED_PROXIES", "10.0.0.0/8, proxy")][..],
                "DIANYU_TRUSTED_PROXIES",
            ),
        ] {
            let message = with(pairs).unwrap_err();
            assert!(message.contains(named), "{message}");
        }
    }

    #[test]
    fn plain_http_stays_on_this_machine_unless_somebody_says_otherwise() {
        for pairs in [
            &[KEY, ("DIANYU_PUBLIC_URL", "http://localhost:8080")][..],
            &[KEY, ("DIANYU_PUBLIC_URL", "http://127.0.0.9:8080/")][..],
            &[KEY, ("DIANYU_PUBLIC_URL", "http://[::1]:8080")][..],
            &[KEY, ("DIANYU_PUBLIC_URL", "https://crm.example.com")][..],
            &[
                KEY,
                ("DIANYU_PUBLIC_URL", "http://10.0.0.7"),
                ("DIANYU_PLAIN_HTTP", "true"),
            ][..],
        ] {
            with(pairs).unwrap();
        }
        assert!(!is_loopback("http://localhost.evil.example"));
        assert!(!is_loopback("http://127.0.0.1.evil.example"));
        assert!(!is_loopback("http://127.0.0.1@evil.example"));
    }

    #[test]
    fn defaults_need_only_a_key() {
        let config = with(&[KEY]).unwrap();
        assert_eq!(config.listen.port(), 8080);
        assert!(config.redis_url.is_none() && config.trusted_proxies.is_empty());
        assert!(!format!("{config:?}").contains("AAECAw"));
    }
}
