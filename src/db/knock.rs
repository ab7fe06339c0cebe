//! One look at PostgreSQL's door. Its pool tries again and again where nothing listens, as a database that is being
//! started does not yet, and in the end only says that it waited: this says at once what it waited for.

use std::io;
use std::time::Duration;

use sea_orm::sqlx::postgres::PgConnectOptions;
use tokio::net::TcpStream;

use crate::error::Error;

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// A door nobody opens.
#[derive(Debug)]
pub struct Closed {
    /// `127.0.0.1:5432`; nothing else of the URL, which holds a password.
    pub address: String,
    pub why: io::Error,
}

impl From<Closed> for Error {
    fn from(Closed { address, why }: Closed) -> Self {
        Self::internal(format!(
            "no connection to the database at `{address}` ({why}); start it there, or correct `DIANYU_DATABASE_URL`"
        ))
    }
}

/// Whether somebody listens where a URL of PostgreSQL leads; with SQLite and on a socket's file nothing is to be knocked at.
pub async fn knock(url: &str) -> Result<(), Closed> {
    let Some((host, port)) = door_of(url) else {
        return Ok(());
    };
    let connecting = TcpStream::connect((host.as_str(), port));
    let connected = match tokio::time::timeout(PATIENCE, connecting).await {
        Ok(connected) => connected.map(drop),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    connected.map_err(|why| Closed {
        address: format!("{host}:{port}"),
        why,
    })
}

fn door_of(url: &str) -> Option<(String, u16)> {
    if !url.starts_with("postgres") {
        return None;
    }
    let options: PgConnectOptions = url.parse().ok()?;
    let is_file = options.get_socket().is_some() || options.get_host().starts_with('/');
    (!is_file).then(|| (options.get_host().to_owned(), options.get_port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn where_nothing_listens_the_door_is_named_without_the_password() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let url = format!("postgres://dianyu:hidden-word@127.0.0.1:{port}/dianyu");
        knock(&url).await.unwrap();
        drop(taken);
        let closed = knock(&url).await.unwrap_err();
        assert_eq!(closed.address, format!("127.0.0.1:{port}"));
        assert_eq!(closed.why.kind(), io::ErrorKind::ConnectionRefused);
        let told = Error::from(closed).to_string();
        assert!(
            told.contains(&format!("`127.0.0.1:{port}` (Connection refused")),
            "{told}"
        );
        assert_eq!(door_of("sqlite://data/dianyu.sqlite"), None);
        assert_eq!(door_of("postgres:///dianyu?host=/run/postgresql"), None);
    }
}
