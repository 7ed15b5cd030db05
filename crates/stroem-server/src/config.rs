//! `server-config.yaml`: strict, with `STROEM__A__B` variables over it.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use stroem_app::AppOptions;
use stroem_config::{Key, Kind, Place, Problem, Schema, Source};
use stroem_core::{Secret, WorkspaceName};

use crate::auth::{self, AUTH, AuthOptions, WrittenAuth};

const SECONDS: Kind = Kind::Integer { min: 1, max: 86_400 };
const ADDRESS: Kind = Kind::Checked {
    what: "an address such as 127.0.0.1:8080",
    rule: |text| {
        text.parse::<SocketAddr>().map(drop).map_err(|_| "write an IP address and a port".to_owned())
    },
};

/// Every key of `server-config.yaml`.
pub static SCHEMA: Schema = Schema {
    keys: &[
        Key::new("listen", ADDRESS, "Where the server listens.").or("127.0.0.1:8080"),
        Key::new("data_dir", Kind::Text, "The embedded database, tarballs, sealed logs and the key file.").or(".stroem/server"),
        Key::new("key_file", Kind::Text, "The key for secret inputs; `secret.key` in `data_dir` when left out. All servers of a database need the same."),
        Key::new("db", Kind::Section(&DB), "The database; embedded SQLite in `data_dir` when left out."),
        Key::new("worker_token", Kind::Secret, "What workers register with.").required(),
        Key::new("workspaces", Kind::Named(&Kind::Section(&WORKSPACE)), "Workspaces by name."),
        Key::new("recovery", Kind::Section(&RECOVERY), "Judging workers and steps.").or("{}"),
        Key::new("auth", Kind::Section(&AUTH), "Who may use page and API; everybody who can reach the server when left out."),
        Key::new("metrics", Kind::Section(&METRICS), "`GET /metrics`.").or("{}"),
        Key::new(
            "allow_unauthenticated",
            Kind::Bool,
            "Whether to listen beyond loopback although everybody who can reach the server may run everything.",
        )
        .or("false"),
    ],
};

static DB: Schema = Schema {
    keys: &[
        Key::new(
            "url",
            Kind::Secret,
            "`sqlite:DIRECTORY` or `postgres://USER:PASSWORD@HOST/DATABASE?sslmode=...`.",
        ),
        Key::new(
            "max_connections",
            Kind::Integer { min: 1, max: 1_000 },
            "Connections to PostgreSQL at most.",
        )
        .or("10"),
    ],
};

static WORKSPACE: Schema = Schema {
    keys: &[
        Key::new("type", Kind::Choice(&["folder"]), "Where its files come from.").or("folder"),
        Key::new("path", Kind::Text, "The folder.").required(),
    ],
};

static METRICS: Schema = Schema {
    keys: &[Key::new(
        "unauthenticated",
        Kind::Bool,
        "Whether it is read without a token, although `auth` names some.",
    )
    .or("false")],
};

static RECOVERY: Schema = Schema {
    keys: &[
        Key::new("heartbeat_timeout_secs", SECONDS, "Silence after which a worker is lost.").or("30"),
        Key::new("sweep_interval_secs", SECONDS, "How often is looked.").or("1"),
        Key::new("unmatched_step_timeout_secs", SECONDS, "How long a step waits for a worker with its tags.")
            .or("30"),
    ],
};

/// The configuration, checked.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// Everything that it keeps.
    pub data_dir: PathBuf,
    /// The key for secret inputs, unless it is in the data directory.
    pub key_file: Option<PathBuf>,
    /// The database.
    pub database: Database,
    /// What workers register with.
    pub worker_token: Secret,
    /// The folder of each workspace.
    pub workspaces: BTreeMap<WorkspaceName, PathBuf>,
    /// Who may use page and API.
    pub auth: AuthOptions,
    /// Whether `/metrics` is read without a token.
    pub open_metrics: bool,
    /// Whether to listen beyond loopback without authentication.
    pub allow_unauthenticated: bool,
    recovery: Recovery,
}

/// Which database.
#[derive(Debug, Clone)]
pub enum Database {
    /// The embedded one.
    Sqlite {
        /// Its directory.
        dir: PathBuf,
    },
    /// PostgreSQL.
    Postgres {
        /// As libpq takes it; it may hold a password.
        url: Secret,
        /// Connections at most.
        max_connections: u32,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    listen: SocketAddr,
    data_dir: PathBuf,
    key_file: Option<PathBuf>,
    db: Option<WrittenDatabase>,
    worker_token: Secret,
    workspaces: Option<BTreeMap<String, Folder>>,
    recovery: Recovery,
    auth: Option<WrittenAuth>,
    metrics: Metrics,
    allow_unauthenticated: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metrics {
    unauthenticated: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenDatabase {
    url: Option<Secret>,
    max_connections: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Folder {
    #[serde(rename = "type")]
    _type: String,
    path: PathBuf,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recovery {
    heartbeat_timeout_secs: u64,
    sweep_interval_secs: u64,
    unmatched_step_timeout_secs: u64,
}

impl ServerConfig {
    /// Reads the configuration.
    ///
    /// # Errors
    /// Every problem that was found.
    ///
    /// # Panics
    /// Never: the table gives what the struct takes, which a test shows.
    pub fn load(source: Source<'_>) -> Result<Self, Vec<Problem>> {
        let value = stroem_config::load(source, &SCHEMA)?;
        let written: Written =
            serde_json::from_value(value).expect("the table and the struct have the same keys");
        let problem = |message: String| {
            Problem::new(Place::File { file: source.file.into(), line: 1, column: 1 }, message)
        };
        let mut problems = Vec::new();
        let database = database(written.db, &written.data_dir);
        if database.is_none() {
            problems.push(
                problem("db.url: it names neither SQLite nor PostgreSQL".to_owned())
                    .suggest("write `sqlite:DIRECTORY` or `postgres://...`, or leave `db` out"),
            );
        }
        let mut workspaces = BTreeMap::new();
        for (name, folder) in written.workspaces.unwrap_or_default() {
            match WorkspaceName::new(&name) {
                Ok(name) => drop(workspaces.insert(name, folder.path)),
                Err(error) => problems.push(problem(format!("workspaces: {error}"))),
            }
        }
        let auth = auth::read(written.auth).unwrap_or_else(|found| {
            problems.extend(found.into_iter().map(|(message, remedy)| problem(message).suggest(remedy)));
            AuthOptions::default()
        });
        let Some(database) = database.filter(|_| problems.is_empty()) else { return Err(problems) };
        Ok(Self {
            listen: written.listen,
            data_dir: written.data_dir,
            key_file: written.key_file,
            database,
            worker_token: written.worker_token,
            workspaces,
            auth,
            open_metrics: written.metrics.unauthenticated,
            allow_unauthenticated: written.allow_unauthenticated,
            recovery: written.recovery,
        })
    }

    /// What the application needs of it.
    pub fn app_options(&self) -> AppOptions {
        let mut options =
            AppOptions::new(self.worker_token.clone(), self.data_dir.clone(), self.workspaces.clone());
        if let Some(key_file) = &self.key_file {
            options.key_file.clone_from(key_file);
        }
        options.heartbeat_timeout = Duration::from_secs(self.recovery.heartbeat_timeout_secs);
        options.heartbeat_interval = options.heartbeat_interval.min(options.heartbeat_timeout / 3);
        options.sweep_interval = Duration::from_secs(self.recovery.sweep_interval_secs);
        options.unmatched_step_timeout = Duration::from_secs(self.recovery.unmatched_step_timeout_secs);
        options
    }
}

/// The database that is meant; none for an address of no known kind.
fn database(written: Option<WrittenDatabase>, data_dir: &Path) -> Option<Database> {
    let embedded = || Database::Sqlite { dir: data_dir.to_owned() };
    let Some(WrittenDatabase { url: Some(url), max_connections }) = written else { return Some(embedded()) };
    if let Some(dir) = url.expose().strip_prefix("sqlite:") {
        return Some(Database::Sqlite { dir: PathBuf::from(dir) });
    }
    let is_postgres = ["postgres://", "postgresql://"].iter().any(|start| url.expose().starts_with(start));
    is_postgres.then_some(Database::Postgres { url, max_connections })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ServerConfig, String> {
        let source = Source { file: "server-config.yaml", text, environment: &[] };
        ServerConfig::load(source)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn what_is_left_out_has_its_documented_default() {
        let config = read("worker_token: t").expect("loads");
        assert_eq!(config.listen, SocketAddr::from(([127, 0, 0, 1], 8080)));
        let options = config.app_options();
        assert_eq!(options.unmatched_step_timeout, Duration::from_secs(30));
        assert_eq!(options.heartbeat_timeout, Duration::from_secs(30));
        let Database::Sqlite { dir } = &config.database else { panic!("{config:?}") };
        assert_eq!(*dir, config.data_dir);
    }

    #[test]
    fn a_database_of_another_kind_is_refused_with_the_remedy() {
        let error = read("worker_token: t\ndb: {url: 'mysql://u:pass-word@x'}").expect_err("refused");
        assert!(
            error.contains("sqlite:DIRECTORY` or `postgres://") && !error.contains("pass-word"),
            "{error}"
        );
        let config = read("worker_token: t\ndb: {url: 'postgres://u:pass-word@x'}").expect("loads");
        let Database::Postgres { url, max_connections: 10 } = &config.database else { panic!("{config:?}") };
        assert_eq!(url.expose(), "postgres://u:pass-word@x");
    }
}
