//! All routes. A handler is registered here by one line, which also puts it into the OpenAPI document.

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    extract::DefaultBodyLimit,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::get,
};
use http::StatusCode;
use stroem_api::ErrorBody;
use stroem_app::App;
use stroem_core::limits;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    auth::{self, Access},
    live, page,
    public::{self, metrics::Requests},
    worker,
};

#[derive(OpenApi)]
#[openapi(info(
    title = "Strøm",
    description = "Workflow orchestration: tasks as YAML, jobs as DAGs of steps, run on hosts, in containers or as pods.",
    license(name = "MIT OR Apache-2.0")
))]
struct Document;

fn documented() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(public::healthz::healthz))
        .routes(routes!(public::metrics::metrics))
        .routes(routes!(auth::routes::login))
        .routes(routes!(auth::routes::logout))
        .routes(routes!(auth::routes::refresh))
        .routes(routes!(auth::routes::me))
        .routes(routes!(public::workspaces::list))
        .routes(routes!(public::workspaces::refresh))
        .routes(routes!(public::tasks::list_all))
        .routes(routes!(public::tasks::list))
        .routes(routes!(public::tasks::show))
        .routes(routes!(public::tasks::execute))
        .routes(routes!(public::history::task))
        .routes(routes!(public::jobs::list))
        .routes(routes!(public::jobs::show))
        .routes(routes!(public::jobs::cancel))
        .routes(routes!(public::jobs::rerun))
        .routes(routes!(public::jobs::explain))
        .routes(routes!(public::logs::job))
        .routes(routes!(public::logs::step))
        .routes(routes!(public::log_tools::map))
        .routes(routes!(public::log_tools::search))
        .routes(routes!(public::log_tools::download))
        .routes(routes!(live::sse::events))
        .routes(routes!(live::websocket::stream))
        .routes(routes!(public::workers::list))
        .routes(routes!(public::workers::show))
        .routes(routes!(public::workers::drain))
        .routes(routes!(public::workers::resume))
        .routes(routes!(public::stats::stats))
        .routes(routes!(public::history::activity))
        .routes(routes!(public::history::waiting))
        .routes(routes!(live::changes::events))
}

/// The OpenAPI 3.1 document of the public API.
pub fn openapi() -> utoipa::openapi::OpenApi {
    documented().into_openapi()
}

/// The whole server as a router, open to everybody who reaches it.
pub fn router(app: App) -> Router {
    guarded_router(app, Access::open())
}

/// The whole server as a router that asks who somebody is.
pub fn guarded_router(app: App, access: Access) -> Router {
    let (access, requests) = (Arc::new(access), Requests::of(&app));
    let (public, document) = documented().split_for_parts();
    let document = Arc::new(document);
    public
        .route("/api/openapi.json", get(move || async move { Json(document.as_ref().clone()) }))
        .merge(worker::routes())
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(usize::try_from(limits::REQUEST_BODY.as_bytes()).unwrap_or(usize::MAX)))
        .layer(Extension(Arc::clone(&access)))
        .layer(from_fn_with_state((access, app.clone()), auth::check))
        .layer(from_fn_with_state((requests, app.clone()), public::metrics::count))
        .with_state(app)
}

async fn not_found(method: http::Method, uri: http::Uri, headers: http::HeaderMap) -> Response {
    if let Some(answer) = page::answer(&method, &uri, &headers) {
        return answer;
    }
    let body = ErrorBody {
        error: format!("there is nothing at {}; /api/openapi.json describes the API", uri.path()),
        code: "no_such_path".to_owned(),
        details: Vec::new(),
    };
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// Clients are generated from the document: two operations of one name, or a path parameter that is not in its path,
    /// would give calls that cannot work.
    #[test]
    fn a_client_can_be_made_from_the_document() {
        let document = serde_json::to_value(super::openapi()).expect("a document");
        let mut names = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().expect("paths") {
            for operation in operations.as_object().expect("operations").values() {
                let name = operation["operationId"].as_str().expect("a name");
                assert!(names.insert(name.to_owned()), "two operations are named {name}");
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    let in_path =
                        path.contains(&format!("{{{}}}", parameter["name"].as_str().expect("a name")));
                    assert_eq!(parameter["in"] == "path", in_path, "{path}: {parameter}");
                }
            }
        }
    }
}
