//! What the benches share: a client as cheap as can be, so that it is not what is measured, and what `/proc` knows.

use std::collections::HashMap;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// The number after a flag, or `default`.
pub fn number(flag: &str, default: u64) -> anyhow::Result<u64> {
    let value = std::env::args().skip_while(|argument| argument != flag).nth(1);
    value.map_or(Ok(default), |value| {
        value.parse().with_context(|| format!("the number after {flag}"))
    })
}

/// A runtime that has the machine the reference figures are for: two cores.
pub fn two_cores() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    Ok(runtime.worker_threads(2).enable_all().build()?)
}

/// A kept-alive connection, and the last answer's body.
pub struct Line {
    stream: BufReader<TcpStream>,
    pub body: Vec<u8>,
    pub status: u16,
}

impl Line {
    pub async fn open(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::with_capacity(64 * 1024, stream),
            body: Vec::new(),
            status: 0,
        })
    }

    pub fn said(&self) -> String {
        String::from_utf8_lossy(&self.body).chars().take(300).collect()
    }

    pub async fn ask(&mut self, request: &[u8]) -> anyhow::Result<()> {
        self.stream.get_mut().write_all(request).await?;
        let mut length = 0;
        let mut header = String::new();
        loop {
            header.clear();
            anyhow::ensure!(self.stream.read_line(&mut header).await? > 0, "the server closed");
            if header.trim_end().is_empty() {
                break;
            }
            if let Some(status) = header.strip_prefix("HTTP/1.1 ") {
                self.status = status.get(..3).unwrap_or_default().parse()?;
                continue;
            }
            if let Some((name, value)) = header.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body).await?;
        Ok(())
    }
}

/// What the process holds now and held at most.
pub fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let fields: HashMap<&str, &str> = status.lines().filter_map(|line| line.split_once(':')).collect();
    let mib = |name: &str| {
        let kib = fields.get(name).and_then(|value| value.split_whitespace().next());
        kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1_024
    };
    format!("{} MiB (peak {})", mib("VmRSS"), mib("VmHWM"))
}
