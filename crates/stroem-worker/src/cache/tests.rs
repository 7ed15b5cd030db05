//! The cache against a server that gives tarballs, slow, broken and hostile ones too.

use std::{
    io::Write as _,
    sync::atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use serde_json::json;
use stroem_api::{Transport, TransportError};
use stroem_core::{Secret, WorkerName};
use tar::{EntryType, Header};
use tokio::sync::watch;

use super::*;
use crate::{
    clock,
    leases::Leases,
    session::{Identity, Offer},
};

/// A server that has one archive under every revision.
struct Files {
    archive: Bytes,
    downloads: AtomicU32,
    /// Downloads that break off before one succeeds.
    breaking: AtomicU32,
    open: watch::Sender<bool>,
}

#[async_trait]
impl Transport for Files {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<ResponseBody>, TransportError> {
        if request.uri().path() == "/worker/register" {
            let id = "00000000-0000-0000-0000-000000000001";
            let answer = json!({"worker_id": id, "session_token": "s", "heartbeat_interval_ms": 1000, "heartbeat_timeout_ms": 1000, "lost": []});
            return Ok(Response::new(body(Bytes::from(answer.to_string()), usize::MAX)));
        }
        self.downloads.fetch_add(1, Ordering::SeqCst);
        self.open.subscribe().wait_for(|open| *open).await.unwrap();
        let breaks = self
            .breaking
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_ok();
        let most = if breaks { 3 } else { usize::MAX };
        Ok(Response::new(body(self.archive.clone(), most)))
    }

    fn server(&self) -> &str {
        "the test's server"
    }
}

fn body(bytes: Bytes, most: usize) -> ResponseBody {
    let error = |error: Box<dyn std::error::Error + Send + Sync>| TransportError {
        server: "the test's server".to_owned(),
        message: error.to_string(),
    };
    Limited::new(Full::new(bytes), most).map_err(error).boxed_unsync()
}

struct Fixture {
    server: Arc<Files>,
    control: ControlPlane,
    session: Session,
    cache: Arc<Cache>,
    dir: tempfile::TempDir,
}

impl Fixture {
    async fn new(archive: Bytes, limit: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Arc::new(Files {
            archive,
            downloads: AtomicU32::new(0),
            breaking: AtomicU32::new(0),
            open: watch::Sender::new(true),
        });
        let control = ControlPlane::new(Arc::clone(&server) as Arc<dyn Transport>);
        let identity = Identity {
            name: WorkerName::new("w1").unwrap(),
            token: Secret::new("t".to_owned()),
            instance: clock::instance_id(),
            exclusive: false,
            capacity: 1,
        };
        let leases = Arc::new(Leases::new(1));
        let session = Session::open(control.clone(), identity, leases, Offer::default()).await.unwrap();
        let cache = Cache::open(&dir.path().join("cache"), ByteSize(limit), TaskTracker::new()).unwrap();
        Self { server, control, session, cache: Arc::new(cache), dir }
    }

    async fn get(&self, digit: char) -> Result<Arc<InUse>, CacheError> {
        let revision: Revision = digit.to_string().repeat(40).parse().unwrap();
        let workspace = WorkspaceName::new("ops").unwrap();
        self.cache.get(&self.control, &self.session, &workspace, &revision).await
    }

    fn downloads(&self) -> u32 {
        self.server.downloads.load(Ordering::SeqCst)
    }

    /// Everything below the test's directory but the cache.
    fn outside(&self) -> Vec<String> {
        let names = fs::read_dir(self.dir.path())
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != "cache").collect()
    }

    /// What is in the cache's own directory that should not be there.
    fn leftovers(&self) -> usize {
        fs::read_dir(self.dir.path().join("cache"))
            .unwrap()
            .filter(|file| file.as_ref().unwrap().file_name() != "ops")
            .count()
    }
}

struct Item<'a> {
    path: &'a str,
    kind: EntryType,
    /// A file's text, a link's target.
    text: &'a str,
    mode: u32,
}

fn file<'a>(path: &'a str, text: &'a str) -> Item<'a> {
    Item { path, kind: EntryType::Regular, text, mode: 0o644 }
}

fn link<'a>(kind: EntryType, path: &'a str, target: &'a str) -> Item<'a> {
    Item { path, kind, text: target, mode: 0o777 }
}

/// An archive as it is asked for, paths that no honest one has included.
fn archive(items: &[Item<'_>]) -> Bytes {
    let mut tar = Vec::new();
    for item in items {
        let mut header = Header::new_gnu();
        header.as_mut_bytes()[..item.path.len()].copy_from_slice(item.path.as_bytes());
        header.set_entry_type(item.kind);
        header.set_mode(item.mode);
        let content = if item.kind == EntryType::Regular { item.text.as_bytes() } else { b"" };
        if item.kind != EntryType::Regular {
            header.set_link_name_literal(item.text).unwrap();
        }
        header.set_size(content.len() as u64);
        header.set_cksum();
        tar.write_all(header.as_bytes()).unwrap();
        tar.write_all(content).unwrap();
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    zstd::encode_all(tar.as_slice(), 1).unwrap().into()
}

#[tokio::test]
async fn a_revision_is_downloaded_once_and_stays() {
    let fixture =
        Fixture::new(archive(&[file("a/b.txt", "hello"), Item { mode: 0o755, ..file("run.sh", "x") }]), 1000)
            .await;
    let first = fixture.get('1').await.unwrap();
    assert_eq!(fs::read_to_string(first.path().join("a/b.txt")).unwrap(), "hello");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(first.path().join("run.sh")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o111, 0o111, "{mode:o}");
    drop(first);
    let again = Cache::open(&fixture.dir.path().join("cache"), ByteSize(1000), TaskTracker::new()).unwrap();
    let fixture = Fixture { cache: Arc::new(again), ..fixture };
    fixture.get('1').await.unwrap();
    assert_eq!((fixture.downloads(), fixture.leftovers()), (1, 0));
}

#[tokio::test]
async fn many_at_once_share_a_download() {
    let fixture = Fixture::new(archive(&[file("a", "x")]), 1000).await;
    let all = tokio::join!(fixture.get('1'), fixture.get('1'), fixture.get('1'), fixture.get('2'));
    assert!(all.0.is_ok() && all.1.is_ok() && all.2.is_ok() && all.3.is_ok());
    assert_eq!(fixture.downloads(), 2);
}

#[tokio::test]
async fn a_cancelled_download_is_taken_over() {
    let fixture = Fixture::new(archive(&[file("a", "x")]), 1000).await;
    fixture.server.open.send_replace(false);
    let mut downloads = Box::pin(fixture.get('1'));
    let mut waits = Box::pin(fixture.get('1'));
    tokio::select! {
        biased;
        _ = &mut downloads => panic!("the server holds it"),
        _ = &mut waits => panic!("somebody else downloads"),
        () = tokio::task::yield_now() => {}
    }
    drop(downloads);
    fixture.server.open.send_replace(true);
    waits.await.unwrap();
    assert_eq!(fixture.downloads(), 2);
}

#[tokio::test]
async fn a_download_that_breaks_off_is_tried_again() {
    let fixture = Fixture::new(archive(&[file("a", "x")]), 1000).await;
    fixture.server.breaking.store(2, Ordering::SeqCst);
    let revision = fixture.get('1').await.unwrap();
    assert_eq!(fs::read_to_string(revision.path().join("a")).unwrap(), "x");
    assert_eq!((fixture.downloads(), fixture.leftovers()), (3, 0));
}

#[tokio::test]
async fn the_least_recently_used_goes_but_never_what_is_in_use() {
    let fixture = Fixture::new(archive(&[file("a", &"x".repeat(100))]), 250).await;
    let used = fixture.get('1').await.unwrap();
    drop(fixture.get('2').await.unwrap());
    drop(fixture.get('3').await.unwrap());
    assert!(used.path().join("a").exists());
    assert_eq!(fixture.downloads(), 3);
    drop(fixture.get('3').await.unwrap());
    assert_eq!(fixture.downloads(), 3, "the newest is still there");
    drop(fixture.get('2').await.unwrap());
    assert_eq!((fixture.downloads(), fixture.leftovers()), (4, 0), "the one between went");
    assert!(used.path().join("a").exists());
}

#[tokio::test]
async fn a_revision_over_the_limit_alone_can_still_be_used() {
    let fixture = Fixture::new(archive(&[file("a", &"x".repeat(100))]), 10).await;
    assert!(fixture.get('1').await.unwrap().path().join("a").exists());
}

#[tokio::test]
async fn nothing_is_written_outside_of_the_directory() {
    let hostile: [(&str, Vec<Item<'_>>); 6] = [
        ("parent", vec![file("../escaped", "x")]),
        ("deep parent", vec![file("a/../../../escaped", "x")]),
        ("absolute", vec![file("/tmp/stroem-escaped", "x")]),
        ("through a link", vec![link(EntryType::Symlink, "out", "../../.."), file("out/escaped", "x")]),
        ("hard link", vec![link(EntryType::Link, "passwd", "/etc/passwd")]),
        ("device", vec![Item { kind: EntryType::Char, ..file("null", "") }]),
    ];
    for (name, items) in hostile {
        let fixture = Fixture::new(archive(&items), 1000).await;
        let error = fixture.get('1').await.unwrap_err();
        assert!(matches!(error, CacheError::Unpack { .. }), "{name}: {error}");
        assert_eq!(fixture.outside(), [""; 0], "{name}");
        assert!(!Path::new("/tmp/stroem-escaped").exists(), "{name}");
        assert_eq!(fixture.leftovers(), 0, "{name}");
    }
}

#[tokio::test]
async fn a_cut_archive_is_an_error_and_leaves_nothing() {
    let whole = archive(&[file("a", &"0123456789".repeat(1000))]);
    let fixture = Fixture::new(whole.slice(..whole.len() - 5), 1000).await;
    assert!(matches!(fixture.get('1').await, Err(CacheError::Unpack { .. })));
    assert_eq!(fixture.leftovers(), 0);
}
