//! The operator's port: every part's metrics on one page.

mod merge;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use futures_util::future::join_all;
use reqwest::Client;
use service_kit::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::merge::Merged;

/// The type of the OpenMetrics text format.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A part of the platform that tells metrics of its own.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    /// Where its metrics are.
    pub(crate) url: String,
}

/// Which samples of the merged page are meant: those of a name that have these labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) labels: &'static [(&'static str, &'static str)],
}

impl Metric {
    /// Of the dataflow job, whatever its other labels.
    pub(crate) const fn of_job(name: &'static str) -> Self {
        Metric { name, labels: &[("part", "dataflow")] }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<_> = self.labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        write!(f, "{}{{{}}}", self.name, labels.join(","))
    }
}

/// Everything that tells metrics.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    client: Client,
    parts: Arc<Vec<Part>>,
}

impl Parts {
    pub(crate) fn new(parts: Vec<Part>) -> Result<Self, Error> {
        Ok(Parts { client: service_kit::client::new()?, parts: Arc::new(parts) })
    }

    /// All metrics of the moment; those of a part that does not answer are left out.
    pub(crate) async fn read(&self) -> Merged {
        let ask = |part: &Part| {
            let (request, name) = (self.client.get(&part.url), part.name);
            async move {
                let text = async { request.send().await?.error_for_status()?.text().await };
                match text.await {
                    Ok(text) => Some((name, text)),
                    Err(error) => {
                        tracing::debug!(part = name, %error, "no metrics");
                        None
                    }
                }
            }
        };
        let mut merged = Merged::default();
        for (name, text) in join_all(self.parts.iter().map(ask)).await.into_iter().flatten() {
            merged.add(name, &text);
        }
        merged
    }

    /// The page for people.
    fn page(&self) -> String {
        let row = |part: &Part| format!("<li>{}: <a href=\"{url}\">{url}</a></li>\n", part.name, url = part.url);
        let rows: String = self.parts.iter().map(row).collect();
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Footfall: metrics</title></head><body>\n\
             <h1>Metrics</h1>\n<p><a href=\"/metrics\">Of all parts, with a label <code>part</code></a></p>\n<ul>\n{rows}</ul>\n\
             </body></html>\n"
        )
    }
}

/// Serves the metrics of all parts until `stop`; returns where.
///
/// # Errors
/// Where the address cannot be listened on.
pub(crate) async fn start(address: SocketAddr, parts: Parts, stop: CancellationToken) -> Result<String, Error> {
    let unusable = |error| {
        Error::Failed(format!("cannot serve metrics on {address}: {error}; choose another address with --admin-addr"))
    };
    let listener = TcpListener::bind(address).await.map_err(unusable)?;
    let bound = listener.local_addr().map_err(unusable)?;
    let router = Router::new()
        .route("/", get(|State(parts): State<Parts>| async move { Html(parts.page()) }))
        .route("/metrics", get(metrics))
        .with_state(parts);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await {
            tracing::error!(%error, "the page of metrics has failed");
        }
    });
    Ok(format!("http://{bound}"))
}

async fn metrics(State(parts): State<Parts>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], parts.read().await.to_string())
}
