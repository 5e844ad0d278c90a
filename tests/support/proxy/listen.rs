//! The proxy itself: listeners, one for each broker, and what all connections share.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;

use super::connection::serve;
use super::frame::Request;
use super::rule::{Direction, Fault, Match, Rule, lock};

/// A proxy with threads of its own; it ends when it is dropped.
pub(crate) struct Proxy {
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
    port: u16,
}

/// What all connections share.
pub(super) struct Shared {
    rules: Mutex<Vec<Arc<Rule>>>,
    /// Port of the listener for each broker.
    ports: Mutex<BTreeMap<String, u16>>,
    frozen: watch::Sender<bool>,
    /// Changes when all connections are to be cut.
    pub(super) cuts: watch::Sender<u64>,
    connections: AtomicU64,
    handle: Handle,
}

impl Proxy {
    /// Starts a proxy before the broker at `upstream` (`host:port`) and those that it names.
    pub(crate) fn start(upstream: &str) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap_or_else(|error| panic!("runtime: {error}"));
        let shared = Arc::new(Shared {
            rules: Mutex::default(),
            ports: Mutex::default(),
            frozen: watch::Sender::new(false),
            cuts: watch::Sender::new(0),
            connections: AtomicU64::new(0),
            handle: runtime.handle().clone(),
        });
        let port = shared.listener(upstream);
        Self { shared, runtime: Some(runtime), port }
    }

    /// Returns the bootstrap servers to give to clients.
    pub(crate) fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Puts a rule to work; among several that fit a frame the one added first is asked first.
    pub(crate) fn rule(&self, name: &str, matching: Match, fault: Fault) -> Arc<Rule> {
        let rule = Rule::new(name, matching, fault);
        lock(&self.shared.rules).push(Arc::clone(&rule));
        rule
    }

    /// Returns how many frames all rules together have hit.
    pub(crate) fn hits(&self) -> usize {
        lock(&self.shared.rules).iter().map(|rule| rule.hits()).sum()
    }

    /// Passes nothing on, either way, on any connection, without closing one; new ones are taken and are as silent.
    pub(crate) fn freeze(&self) {
        self.shared.frozen.send_replace(true);
    }

    /// Passes on what waited, in its order, and everything after it.
    pub(crate) fn thaw(&self) {
        self.shared.frozen.send_replace(false);
    }

    /// Cuts all connections; new ones are served.
    pub(crate) fn cut_all(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Returns the number of connections taken.
    pub(crate) fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    pub(super) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::SeqCst)
    }

    /// Returns the rule that hits a frame.
    pub(super) fn rule(&self, way: Direction, connection: u64, request: &Request) -> Option<Arc<Rule>> {
        let rules = lock(&self.rules).clone();
        rules.into_iter().find(|rule| rule.hit(way, connection, request))
    }

    pub(super) async fn thawed(&self) {
        let mut frozen = self.frozen.subscribe();
        let _ = frozen.wait_for(|frozen| !frozen).await;
    }

    /// Returns the port of the listener for a broker, which is opened when there is none.
    pub(super) fn port_of(self: &Arc<Self>, host: &str, port: i32) -> i32 {
        self.listener(&format!("{host}:{port}")).into()
    }

    fn listener(self: &Arc<Self>, upstream: &str) -> u16 {
        let mut ports = lock(&self.ports);
        if let Some(port) = ports.get(upstream) {
            return *port;
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("listen: {error}"));
        let port = listener.local_addr().map_or(0, |address| address.port());
        assert!(listener.set_nonblocking(true).is_ok(), "listen");
        ports.insert(upstream.to_owned(), port);
        let (shared, upstream) = (Arc::clone(self), upstream.to_owned());
        self.handle.spawn(async move {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(Arc::clone(&shared), upstream.clone(), client));
            }
        });
        port
    }
}
