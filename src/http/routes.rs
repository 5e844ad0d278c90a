//! What each path answers.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::Registry;

use super::health::{Health, Probe};
use super::status::StatusSource;
use crate::metrics::render;

const PATHS: &str = "/livez    200 unless a loop is wedged or the process cannot go on\n\
                     /readyz   200 when every assigned task is restored, every thread commits and the sink reaches its database\n\
                     /startupz 200 when the start is over\n\
                     /metrics  for Prometheus\n\
                     /status   JSON: tasks, threads, lag, sink\n\
                     The first three explain themselves with ?verbose.\n";

/// What the answers are made of.
#[derive(Clone)]
pub(super) struct Answers {
    pub(super) source: Arc<dyn StatusSource>,
    pub(super) registry: Registry,
}

pub(super) fn router(answers: Answers) -> Router {
    Router::new()
        .route("/livez", get(live))
        .route("/healthz", get(live))
        .route("/readyz", get(ready))
        .route("/startupz", get(started))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .route("/", get(async || PATHS))
        .fallback(nothing)
        .with_state(answers)
}

async fn live(State(answers): State<Answers>, query: RawQuery) -> Response {
    probe(Probe::Live, &answers, query)
}

async fn ready(State(answers): State<Answers>, query: RawQuery) -> Response {
    probe(Probe::Ready, &answers, query)
}

async fn started(State(answers): State<Answers>, query: RawQuery) -> Response {
    probe(Probe::Started, &answers, query)
}

fn probe(probe: Probe, answers: &Answers, RawQuery(query): RawQuery) -> Response {
    let health = Health::judge(probe, &answers.source.status());
    let code = if health.is_good() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let names = query.iter().flat_map(|query| query.split('&')).map(|pair| pair.split('=').next());
    let verbose = names.flatten().any(|name| name == "verbose");
    let text = if verbose { format!("{health:#}") } else { health.to_string() };
    (code, text).into_response()
}

async fn metrics(State(answers): State<Answers>) -> Response {
    match render(&answers.registry) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => failed(&error),
    }
}

async fn status(State(answers): State<Answers>) -> Response {
    match serde_json::to_string_pretty(&answers.source.status()) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text + "\n").into_response(),
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn std::error::Error) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response()
}

async fn nothing(uri: Uri) -> Response {
    (StatusCode::NOT_FOUND, format!("there is no {}; there is\n{PATHS}", uri.path())).into_response()
}
