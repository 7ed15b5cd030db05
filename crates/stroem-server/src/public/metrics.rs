//! `GET /metrics`, and what is counted of requests.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::header;
use prometheus_client::metrics::{counter::Counter, family::Family, histogram::Histogram};
use stroem_api::ErrorBody;
use stroem_app::{App, SECONDS_BUCKETS};

use crate::error::HttpError;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Numbers for Prometheus. Counters and histograms are of this server since its start, gauges are of all.
#[utoipa::path(
    get, path = "/metrics", tag = "server",
    responses((status = 200, description = "OpenMetrics text", content_type = "application/openmetrics-text", body = String), (status = 401, body = ErrorBody)),
)]
pub(crate) async fn metrics(State(app): State<App>) -> Result<Response, HttpError> {
    let text = app.metrics_text().await?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}

type Labels = Vec<(&'static str, String)>;
type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// Requests by method, route and status. Paths of the page count as one route.
#[derive(Debug, Clone)]
pub(crate) struct Requests {
    total: Family<Labels, Counter>,
    seconds: Histograms,
}

impl Requests {
    pub(crate) fn of(app: &App) -> Arc<Self> {
        let seconds = Histograms::new_with_constructor(|| Histogram::new(SECONDS_BUCKETS));
        let requests = Self { total: Family::default(), seconds };
        app.metrics().register(|registry| {
            registry.register("http_requests", "Requests that were answered", requests.total.clone());
            let help = "Seconds to the head of the answer; a worker's poll waits for work";
            registry.register("http_request_duration_seconds", help, requests.seconds.clone());
        });
        Arc::new(requests)
    }
}

/// The middleware of all routes.
pub(crate) async fn count(
    State((requests, app)): State<(Arc<Requests>, App)>,
    request: Request,
    next: Next,
) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(|| "*".to_owned(), |route| route.as_str().to_owned());
    // A method is the client's own word, and each word would be a series of its own.
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let method = known.into_iter().find(|known| *known == request.method().as_str()).unwrap_or("other");
    let began = app.now();
    let response = next.run(request).await;
    let micros = app.now().as_micros().saturating_sub(began.as_micros()).max(0).unsigned_abs();
    let mut labels = vec![("method", method.to_owned()), ("path", route)];
    let seconds = std::time::Duration::from_micros(micros).as_secs_f64();
    requests.seconds.get_or_create(&labels).observe(seconds);
    labels.push(("status", response.status().as_u16().to_string()));
    requests.total.get_or_create(&labels).inc();
    response
}
