//! Counts what is asked of a cluster.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use http::{Method, Request};

/// How often the cluster was asked, by what.
#[derive(Debug, Clone, Default)]
pub(crate) struct Requests(Arc<Mutex<BTreeMap<String, u64>>>);

impl Requests {
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, method: &Method, path: &str, query: &str) {
        // `/api/v1/namespaces/NAMESPACE/pods/NAME/log`
        let mut parts = path.split('/').skip(5);
        let (resource, _name, sub) = (parts.next(), parts.next(), parts.next());
        let what = match (method.as_str(), resource) {
            (_, None) => "other".to_owned(),
            ("GET", Some(resource)) if query.contains("watch=true") => format!("watch {resource}"),
            ("GET", Some(resource)) => match sub {
                Some(sub) => format!("get {resource}/{sub}"),
                None => format!("list {resource}"),
            },
            ("POST", Some(resource)) => format!("create {resource}"),
            (method, Some(resource)) => format!("{} {resource}", method.to_lowercase()),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
    }
}

#[derive(Clone)]
pub(crate) struct Count(pub(crate) Requests);

#[derive(Clone)]
pub(crate) struct Counted<S> {
    requests: Requests,
    inner: S,
}

impl<S> tower::Layer<S> for Count {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { requests: self.0.clone(), inner }
    }
}

impl<S: tower::Service<Request<B>>, B> tower::Service<Request<B>> for Counted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let uri = request.uri();
        self.requests.count(request.method(), uri.path(), uri.query().unwrap_or_default());
        self.inner.call(request)
    }
}
