//! What each route needs. Closed by default: a route that nobody thought of here needs `read` to look and `admin` for
//! anything else.

use http::Method;

use super::tokens::Role;

/// Without a token: whether the server lives, and the way in and out. The worker protocol asks for its own tokens.
const OPEN: &[(&str, &str)] =
    &[("GET", "/healthz"), ("POST", "/api/auth/login"), ("POST", "/api/auth/logout")];

/// What changes something and still needs less than `admin`.
const LESS: &[(&str, &str, Role)] = &[
    ("POST", "/api/auth/refresh", Role::Read),
    ("POST", "/api/workspaces/{ws}/tasks/{task}/execute", Role::Run),
    ("POST", "/api/workspaces/{ws}/refresh", Role::Run),
    ("POST", "/api/jobs/{id}/cancel", Role::Run),
    ("POST", "/api/jobs/{id}/rerun", Role::Run),
];

/// Roots of what programs call; other paths that no route takes are the page's, which shows nothing by itself.
const OF_PROGRAMS: &[&str] = &["/api", "/hooks", "/mcp", "/metrics"];

/// The smallest role for a request; none when anybody may send it. `route` is the pattern of the route that takes it.
pub(super) fn need(method: &Method, route: Option<&str>, path: &str) -> Option<Role> {
    // HEAD is answered by the handlers of GET.
    let name = if *method == Method::HEAD { "GET" } else { method.as_str() };
    let Some(route) = route else {
        let of_programs = OF_PROGRAMS
            .iter()
            .any(|root| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
        return of_programs.then_some(Role::Read);
    };
    if route.starts_with("/worker/") || OPEN.contains(&(name, route)) {
        return None;
    }
    if let Some((_, _, role)) = LESS.iter().find(|(verb, path, _)| *verb == name && *path == route) {
        return Some(*role);
    }
    Some(if name == "GET" { Role::Read } else { Role::Admin })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_thought_of_is_closed() {
        let need = |method: &str, route| need(&method.parse().expect("a method"), route, "/api/new");
        assert_eq!(need("GET", Some("/api/new")), Some(Role::Read));
        assert_eq!(need("HEAD", Some("/api/new")), Some(Role::Read));
        assert_eq!(need("POST", Some("/api/new")), Some(Role::Admin));
        assert_eq!(need("DELETE", Some("/healthz")), Some(Role::Admin));
        assert_eq!(need("GET", None), Some(Role::Read));
    }

    #[test]
    fn the_page_is_open_and_shows_nothing_by_itself() {
        for path in ["/", "/jobs/1", "/assets/a.js", "/apiary"] {
            assert_eq!(need(&Method::GET, None, path), None, "{path}");
        }
    }
}
