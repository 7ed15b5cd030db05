//! Serves folders as tarballs where pods can reach them.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, PoisonError},
};

use stroem_core::Secret;
use stroem_runner::Download;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Answers `GET /<number>` with a folder, for who has its token.
pub(crate) struct FileServer {
    address: String,
    folders: Arc<Mutex<HashMap<String, PathBuf>>>,
    task: JoinHandle<()>,
}

impl FileServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(format!("{}:0", bridge())).await.expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let folders: Arc<Mutex<HashMap<String, PathBuf>>> = Arc::default();
        let known = Arc::clone(&folders);
        #[expect(clippy::disallowed_methods, reason = "ended with the server")]
        let task = tokio::spawn(async move {
            let mut calls = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                calls.spawn(answer(stream, Arc::clone(&known)));
            }
        });
        Self { address, folders, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn offer(&self, folder: &Path) -> Download {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        let number = folders.len();
        let (path, token) = (format!("/{number}"), format!("download-token-{number}"));
        folders.insert(format!("{path} {token}"), folder.to_owned());
        Download { path, token: Secret::new(token) }
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(mut stream: TcpStream, folders: Arc<Mutex<HashMap<String, PathBuf>>>) {
    let mut lines = BufReader::new(&mut stream).lines();
    let (mut path, mut token) = (String::new(), String::new());
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(rest) = line.strip_prefix("GET ") {
            path = rest.split(' ').next().unwrap_or_default().to_owned();
        } else if let Some(rest) = line.strip_prefix("Authorization: Bearer ") {
            token = rest.trim().to_owned();
        } else if line.is_empty() {
            break;
        }
    }
    let folder =
        folders.lock().unwrap_or_else(PoisonError::into_inner).get(&format!("{path} {token}")).cloned();
    let answer = match folder {
        None => b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec(),
        Some(folder) => {
            let mut builder = tar::Builder::new(Vec::new());
            builder.follow_symlinks(false);
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let entry = entry.expect("readable");
                let (name, path) = (entry.file_name(), entry.path());
                let packed = if path.is_dir() && !path.is_symlink() {
                    builder.append_dir_all(name, path)
                } else {
                    builder.append_path_with_name(path, name)
                };
                packed.expect("packed");
            }
            let body = builder.into_inner().expect("packed");
            let mut answer =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())
                    .into_bytes();
            answer.extend(body);
            answer
        }
    };
    // A pod that hangs up shows in its own log.
    let _ = stream.write_all(&answer).await;
    let _ = stream.shutdown().await;
}

/// This host's address as pods see it.
fn bridge() -> String {
    let shown = Command::new("ip").args(["-4", "-o", "addr", "show", "docker0"]).output().expect("iproute2");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let address = shown.split_whitespace().nth(3).and_then(|text| text.split('/').next());
    address.expect("docker0 has an address").to_owned()
}
