//! Disks that fill up.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use stroem_core::{AttemptKey, Outcome, RunnerKind};
use stroem_runner::{EventSender, RunRequest, Runner, StopReceiver, Unavailable};
use stroem_worker::{Options, Space, Usage};

use crate::fixture::Fixture;

/// Disks as a test says; a path that it says nothing of is on an empty one.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<HashMap<PathBuf, u64>>>);

impl Said {
    fn percent(&self, path: &Path, percent: u64) {
        self.0.lock().unwrap().insert(path.to_owned(), percent);
    }
}

impl Space for Said {
    fn usage(&self, path: &Path) -> io::Result<Usage> {
        let used = self.0.lock().unwrap().get(path).copied().unwrap_or(0);
        Ok(Usage { used, available: 100 - used })
    }
}

/// A runner whose platform keeps so many things, each a percent of its disk.
struct Platform {
    root: PathBuf,
    things: AtomicU64,
    disk: Said,
}

#[async_trait]
impl Runner for Platform {
    fn kind(&self) -> RunnerKind {
        RunnerKind::Docker
    }

    async fn health(&self) -> Result<(), Unavailable> {
        Ok(())
    }

    async fn data_root(&self) -> Option<PathBuf> {
        Some(self.root.clone())
    }

    async fn collect_one(&self) -> bool {
        let Ok(before) =
            self.things.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |things| things.checked_sub(1))
        else {
            return false;
        };
        self.disk.percent(&self.root, 80 + before - 1);
        true
    }

    async fn run(&self, _: RunRequest, _: EventSender, _: StopReceiver) -> Outcome {
        Outcome::Succeeded
    }

    async fn cleanup(&self, _: AttemptKey, _: &Path) {}
}

fn with(mut options: Options, disk: &Said) -> Options {
    options.space = Arc::new(disk.clone());
    options.health_interval = Duration::from_millis(20);
    options
}

/// Waits until the last registration offers these tags, and gives the reasons for the others.
async fn offered(fixture: &Fixture, tags: &str) -> Vec<(String, String)> {
    fixture
        .server
        .until(|state| {
            let last = state.registrations.last()?;
            (last.tags.queue_key() == tags).then(|| last.withdrawn.clone())
        })
        .await
}

#[tokio::test]
async fn a_full_disk_takes_every_tag_back_until_there_is_room() {
    let fixture = Fixture::new();
    let disk = Said::default();
    let options = with(fixture.options("tags: [script, gpu]"), &disk);
    let cache = options.cache_dir.clone();
    let worker = fixture.start_with(options);
    assert_eq!(offered(&fixture, "gpu,script").await, []);
    disk.percent(&cache, 94);
    disk.percent(&cache, 96);
    let reason = format!(
        "the disk with the workspace cache ({}) is 96 % full, and from 95 % on this worker takes no steps (`disk.stop_at_percent`)",
        cache.display()
    );
    assert_eq!(offered(&fixture, "gpu").await, [("script".to_owned(), reason)]);
    disk.percent(&cache, 94);
    assert_eq!(offered(&fixture, "gpu,script").await, []);
    worker.stop().await;
}

#[tokio::test]
async fn a_platform_that_fills_its_disk_is_collected_and_then_takes_only_its_own_tag_back() {
    let fixture = Fixture::new();
    let disk = Said::default();
    let mut options = with(fixture.options("tags: [script, docker]\ndocker: {}"), &disk);
    let root = fixture.dir.path().join("engine");
    let platform = Arc::new(Platform { root: root.clone(), things: AtomicU64::new(17), disk: disk.clone() });
    disk.percent(&root, 97);
    options.runners.push(Arc::clone(&platform) as Arc<dyn Runner>);
    let worker = fixture.start_with(options);
    // Things are removed until the lower mark of 85 percent.
    assert_eq!(offered(&fixture, "docker,script").await, []);
    assert_eq!(platform.things.load(Ordering::SeqCst), 5);
    // Nothing is left to remove.
    platform.things.store(0, Ordering::SeqCst);
    disk.percent(&root, 99);
    let withdrawn = offered(&fixture, "script").await;
    assert_eq!(withdrawn.len(), 1);
    assert!(
        withdrawn[0].0 == "docker" && withdrawn[0].1.contains("images and containers of the docker runner"),
        "{withdrawn:?}"
    );
    worker.stop().await;
}

/// A small disk that is unmounted with the test.
struct Mounted(PathBuf);

impl Mounted {
    fn new(path: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(path).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "none"]).arg(path).output();
        let mounted = mounted.map_err(|error| error.to_string())?;
        let words = || String::from_utf8_lossy(&mounted.stderr).trim().to_owned();
        if mounted.status.success() { Ok(Self(path.to_owned())) } else { Err(words()) }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_real_disk_that_fills_up_is_emptied_of_old_revisions_and_then_stops_the_worker() {
    let fixture = Fixture::new();
    let mut options = fixture.options("");
    let cache = options.cache_dir.clone();
    options.health_interval = Duration::from_millis(20);
    let _mounted = match Mounted::new(&cache) {
        Ok(mounted) => mounted,
        Err(reason) => {
            return stroem_runner::conformance::skip(&format!("no small disk can be mounted here: {reason}"));
        }
    };
    // Two revisions of 3 MiB as an earlier worker left them, the second one used later, and 9 MiB of somebody else.
    let revision = |name: &str, used_at: &str| {
        let folder = cache.join("w");
        std::fs::create_dir_all(folder.join(name)).unwrap();
        std::fs::write(folder.join(name).join("file"), vec![0; 3 << 20]).unwrap();
        let size = folder.join(format!("{name}.size"));
        std::fs::write(&size, (3_u64 << 20).to_string()).unwrap();
        assert!(Command::new("touch").args(["-d", used_at]).arg(&size).status().unwrap().success());
        folder.join(name)
    };
    let old = revision("aaaa", "2020-01-01");
    let newer = revision("bbbb", "2021-01-01");
    std::fs::write(cache.join(".other"), vec![0; 9 << 20]).unwrap();
    let worker = fixture.start_with(options);
    assert_eq!(offered(&fixture, "script").await, []);
    assert_eq!((old.exists(), newer.exists()), (false, true), "one was enough");
    std::fs::write(cache.join(".more"), vec![0; 6 << 20]).unwrap_err();
    while newer.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    std::fs::write(cache.join(".rest"), vec![0; 6 << 20]).unwrap_err();
    let withdrawn = offered(&fixture, "").await;
    assert!(withdrawn[0].1.contains("% full"), "{withdrawn:?}");
    std::fs::remove_file(cache.join(".more")).unwrap();
    assert_eq!(offered(&fixture, "script").await, []);
    worker.stop().await;
}
