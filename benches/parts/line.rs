//! A client as cheap as can be, so that it is not what is measured.

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

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
