//! One client's connection: its requests to the broker, the broker's replies back.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::frame::{self, Request};
use super::listen::Shared;
use super::rewrite::rewrite;
use super::rule::{Direction, Fault, lock};

/// What was asked on a connection, by correlation id, with the number of replies that are to be swallowed.
type Asked = Mutex<HashMap<i32, (Request, usize)>>;

struct Connection {
    id: u64,
    upstream: String,
    shared: Arc<Shared>,
    asked: Asked,
}

/// Serves `client` until one of both sides or a fault ends it.
pub(super) async fn serve(shared: Arc<Shared>, upstream: String, client: TcpStream) {
    let mut cuts = shared.cuts.subscribe();
    let Ok(server) = TcpStream::connect(&upstream).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let connection = Connection { id: shared.next_connection(), upstream, shared, asked: Asked::default() };
    // Whatever ends first drops both sockets.
    tokio::select! {
        _ = connection.requests(from_client, to_server) => {}
        _ = connection.replies(from_server, to_client) => {}
        _ = cuts.changed() => {}
    }
}

impl Connection {
    async fn requests(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
        loop {
            let frame = frame::read(&mut from).await?;
            let request = Request::read(frame).ok_or(io::ErrorKind::InvalidData)?;
            let rule = self.shared.rule(Direction::Request, self.id, &request);
            let mut copies = 1;
            match rule.as_ref().map(|rule| rule.fault) {
                None => {}
                Some(Fault::Hold) => self.hold(rule).await,
                Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
                Some(Fault::Swallow) => continue,
                Some(Fault::Duplicate) => copies = 2,
                Some(Fault::Copy) => self.keep(rule, &request),
                Some(Fault::KeepAndCut) => {
                    self.keep(rule, &request);
                    return Ok(());
                }
                Some(Fault::Cut) => return Ok(()),
            }
            self.shared.thawed().await;
            let frame = request.frame.clone();
            lock(&self.asked).insert(request.correlation, (request, copies - 1));
            for _ in 0..copies {
                frame::write(&mut to, &frame).await?;
            }
        }
    }

    async fn replies(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
        loop {
            let mut reply = frame::read(&mut from).await?;
            let correlation = frame::correlation(&reply).ok_or(io::ErrorKind::InvalidData)?;
            let Some(request) = self.answered(correlation) else { continue };
            let rule = self.shared.rule(Direction::Reply, self.id, &request);
            match rule.as_ref().map(|rule| rule.fault) {
                None | Some(Fault::Copy | Fault::Duplicate) => {}
                Some(Fault::Hold) => self.hold(rule).await,
                Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
                Some(Fault::Swallow) => continue,
                Some(Fault::KeepAndCut | Fault::Cut) => return Ok(()),
            }
            self.shared.thawed().await;
            let port_of = |host: &str, port: i32| self.shared.port_of(host, port);
            if let Some(changed) = rewrite(request.api, request.version, &reply, &port_of) {
                reply = changed;
            }
            frame::write(&mut to, &reply).await?;
        }
    }

    /// Returns what a reply answers; `None` for the reply to a duplicate.
    fn answered(&self, correlation: i32) -> Option<Request> {
        let mut asked = lock(&self.asked);
        let (request, surplus) = asked.remove(&correlation)?;
        if surplus > 0 {
            asked.insert(correlation, (request, surplus - 1));
            return None;
        }
        Some(request)
    }

    async fn hold(&self, rule: Option<Arc<super::Rule>>) {
        if let Some(rule) = rule {
            rule.released().await;
        }
    }

    fn keep(&self, rule: Option<Arc<super::Rule>>, request: &Request) {
        if let Some(rule) = rule {
            rule.keep(&self.upstream, request.clone());
        }
    }
}
