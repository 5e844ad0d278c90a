//! The endpoints over real sockets.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Mutex;

use tokio::runtime::Runtime;

use super::*;
use crate::http::status::Status;
use crate::metrics::{About, InstanceState, Metrics};

struct Fixed(Mutex<Status>);

impl StatusSource for Fixed {
    fn status(&self) -> Status {
        self.0.lock().unwrap().clone()
    }
}

struct Served {
    source: Arc<Fixed>,
    server: Server,
    _runtime: Runtime,
}

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn serve() -> Served {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let source = Arc::new(Fixed(Mutex::new(Status::starting("app", "one"))));
    let metrics = Metrics::new(&About { app: "app".to_owned(), ..About::default() }).unwrap();
    let registry = metrics.registry().clone();
    let server = Server::start(ANY_PORT, Arc::<Fixed>::clone(&source), registry, runtime.handle()).unwrap();
    Served { source, server, _runtime: runtime }
}

/// Returns status code, headers and body.
fn get(served: &Served, path: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(served.server.address()).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), head.to_lowercase(), body.to_owned())
}

#[test]
fn probes_follow_the_status() {
    let served = serve();
    assert_eq!(get(&served, "/livez").0, 200);
    assert_eq!(get(&served, "/startupz").0, 503);
    let (code, _, body) = get(&served, "/readyz");
    assert_eq!((code, body.as_str()), (503, "[-] group: waits for the first assignment of app\nfailed\n"));
    {
        let mut status = served.source.0.lock().unwrap();
        status.state = InstanceState::Running;
        status.generation = Some(1);
    }
    assert_eq!(get(&served, "/readyz"), (200, get(&served, "/readyz").1, "ok\n".to_owned()));
    let (_, _, body) = get(&served, "/readyz?verbose");
    assert!(body.contains("[+] group: app in generation 1\n"), "{body}");
    served.source.0.lock().unwrap().wedged = Some("thread 0 for 60 s".to_owned());
    for path in ["/livez", "/healthz"] {
        let (code, _, body) = get(&served, path);
        assert!(code == 503 && body.contains("thread 0 for 60 s"), "{code} {body}");
    }
}

#[test]
fn metrics_and_status_say_what_they_are() {
    let served = serve();
    let (code, head, body) = get(&served, "/metrics");
    assert_eq!(code, 200);
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert!(body.contains("# TYPE millpond_transactions_total counter"), "{body}");
    let (code, head, body) = get(&served, "/status");
    assert_eq!(code, 200);
    assert!(head.contains("content-type: application/json"), "{head}");
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(json["instance"], "one");
    assert_eq!(json["state"], "created");
}

#[test]
fn the_root_and_unknown_paths_list_what_there_is() {
    let served = serve();
    assert_eq!(get(&served, "/").0, 200);
    let (code, _, body) = get(&served, "/nosuch");
    assert!(code == 404 && body.starts_with("there is no /nosuch") && body.contains("/readyz"), "{body}");
}

#[test]
fn an_address_in_use_names_the_key_to_change() {
    let served = serve();
    let address = served.server.address();
    let registry = prometheus::Registry::new();
    let source = Arc::<Fixed>::clone(&served.source);
    let error = Server::start(address, source, registry, served._runtime.handle()).unwrap_err().to_string();
    assert!(error.contains("http.listen") && error.contains(&address.to_string()), "{error}");
}
