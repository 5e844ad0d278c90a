//! A TCP proxy before PostgreSQL that swallows replies to COMMIT.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Every third COMMIT goes through, but the connection breaks before its reply; every sixth of those breaks
/// before the COMMIT itself.
pub(crate) struct Proxy {
    address: String,
    cut: Arc<Cut>,
}

/// What got lost: replies to a COMMIT that the server had, and COMMITs.
#[derive(Default)]
struct Cut {
    replies: AtomicUsize,
    commits: AtomicUsize,
}

impl Proxy {
    /// Starts a proxy before the server of this URL.
    pub(crate) async fn start(url: &str) -> Self {
        let upstream = authority(url).to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
        let address = listener.local_addr().expect("address").to_string();
        let (cut, commits) = (Arc::new(Cut::default()), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&cut);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&upstream).await.expect("upstream");
                client.set_nodelay(true).expect("nodelay");
                server.set_nodelay(true).expect("nodelay");
                tokio::spawn(forward(client, server, Arc::clone(&commits), Arc::clone(&counted)));
            }
        });
        Self { address, cut }
    }

    /// The same URL, by way of the proxy.
    pub(crate) fn url(&self, url: &str) -> String {
        url.replace(authority(url), &self.address)
    }

    /// Returns how many replies were swallowed after the server had the COMMIT, and how many COMMITs were.
    pub(crate) fn cut(&self) -> (usize, usize) {
        (self.cut.replies.load(Ordering::SeqCst), self.cut.commits.load(Ordering::SeqCst))
    }
}

fn authority(url: &str) -> &str {
    let rest = url.split_once("://").expect("a URL").1;
    let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
    rest.split(['/', '?']).next().expect("an address")
}

async fn forward(mut client: TcpStream, mut server: TcpStream, commits: Arc<AtomicUsize>, cut: Arc<Cut>) {
    let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Some(bytes) = read.ok().filter(|n| *n > 0).map(|n| up[..n].to_vec()) else { return };
                if bytes.windows(6).any(|word| word == b"COMMIT") {
                    let number = commits.fetch_add(1, Ordering::SeqCst) + 1;
                    if number.is_multiple_of(18) {
                        cut.commits.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                    if number.is_multiple_of(3) {
                        cut.replies.fetch_add(1, Ordering::SeqCst);
                        let _ = server.write_all(&bytes).await;
                        // The server commits; its reply stays here.
                        tokio::time::sleep(Duration::from_millis(if number.is_multiple_of(2) { 0 } else { 30 })).await;
                        return;
                    }
                }
                if server.write_all(&bytes).await.is_err() { return }
            }
            read = server.read(&mut down) => {
                let Some(bytes) = read.ok().filter(|n| *n > 0).map(|n| down[..n].to_vec()) else { return };
                if client.write_all(&bytes).await.is_err() { return }
            }
        }
    }
}
