//! The accept loop: how many connections there may be, how many from one address, how long one may say nothing, and
//! how long a stop waits for those that are open.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::address::Network;

/// How long a connection may take over the head of a request, and lie idle between two.
const HEAD: Duration = Duration::from_secs(10);
/// How long a stop waits for requests under way.
const DRAIN: Duration = Duration::from_secs(20);
/// Bytes of a request kept while its head is read; longer heads are refused.
const HEAD_BYTES: usize = 64 * 1024;
/// Out of file descriptors, only time helps.
const PAUSE: Duration = Duration::from_secs(1);

/// What a listener allows.
#[derive(Clone)]
pub struct Limits {
    /// Beyond these, callers wait in the system's queue.
    pub connections: usize,
    /// Beyond these, an address is hung up on, unless it is trusted.
    pub per_address: usize,
    /// Whose connections are not counted by address: a proxy speaks for many.
    pub trusted: Vec<Network>,
    pub head: Duration,
    pub drain: Duration,
}

impl Limits {
    /// At most `connections`, as far as the process may open files: a quarter of those is for the database, the
    /// platform and the disk.
    pub fn new(connections: usize, per_address: usize, trusted: Vec<Network>) -> Self {
        let openable = open_files().map_or(usize::MAX, |files| files - files / 4);
        Self {
            connections: connections.min(openable).max(1),
            per_address,
            trusted,
            head: HEAD,
            drain: DRAIN,
        }
    }
}

/// How many files this process may have open, where the system says so in `/proc`.
fn open_files() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Serves until `stop`; then requests under way have a while to end before their connections are dropped.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let mut open = JoinSet::new();
    tokio::select! {
        () = stop.cancelled() => {}
        () = accept(&listener, &router, &limits, &stop, &mut open) => {}
    }
    drop(listener);
    let ended = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, ended).await.is_err() {
        tracing::warn!(connections = open.len(), "dropped connections that did not end");
        open.shutdown().await;
    }
}

async fn accept(
    listener: &TcpListener,
    router: &Router,
    limits: &Limits,
    stop: &CancellationToken,
    open: &mut JoinSet<()>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let visitors = Visitors::default();
    // A closed semaphore would end the loop; nobody closes this one.
    while let Ok(place) = places.clone().acquire_owned().await {
        while open.try_join_next().is_some() {}
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                pause_after(&error).await;
                continue;
            }
        };
        let Some(visit) = visitors.enter(peer.ip(), limits) else {
            tracing::debug!("hung up on an address with too many connections");
            continue;
        };
        let (router, stop, head) = (router.clone(), stop.clone(), limits.head);
        open.spawn(async move {
            answer(stream, peer, router, head, stop).await;
            drop((place, visit));
        });
    }
}

/// A caller who gave up meanwhile costs nothing; anything else is ours and would come back at once.
async fn pause_after(error: &std::io::Error) {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        return;
    }
    tracing::error!(%error, "no connection could be accepted");
    tokio::time::sleep(PAUSE).await;
}

/// Answers the requests of one connection; after `stop` only the one under way.
async fn answer(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    head: Duration,
    stop: CancellationToken,
) {
    // Events of a live page are small and should leave at once; without it they only leave later.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let router = router.clone();
        async move { router.oneshot(request.map(Body::new)).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // How a connection ends badly is its caller's affair: broken off, too slow, no HTTP.
    let _ = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
}

/// Open connections by address.
#[derive(Clone, Default)]
struct Visitors(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection counted, until dropped.
struct Visit(Option<(Visitors, IpAddr)>);

impl Visitors {
    /// `None`: this address has as many as it may.
    fn enter(&self, address: IpAddr, limits: &Limits) -> Option<Visit> {
        if limits.trusted.iter().any(|network| network.contains(address)) {
            return Some(Visit(None));
        }
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if *count >= limits.per_address {
            return None;
        }
        *count += 1;
        Some(Visit(Some((self.clone(), address))))
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let Some((visitors, address)) = self.0.take() else {
            return;
        };
        let mut open = visitors.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::task::JoinHandle;

    const LONG: Duration = Duration::from_secs(3_600);

    fn limits() -> Limits {
        Limits {
            head: LONG,
            drain: LONG,
            ..Limits::new(100, 100, Vec::new())
        }
    }

    struct House {
        address: SocketAddr,
        stop: CancellationToken,
        serving: JoinHandle<()>,
    }

    impl House {
        async fn open(limits: Limits) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let router = Router::new()
                .route("/", get(async || "hello"))
                .route("/never", get(std::future::pending::<&'static str>))
                .route("/read", axum::routing::post(async |body: String| body));
            let stop = CancellationToken::new();
            let serving = tokio::spawn(serve(listener, router, limits, stop.clone()));
            Self {
                address,
                stop,
                serving,
            }
        }

        async fn connect(&self) -> TcpStream {
            TcpStream::connect(self.address).await.unwrap()
        }

        /// All that is said to a request, until the connection ends.
        async fn ask(&self) -> String {
            let mut stream = self.connect().await;
            let asked = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
            if stream.write_all(asked).await.is_err() {
                return String::new();
            }
            rest(stream).await
        }
    }

    /// Everything until the other side hangs up; a reset counts as hanging up.
    async fn rest(mut stream: TcpStream) -> String {
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said).await;
        String::from_utf8_lossy(&said).into_owned()
    }

    #[tokio::test]
    async fn a_silent_connection_is_hung_up_on() {
        let house = House::open(Limits {
            head: Duration::from_millis(20),
            ..limits()
        })
        .await;
        let silent = house.connect().await;
        let mut half = house.connect().await;
        half.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
        rest(silent).await;
        rest(half).await;
    }

    #[tokio::test]
    async fn silent_connections_take_no_more_than_their_places() {
        let house = House::open(Limits {
            connections: 2,
            head: Duration::from_millis(20),
            ..limits()
        })
        .await;
        let mut silent = Vec::new();
        for _ in 0..8 {
            silent.push(house.connect().await);
        }
        // A test slower than `head` is hung up on like the silent, so it tries again.
        while !house.ask().await.ends_with("hello") {}
    }

    #[tokio::test]
    async fn an_address_has_so_many_connections_and_no_more() {
        let house = House::open(Limits {
            per_address: 1,
            ..limits()
        })
        .await;
        let mut first = house.connect().await;
        first
            .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        first.read_u8().await.unwrap();
        assert_eq!(house.ask().await, "", "hung up on");
        drop(first);
        while house.ask().await.is_empty() {}
    }

    #[tokio::test]
    async fn a_trusted_proxy_speaks_for_many() {
        let house = House::open(Limits {
            per_address: 0,
            trusted: vec![Network::parse("127.0.0.0/8").unwrap()],
            ..limits()
        })
        .await;
        assert!(house.ask().await.ends_with("hello"));
    }

    #[tokio::test]
    async fn a_stop_does_not_wait_for_a_request_that_never_ends() {
        let house = House::open(Limits {
            drain: Duration::from_millis(20),
            ..limits()
        })
        .await;
        let mut half = house.connect().await;
        half.write_all(b"POST /read HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf")
            .await
            .unwrap();
        let mut never = house.connect().await;
        never
            .write_all(b"GET /never HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        assert!(house.ask().await.ends_with("hello"));
        house.stop.cancel();
        house.serving.await.unwrap();
        assert_eq!(rest(half).await + &rest(never).await, "");
    }

    #[tokio::test]
    async fn a_stop_lets_a_request_under_way_end() {
        let house = House::open(limits()).await;
        let mut posting = house.connect().await;
        posting
            .write_all(b"POST /read HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n")
            .await
            .unwrap();
        // "100 Continue": the handler is reading.
        let mut line = [0; 25];
        posting.read_exact(&mut line).await.unwrap();
        house.stop.cancel();
        posting.write_all(b"done").await.unwrap();
        assert!(rest(posting).await.ends_with("done"));
        house.serving.await.unwrap();
    }

    #[test]
    fn connections_stay_below_the_files_one_may_open() {
        let files = open_files().unwrap_or(usize::MAX);
        assert!(Limits::new(usize::MAX, 1, Vec::new()).connections <= files);
        assert_eq!(Limits::new(7, 1, Vec::new()).connections, 7.min(files));
    }
}
