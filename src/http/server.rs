//! The listening socket and its life.

use std::future::IntoFuture as _;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use prometheus::Registry;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::routes::{Answers, router};
use super::status::StatusSource;

/// Why the endpoints cannot be served.
#[derive(Debug, Error)]
pub enum HttpError {
    /// Another process has the address.
    #[error(
        "http.listen: {address} is in use by another process; set http.listen to a free address \
         (port 0 takes \
         one), or stop that process"
    )]
    InUse {
        /// The address.
        address: SocketAddr,
    },
    /// The address is not this host's, or the port needs rights.
    #[error("http.listen: cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

/// The endpoints while they are served; they end with it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens on `listen` and answers on the threads of `runtime` from now on.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn start(
        listen: SocketAddr,
        source: Arc<dyn StatusSource>,
        registry: Registry,
        runtime: &Handle,
    ) -> Result<Self, HttpError> {
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => HttpError::InUse { address: listen },
            _ => HttpError::Listen { address: listen, source },
        };
        let listener = TcpListener::bind(listen).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let _inside = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener).map_err(refused)?;
        let serve = axum::serve(listener, router(Answers { source, registry })).into_future();
        let task = runtime.spawn(async move {
            if let Err(error) = serve.await {
                tracing::error!(%error, "the HTTP endpoints ended");
            }
        });
        Ok(Self { address, task })
    }

    /// Returns the address that is listened on, the port as taken.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
