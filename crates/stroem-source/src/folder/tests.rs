//! Folder workspaces in real directories.

use std::{
    fs::{self, Permissions},
    io::Read as _,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use sha2::{Digest as _, Sha256};
use stroem_core::{ByteSize, limits};
use tempfile::TempDir;

use crate::{
    FolderOptions, FolderSource, NoteReason, Snapshot, SnapshotNote, SourceError, WorkspaceSource as _,
};

/// How long to wait for what must happen within a second on a machine that is not busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// A workspace and a folder for tarballs, both to be removed.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().expect("a directory") };
        fs::create_dir(place.path("")).expect("creates");
        place
    }

    fn with(files: &[(&str, &str)]) -> Self {
        let place = Self::new();
        for (name, content) in files {
            place.write(name, content);
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("workspace").join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("is in the workspace")).expect("creates");
        fs::write(path, content).expect("writes");
    }

    fn options(&self) -> FolderOptions {
        FolderOptions::new(self.path(""), self.dir.path().join("tarballs"))
    }

    fn open(&self) -> FolderSource {
        FolderSource::open(self.options()).expect("opens")
    }

    /// A snapshot by a source that knows nothing yet.
    async fn snapshot(&self) -> Arc<Snapshot> {
        let source = self.open();
        let snapshot = source.refresh().await.expect("a snapshot");
        source.close().await;
        snapshot
    }
}

/// One entry of a tarball: kind as in the revision, path, content or target.
type Item = (u8, String, Vec<u8>);

fn unpacked(tarball: &Path) -> Vec<Item> {
    let file = fs::File::open(tarball).expect("the tarball is there");
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).expect("is zstd"));
    let mut items = vec![];
    for entry in archive.entries().expect("is a tar") {
        let mut entry = entry.expect("is whole");
        let path = String::from_utf8(entry.path_bytes().into_owned()).expect("UTF-8 here");
        let header = entry.header();
        let owner =
            (header.mtime().expect("a time"), header.uid().expect("a user"), header.gid().expect("a group"));
        assert_eq!(owner, (0, 0, 0), "{path}");
        let kind = match (header.entry_type(), header.mode().expect("a mode")) {
            (tar::EntryType::Directory, 0o755) => b'd',
            (tar::EntryType::Regular, 0o644) => b'f',
            (tar::EntryType::Regular, 0o755) => b'x',
            (tar::EntryType::Symlink, 0o777) => b'l',
            other => panic!("{path} is {other:?}"),
        };
        let mut content = vec![];
        match entry.link_name_bytes() {
            Some(target) => content = target.into_owned(),
            None => drop(entry.read_to_end(&mut content).expect("reads")),
        }
        items.push((kind, path.trim_end_matches('/').to_owned(), content));
    }
    items
}

/// The revision's definition, written down a second time.
fn revision_of(items: &[Item]) -> String {
    let mut bytes = b"stroem-folder-1\n".to_vec();
    for (kind, path, content) in items {
        bytes.push(*kind);
        bytes.extend((path.len() as u64).to_le_bytes());
        bytes.extend(path.as_bytes());
        bytes.extend((content.len() as u64).to_le_bytes());
        bytes.extend(Sha256::digest(content));
    }
    hex::encode(Sha256::digest(&bytes))
}

#[track_caller]
fn verified(snapshot: &Snapshot) -> Vec<Item> {
    let items = unpacked(&snapshot.tarball);
    assert_eq!(snapshot.revision.as_str(), revision_of(&items));
    let files = items.iter().filter(|(kind, ..)| matches!(kind, b'f' | b'x'));
    let sizes: Vec<u64> = files.map(|(.., content)| content.len() as u64).collect();
    assert_eq!((snapshot.file_count, snapshot.size_bytes), (sizes.len(), sizes.iter().sum()));
    for file in &snapshot.workflow_files {
        let packed = items.iter().find(|(_, path, _)| *path == file.path).expect("is in the tarball");
        assert_eq!(file.text.as_bytes(), packed.2, "{}", file.path);
    }
    items
}

fn paths(items: &[Item]) -> Vec<&str> {
    items.iter().map(|(_, path, _)| path.as_str()).collect()
}

/// Waits until the latest snapshot is as it should be, woken by nothing but the change counter.
async fn seen(source: &FolderSource, holds: impl Fn(Option<&Snapshot>) -> bool) {
    let mut changed = source.changed();
    let wait = async {
        loop {
            changed.borrow_and_update();
            if holds(source.current().as_deref()) {
                return;
            }
            changed.changed().await.expect("the source is open");
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the change is seen");
}

fn text_of(snapshot: Option<&Snapshot>, path: &str) -> Option<String> {
    let files = &snapshot?.workflow_files;
    files.iter().find(|file| file.path == path).map(|file| file.text.to_string())
}

#[tokio::test]
async fn a_snapshot_has_workflow_files_and_a_deterministic_tarball() {
    let long = format!("{}/{}", "long".repeat(40), "name".repeat(40));
    let files = [
        (".workflows/z.yaml", "z: 1"),
        (".workflows/deep/a.yml", "a: ü"),
        (".workflows/readme.md", "no"),
        ("bin/run.sh", "#!/bin/sh"),
        (".hidden", ""),
        (long.as_str(), "long"),
    ];
    let place = Place::with(&files);
    fs::set_permissions(place.path("bin/run.sh"), Permissions::from_mode(0o700)).expect("chmod");
    fs::create_dir(place.path("empty")).expect("creates");
    let snapshot = place.snapshot().await;
    let items = verified(&snapshot);
    let mut sorted = items.clone();
    sorted.sort_by(|a, b| a.1.as_bytes().cmp(b.1.as_bytes()));
    assert_eq!(items, sorted);
    assert!(items.contains(&(b'x', "bin/run.sh".to_owned(), b"#!/bin/sh".to_vec())));
    assert!(items.contains(&(b'd', "empty".to_owned(), vec![])));
    assert!(items.contains(&(b'f', long.clone(), b"long".to_vec())));
    let workflows: Vec<_> = snapshot.workflow_files.iter().map(|f| (f.path.as_str(), &*f.text)).collect();
    assert_eq!(workflows, [(".workflows/deep/a.yml", "a: ü"), (".workflows/z.yaml", "z: 1")]);
    assert_eq!(snapshot.notes, []);
}

#[tokio::test]
async fn the_same_content_is_the_same_revision_anywhere() {
    let files = [(".workflows/a.yaml", "a: 1"), ("b/c", "c"), ("b-d", "d")];
    let one = Place::with(&files);
    let reversed: Vec<_> = files.iter().rev().copied().collect();
    let other = Place::with(&reversed);
    for place in [&one, &other] {
        symlink("b/c", place.path("link")).expect("links");
    }
    let (first, second) = (one.snapshot().await, other.snapshot().await);
    assert_eq!(first.revision, second.revision);
    assert_eq!(fs::read(&first.tarball).expect("reads"), fs::read(&second.tarball).expect("reads"));

    let source = one.open();
    let before = source.refresh().await.expect("a snapshot");
    let file = fs::File::options().append(true).open(one.path("b/c")).expect("opens");
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000)).expect("touches");
    let after = source.refresh().await.expect("a snapshot");
    assert_eq!(before.revision, after.revision);
    assert!(Arc::ptr_eq(&before, &after), "nothing that a snapshot says has changed");
}

#[tokio::test]
async fn every_change_of_content_is_a_new_revision() {
    let place = Place::with(&[("a", "1"), ("b/c", "2")]);
    symlink("a", place.path("link")).expect("links");
    let source = place.open();
    let mut revisions = vec![source.refresh().await.expect("a snapshot").revision.clone()];
    let changes: [(&str, &dyn Fn()); 9] = [
        ("edit", &|| place.write("a", "2")),
        ("append", &|| place.write("a", "22")),
        ("rename", &|| fs::rename(place.path("a"), place.path("d")).expect("renames")),
        ("chmod", &|| fs::set_permissions(place.path("d"), Permissions::from_mode(0o755)).expect("chmod")),
        ("new file", &|| place.write("b/e", "")),
        ("new folder", &|| fs::create_dir(place.path("empty")).expect("creates")),
        ("file to folder", &|| {
            fs::remove_file(place.path("b/e")).expect("removes");
            fs::create_dir(place.path("b/e")).expect("creates");
        }),
        ("another target", &|| {
            fs::remove_file(place.path("link")).expect("removes");
            symlink("b", place.path("link")).expect("links");
        }),
        ("removal", &|| fs::remove_dir_all(place.path("b")).expect("removes")),
    ];
    for (what, change) in changes {
        change();
        let snapshot = source.refresh().await.expect(what);
        verified(&snapshot);
        assert!(!revisions.contains(&snapshot.revision), "{what}");
        revisions.push(snapshot.revision.clone());
    }
}

#[tokio::test]
async fn ignored_files_and_git_are_left_out() {
    let place = Place::with(&[
        (".stroemignore", "*.log\n/build/\n!keep.log\n"),
        ("sub/.stroemignore", "local\n"),
        (".gitignore", "by-git\n"),
        (".ignore", "by-ignore\n"),
        (".git/HEAD", "ref"),
        ("module/.git", "gitdir: elsewhere"),
        ("a.log", ""),
        ("keep.log", ""),
        ("build/out", ""),
        ("sub/build", ""),
        ("sub/local", ""),
        ("local", ""),
        ("by-git", ""),
        ("by-ignore", ""),
        ("data/db", ""),
        ("tarballs/old", ""),
    ]);
    fs::write(place.dir.path().join(".stroemignore"), "local\n").expect("writes");
    let mut options = place.options();
    options.tarball_dir = place.path("tarballs");
    options.exclude = vec![place.path("data"), place.path("does-not-exist")];
    let source = FolderSource::open(options).expect("opens");
    let snapshot = source.refresh().await.expect("a snapshot");
    let items = verified(&snapshot);
    let expected = [
        ".gitignore",
        ".ignore",
        ".stroemignore",
        "by-git",
        "by-ignore",
        "keep.log",
        "local",
        "module",
        "sub",
        "sub/.stroemignore",
        "sub/build",
    ];
    assert_eq!(paths(&items), expected);
    place.write(".git/HEAD", "another");
    place.write("data/db", "grown");
    place.write("b.log", "grown");
    let again = source.refresh().await.expect("a snapshot");
    assert!(Arc::ptr_eq(&snapshot, &again), "what is left out changes nothing");
}

#[tokio::test]
async fn a_refresh_right_after_a_write_sees_it() {
    let place = Place::new();
    let source = place.open();
    for round in 0..700 {
        // The same size each time, and once all tarballs are there, several times within one tick of the clock that
        // stamps files.
        let text = format!("a: {}", round % 7);
        place.write(".workflows/a.yaml", &text);
        let snapshot = source.refresh().await.expect("a snapshot");
        assert_eq!(text_of(Some(&snapshot), ".workflows/a.yaml"), Some(text));
        assert_eq!(source.current(), Some(snapshot));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_refreshes_all_see_what_was_there_before_them() {
    let place = Place::new();
    let source = Arc::new(place.open());
    for round in 0..20 {
        place.write(".workflows/a.yaml", format!("a: {round}"));
        let mut refreshes = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let source = source.clone();
            refreshes.spawn(async move { source.refresh().await });
        }
        // Callers that go away leave the others alone.
        let lost = source.clone();
        refreshes.spawn(async move { lost.refresh().await }).abort();
        while let Some(joined) = refreshes.join_next().await {
            let Ok(outcome) = joined else { continue };
            let snapshot = outcome.expect("a snapshot");
            assert_eq!(text_of(Some(&snapshot), ".workflows/a.yaml"), Some(format!("a: {round}")));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_never_rests_does_not_part_tarball_and_revision() {
    for (size, rounds) in [(3_000, 40), (5 << 20, 8)] {
        let place = Place::with(&[("calm", "calm")]);
        let source = place.open();
        let stop = Arc::new(AtomicBool::new(false));
        let writer = tokio::task::spawn_blocking({
            let (stop, path, other) = (stop.clone(), place.path("busy"), place.path("moved"));
            move || {
                let mut turn = 0_usize;
                while !stop.load(Ordering::Acquire) {
                    let fill = b'a' + (turn % 26) as u8;
                    fs::write(&path, vec![fill; size + turn % 7]).expect("writes");
                    if turn.is_multiple_of(5) {
                        fs::rename(&path, &other).expect("renames");
                    }
                    turn += 1;
                }
            }
        });
        for _ in 0..rounds {
            match source.refresh().await {
                Ok(snapshot) => drop(verified(&snapshot)),
                Err(error) => assert!(matches!(error, SourceError::Unstable { .. }), "{error}"),
            }
        }
        stop.store(true, Ordering::Release);
        writer.await.expect("the writer does not fail");
        let snapshot = source.refresh().await.expect("a snapshot at rest");
        assert_eq!(snapshot.notes, []);
        let items = verified(&snapshot);
        for (_, path, content) in items {
            assert_eq!(content, fs::read(place.path(&path)).expect("reads"), "{path}");
        }
    }
}

#[tokio::test]
async fn a_change_is_seen_without_asking() {
    let place = Place::with(&[(".workflows/a.yaml", "0")]);
    let source = place.open();
    source.refresh().await.expect("a snapshot");
    let has = |path: &'static str, text: Option<&'static str>| {
        move |snapshot: Option<&Snapshot>| text_of(snapshot, path).as_deref() == text
    };
    place.write(".workflows/a.yaml", "1");
    seen(&source, has(".workflows/a.yaml", Some("1"))).await;
    place.write(".workflows/new/deeper/b.yaml", "2");
    seen(&source, has(".workflows/new/deeper/b.yaml", Some("2"))).await;
    place.write(".workflows/new/deeper/b.yaml", "3");
    seen(&source, has(".workflows/new/deeper/b.yaml", Some("3"))).await;
    place.write(".workflows/.a.yaml.swp", "4");
    fs::rename(place.path(".workflows/.a.yaml.swp"), place.path(".workflows/a.yaml")).expect("renames");
    seen(&source, has(".workflows/a.yaml", Some("4"))).await;
    fs::rename(place.path(".workflows/new"), place.path(".workflows/moved")).expect("renames");
    seen(&source, has(".workflows/moved/deeper/b.yaml", Some("3"))).await;
    place.write(".workflows/moved/deeper/b.yaml", "5");
    seen(&source, has(".workflows/moved/deeper/b.yaml", Some("5"))).await;
    fs::remove_dir_all(place.path(".workflows/moved")).expect("removes");
    seen(&source, has(".workflows/moved/deeper/b.yaml", None)).await;
    source.close().await;
}

#[tokio::test]
async fn a_folder_that_comes_and_goes_is_followed() {
    let place = Place::with(&[(".workflows/a.yaml", "1")]);
    let options = place.options();
    let source = FolderSource::open(options.clone()).expect("opens");
    let first = source.refresh().await.expect("a snapshot");
    let mut changed = source.changed();
    fs::remove_dir_all(&options.path).expect("removes");
    tokio::time::timeout(PATIENCE, changed.changed()).await.expect("the removal is seen").expect("open");
    // The removal may be seen half way, as an empty folder.
    while source.refresh().await.is_ok() {
        tokio::time::timeout(PATIENCE, changed.changed()).await.expect("the removal is seen").expect("open");
    }
    let error = source.refresh().await.expect_err("it is gone");
    assert!(matches!(error, SourceError::Missing { .. }), "{error}");
    assert!(source.current().is_some(), "the last good one stays");
    place.write(".workflows/a.yaml", "2");
    seen(&source, |snapshot| text_of(snapshot, ".workflows/a.yaml").as_deref() == Some("2")).await;
    assert_ne!(source.current().expect("is there").revision, first.revision);
}

#[tokio::test]
async fn a_link_to_the_folder_can_be_switched() {
    let place = Place::new();
    for release in ["1", "2"] {
        place.write(&format!("releases/{release}/.workflows/a.yaml"), release);
    }
    let (link, next) = (place.path("current"), place.path("next"));
    symlink("releases/1", &link).expect("links");
    let tarballs = place.dir.path().join("tarballs");
    let source = FolderSource::open(FolderOptions::new(&link, tarballs)).expect("opens");
    source.refresh().await.expect("a snapshot");
    symlink("releases/2", &next).expect("links");
    fs::rename(&next, &link).expect("switches");
    seen(&source, |snapshot| text_of(snapshot, ".workflows/a.yaml").as_deref() == Some("2")).await;
    place.write("releases/2/.workflows/a.yaml", "2b");
    seen(&source, |snapshot| text_of(snapshot, ".workflows/a.yaml").as_deref() == Some("2b")).await;
}

#[tokio::test]
async fn without_events_changes_are_found_by_looking() {
    let place = Place::with(&[(".workflows/a.yaml", "1")]);
    let poll_period = Duration::from_millis(20);
    let options = FolderOptions { poll_only: true, poll_period, ..place.options() };
    let source = FolderSource::open(options).expect("opens");
    source.refresh().await.expect("a snapshot");
    place.write(".workflows/a.yaml", "2");
    seen(&source, |snapshot| text_of(snapshot, ".workflows/a.yaml").as_deref() == Some("2")).await;
}

#[tokio::test]
async fn a_workspace_over_the_limit_names_its_biggest_parts() {
    let place = Place::with(&[
        ("models/big", &"x".repeat(600)),
        ("models/deep/er", &"x".repeat(300)),
        ("data.bin", &"x".repeat(200)),
        ("small/a", "x"),
        ("tiny", ""),
    ]);
    let source =
        FolderSource::open(FolderOptions { limit: ByteSize(1_000), ..place.options() }).expect("opens");
    let error = source.refresh().await.expect_err("it is too large");
    let expected = "the workspace has 1.1 KiB, 1000 B is the limit; the biggest parts are `models` (900 B), \
                    `data.bin` (200 B), `small` (1 B): leave out what steps do not need with a `.stroemignore` file";
    assert_eq!(error.to_string(), expected);
    place.write(".stroemignore", "models\n");
    verified(&source.refresh().await.expect("it fits now"));
}

#[tokio::test]
async fn links_stay_inside_or_are_left_out() {
    let place = Place::with(&[("sub/file", "x"), (".workflows/real.yaml", "a: 1")]);
    let outside = place.dir.path().join("secret");
    fs::write(&outside, "secret").expect("writes");
    let links = [
        ("inside", "./sub/file"),
        ("sub/up", "../sub/file"),
        ("dangling", "nowhere"),
        ("folder", "sub"),
        ("absolute", outside.to_str().expect("UTF-8")),
        ("up", "../secret"),
        ("tricky", "sub/../../secret"),
        (".workflows/link.yaml", "real.yaml"),
    ];
    for (name, target) in links {
        symlink(target, place.path(name)).expect("links");
    }
    let snapshot = place.snapshot().await;
    let items = verified(&snapshot);
    let kept: Vec<_> = items
        .iter()
        .filter(|(kind, ..)| *kind == b'l')
        .map(|(_, path, target)| (path.as_str(), std::str::from_utf8(target).expect("UTF-8")))
        .collect();
    let expected = [
        (".workflows/link.yaml", "real.yaml"),
        ("dangling", "nowhere"),
        ("folder", "sub"),
        ("inside", "sub/file"),
        ("sub/up", "../sub/file"),
    ];
    assert_eq!(kept, expected);
    assert!(!paths(&items).contains(&"folder/file"), "links are not followed");
    let left = |path: &str, target: &str| SnapshotNote {
        path: path.to_owned(),
        reason: NoteReason::LinkLeaves { target: target.to_owned() },
    };
    let notes = [
        SnapshotNote { path: ".workflows/link.yaml".to_owned(), reason: NoteReason::WorkflowLink },
        left("absolute", links[4].1),
        left("tricky", "sub/../../secret"),
        left("up", "../secret"),
    ];
    assert_eq!(snapshot.notes, notes);
    assert_eq!(snapshot.workflow_files.len(), 1);
}

#[tokio::test]
async fn what_is_no_file_or_no_text_is_reported() {
    let place = Place::with(&[(".workflows/good.yaml", "a: 1")]);
    place.write(".workflows/latin.yaml", b"a: gr\xfc\xdfe");
    let limit = usize::try_from(limits::WORKFLOW_FILE.as_bytes()).expect("fits");
    place.write(".workflows/exact.yaml", " ".repeat(limit));
    place.write(".workflows/large.yaml", " ".repeat(limit + 1));
    let _socket = UnixListener::bind(place.path("socket")).expect("binds");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        place.path("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .expect("makes a pipe");
    let snapshot = place.snapshot().await;
    verified(&snapshot);
    let notes: Vec<String> = snapshot.notes.iter().map(ToString::to_string).collect();
    let expected = [
        "`.workflows/large.yaml` has 4.0 MiB, 4 MiB is the limit of a workflow file, so its workflows are not loaded",
        "`.workflows/latin.yaml` is not UTF-8 text (the first bad byte is number 6), so its workflows are not loaded",
        "`pipe` is left out: it is a named pipe",
        "`socket` is left out: it is a socket",
    ];
    assert_eq!(notes, expected);
    let loaded: Vec<&str> = snapshot.workflow_files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(loaded, [".workflows/exact.yaml", ".workflows/good.yaml"]);
}

#[tokio::test]
async fn a_broken_ignore_file_is_an_error() {
    let place = Place::with(&[("sub/.stroemignore", "ok\n{a\n")]);
    let source = place.open();
    let error = source.refresh().await.expect_err("the pattern is not closed");
    let SourceError::IgnoreFile { message } = error else { panic!("{error}") };
    assert!(message.contains("sub/.stroemignore") && message.contains("line 2"), "{message}");
}

#[tokio::test]
async fn a_path_that_is_no_folder_is_an_error() {
    let place = Place::with(&[("file", "")]);
    let tarballs = place.dir.path().join("tarballs");
    for path in ["file", "file/below"] {
        let source = FolderSource::open(FolderOptions::new(place.path(path), &tarballs)).expect("opens");
        let error = source.refresh().await.expect_err("it is a file");
        assert!(matches!(error, SourceError::NotAFolder { .. }), "{error}");
        assert_eq!(source.current(), None);
    }
    let source = FolderSource::open(FolderOptions::new(place.path(""), place.path(""))).expect("opens");
    let error = source.refresh().await.expect_err("each tarball would change it");
    assert!(matches!(error, SourceError::TarballsInWorkspace { .. }), "{error}");
}

#[tokio::test]
async fn tarballs_are_written_once_and_again_when_they_are_gone() {
    let place = Place::with(&[("a", "1")]);
    let inode = |snapshot: &Snapshot| fs::metadata(&snapshot.tarball).expect("is there").ino();
    let source = place.open();
    let first = source.refresh().await.expect("a snapshot");
    let written = inode(&first);
    place.write("a", "2");
    source.refresh().await.expect("another");
    place.write("a", "1");
    let back = source.refresh().await.expect("the first again");
    assert_eq!((&back.revision, inode(&back)), (&first.revision, written));
    let restarted = place.snapshot().await;
    assert_eq!((&restarted.revision, inode(&restarted)), (&first.revision, written));

    fs::remove_file(&first.tarball).expect("removes");
    verified(&source.refresh().await.expect("writes it again"));
    // What it saw of the writes above may be at work once more.
    source.close().await;
    let names = fs::read_dir(place.options().tarball_dir).expect("lists").count();
    assert_eq!(names, 2, "two revisions and nothing unfinished");
}

#[tokio::test]
async fn only_our_own_leftovers_are_removed() {
    let place = Place::with(&[("a", "1")]);
    let options = place.options();
    let owner = Sha256::digest(options.path.to_str().expect("UTF-8"));
    let ours = options.tarball_dir.join(format!(".unfinished-{}-x", hex::encode(&owner[..8])));
    let theirs = options.tarball_dir.join(".unfinished-0123456789abcdef-x");
    fs::create_dir(&options.tarball_dir).expect("creates");
    for path in [&ours, &theirs] {
        fs::write(path, "").expect("writes");
    }
    drop(place.open());
    assert_eq!((ours.exists(), theirs.exists()), (false, true));
}
