//! Which crate may depend on which, and where the heavy dependencies live. Read from `cargo metadata`; normal
//! and build dependencies count, development dependencies do not (they never reach a user).

use super::Problem;
use crate::repo::{Dependency, DependencyKind, Package};

/// A crate and the crates of ours that it may name. A name that ends in `*` stands for all adapters of a port.
/// The two service programs live in their libraries' packages, so each may name its adapters; that only the
/// program does is another rule (see `rust.rs`).
const EDGES: &[(&str, &[&str])] = &[
    ("stroem-core", &[]),
    ("stroem-workflow", &["stroem-core"]),
    ("stroem-engine", &["stroem-core", "stroem-workflow"]),
    ("stroem-store", &["stroem-core", "stroem-workflow", "stroem-engine"]),
    ("stroem-store-*", &["stroem-core", "stroem-workflow", "stroem-engine", "stroem-store"]),
    ("stroem-runner", &["stroem-core"]),
    ("stroem-runner-*", &["stroem-core", "stroem-runner"]),
    ("stroem-source", &["stroem-core"]),
    ("stroem-blobs", &["stroem-core"]),
    ("stroem-logs", &["stroem-core"]),
    ("stroem-api", &["stroem-core"]),
    ("stroem-config", &["stroem-core"]),
    (
        "stroem-app",
        &[
            "stroem-core",
            "stroem-workflow",
            "stroem-engine",
            "stroem-store",
            "stroem-logs",
            "stroem-source",
            "stroem-blobs",
        ],
    ),
    (
        "stroem-server",
        &[
            "stroem-core",
            "stroem-workflow",
            "stroem-app",
            "stroem-api",
            "stroem-config",
            "stroem-store",
            "stroem-store-*",
        ],
    ),
    (
        "stroem-worker",
        &["stroem-core", "stroem-runner", "stroem-logs", "stroem-api", "stroem-config", "stroem-runner-*"],
    ),
    ("stroem-cli", &["stroem-*"]),
    ("stroem-fuzz", &["stroem-core", "stroem-workflow", "stroem-logs"]),
    ("stroem-testkit", &["stroem-*"]),
    ("xtask", &[]),
];

/// Dependencies that only the named crates may have.
const HOMES: &[(&str, &[&str])] = &[
    ("axum", &["stroem-server"]),
    ("bollard", &["stroem-runner-docker"]),
    ("k8s-openapi", &["stroem-runner-kubernetes"]),
    ("kube", &["stroem-runner-kubernetes"]),
    ("minijinja", &["stroem-workflow"]),
    ("object_store", &["stroem-blobs"]),
    ("rusqlite", &["stroem-store-sqlite"]),
    ("saphyr-parser", &["stroem-workflow", "stroem-config"]),
    ("stroem-testkit", &[]),
    ("tokio-postgres", &["stroem-store-postgres"]),
];

/// The crates without IO, clock and randomness.
const PURE: &[&str] = &["stroem-core", "stroem-workflow", "stroem-engine"];

/// What would let a pure crate do IO, read a clock or draw a number.
const IMPURE: &[&str] = &[
    "async-std",
    "async-trait",
    "chrono",
    "futures",
    "futures-util",
    "getrandom",
    "hyper",
    "nix",
    "rand",
    "reqwest",
    "rustix",
    "tempfile",
    "tokio",
    "tokio-util",
    "tracing",
];

/// Problems with the edges of the workspace's graph.
pub(crate) fn check(packages: &[Package]) -> Vec<Problem> {
    packages.iter().flat_map(check_package).collect()
}

fn check_package(package: &Package) -> Vec<Problem> {
    let name = package.name.as_str();
    let manifest = format!("{}/Cargo.toml", package.folder);
    let Some((_, allowed)) = EDGES.iter().find(|(pattern, _)| matches(pattern, name)) else {
        let message =
            format!("`{name}` has no line yet in xtask/src/tidy/edges.rs: say what it may depend on");
        return vec![Problem::new(&manifest, 0, message)];
    };
    let counted = |dependency: &&Dependency| dependency.kind != DependencyKind::Development;
    let refused = |dependency: &Dependency| refusal(name, allowed, &dependency.name);
    package
        .dependencies
        .iter()
        .filter(counted)
        .filter_map(refused)
        .map(|message| Problem::new(&manifest, 0, message))
        .collect()
}

fn refusal(name: &str, allowed: &[&str], dependency: &str) -> Option<String> {
    if let Some((_, homes)) =
        HOMES.iter().find(|(heavy, homes)| *heavy == dependency && !homes.contains(&name))
    {
        return Some(match homes {
            [] => format!("`{name}` may depend on `{dependency}` for its tests only"),
            homes => format!("`{name}` may not depend on `{dependency}`: only {} may", homes.join(", ")),
        });
    }
    if PURE.contains(&name) && IMPURE.contains(&dependency) {
        return Some(format!("`{name}` is pure and may not depend on `{dependency}`"));
    }
    let ours = dependency.starts_with("stroem-");
    (ours && !allowed.iter().any(|pattern| matches(pattern, dependency)))
        .then(|| format!("`{name}` may not depend on `{dependency}` (docs/ARCHITECTURE.md)"))
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, dependency: &str, kind: DependencyKind, expected: &[&str]) {
        let dependency = Dependency { name: dependency.to_owned(), kind };
        let package = Package {
            name: name.to_owned(),
            folder: format!("crates/{name}"),
            features: Default::default(),
            dependencies: vec![dependency],
        };
        let found = super::check(&[package]);
        assert_eq!(found.iter().map(|p| p.message.as_str()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn edges_of_the_design_are_allowed() {
        for (name, dependency) in [
            ("stroem-engine", "stroem-workflow"),
            ("stroem-store-postgres", "stroem-store"),
            ("stroem-runner-docker", "bollard"),
            ("stroem-server", "axum"),
            ("stroem-cli", "stroem-store-sqlite"),
            ("stroem-logs", "zstd"),
        ] {
            check(name, dependency, DependencyKind::Normal, &[]);
        }
    }

    #[test]
    fn every_other_edge_is_refused() {
        let (normal, build) = (DependencyKind::Normal, DependencyKind::Build);
        let worker = "`stroem-worker` may not depend on `stroem-store` (docs/ARCHITECTURE.md)";
        check("stroem-worker", "stroem-store", normal, &[worker]);
        let core = "`stroem-core` may not depend on `stroem-engine` (docs/ARCHITECTURE.md)";
        check("stroem-core", "stroem-engine", build, &[core]);
        let app = "`stroem-app` may not depend on `stroem-store-sqlite` (docs/ARCHITECTURE.md)";
        check("stroem-app", "stroem-store-sqlite", normal, &[app]);
    }

    #[test]
    fn heavy_dependencies_have_one_home() {
        let normal = DependencyKind::Normal;
        check(
            "stroem-app",
            "axum",
            normal,
            &["`stroem-app` may not depend on `axum`: only stroem-server may"],
        );
        let sqlite = "`stroem-app` may not depend on `rusqlite`: only stroem-store-sqlite may";
        check("stroem-app", "rusqlite", normal, &[sqlite]);
        let testkit = "`stroem-cli` may depend on `stroem-testkit` for its tests only";
        check("stroem-cli", "stroem-testkit", normal, &[testkit]);
    }

    #[test]
    fn pure_crates_stay_pure() {
        let message = "`stroem-engine` is pure and may not depend on `tokio`";
        check("stroem-engine", "tokio", DependencyKind::Normal, &[message]);
        check("stroem-engine", "tokio", DependencyKind::Development, &[]);
    }

    #[test]
    fn a_crate_without_a_line_is_a_problem() {
        let message = "`other` has no line yet in xtask/src/tidy/edges.rs: say what it may depend on";
        check("other", "serde", DependencyKind::Normal, &[message]);
    }
}
