//! Ratios to the `docker` program in the same run. Their budgets count at full size (`STROEM_PROOF=full`) only: a busy
//! machine makes nobody's short run fail.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use stroem_core::{ImageSpec, Outcome, StepRun};

use crate::support::{Docker, IMAGE, docker, image, script, subject};

/// What the demand allows.
const BUDGET: f64 = 1.3;

#[expect(clippy::disallowed_methods, reason = "tests have no configuration that could say it")]
fn is_full() -> bool {
    std::env::var("STROEM_PROOF").is_ok_and(|size| size == "full")
}

#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn now() -> Instant {
    Instant::now()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[expect(clippy::print_stdout, reason = "the figure that is measured")]
fn judge(what: &str, ours: Duration, theirs: Duration) {
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println!("{what}: ours {ours:?}, docker {theirs:?}, ratio {ratio:.2}");
    assert!(!is_full() || ratio <= BUDGET, "{what}: {ratio:.2} of {BUDGET}");
}

async fn run_true(subject: &Docker) {
    let spec = ImageSpec { command: Some(vec!["true".to_owned()]), ..image(IMAGE) };
    let ran = subject.run(subject.request(StepRun::Image(spec))).await;
    assert_eq!(ran.outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn proof_a_container_takes_hardly_longer_than_docker_run() {
    let subject = subject!();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..if is_full() { 20 } else { 3 } {
        let start = now();
        docker(&["run", "--rm", IMAGE, "true"]).expect("an engine");
        theirs.push(start.elapsed());
        let start = now();
        run_true(&subject).await;
        ours.push(start.elapsed());
    }
    judge("one container", median(ours), median(theirs));
}

#[tokio::test]
async fn proof_eight_at_a_time_take_hardly_longer_than_eight_loops_of_docker_run() {
    let subject = subject!();
    let rounds = if is_full() { 7 } else { 1 };
    let loops = format!(
        "for i in 1 2 3 4 5 6 7 8; do (for j in $(seq {rounds}); do docker run --rm {IMAGE} true; done) & done; wait"
    );
    let start = now();
    assert!(Command::new("sh").args(["-c", &loops]).status().expect("sh").success());
    let theirs = start.elapsed();
    let one = || async {
        for _ in 0..rounds {
            run_true(&subject).await;
        }
    };
    let start = now();
    tokio::join!(one(), one(), one(), one(), one(), one(), one(), one());
    judge("eight loops", start.elapsed(), theirs);
}

#[tokio::test]
async fn proof_a_workspace_arrives_hardly_slower_than_by_docker_cp() {
    let subject = subject!();
    let workspace = subject.path("workspace");
    let (files, bytes) = if is_full() { (2_000, 25_000) } else { (100, 25_000) };
    for index in 0..files {
        let folder = workspace.join(format!("d{}", index % 50));
        fs::create_dir_all(&folder).expect("made");
        fs::write(folder.join(format!("f{index}")), vec![u8::try_from(index % 251).unwrap_or(0); bytes])
            .expect("written");
    }
    let tar = subject.path("workspace.tar");
    let packed = Command::new("tar").arg("-C").arg(&workspace).arg("-cf").arg(&tar).arg(".").status();
    assert!(packed.expect("tar").success());
    let check = format!("test $(find . -type f | wc -l) = {files}");
    let name = format!("stroem-speed-{}", std::process::id());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..if is_full() { 5 } else { 1 } {
        // The same life of a container, its files by the program.
        let theirs_text = format!(
            "docker create --name {name} -v /workspace -w /workspace {IMAGE} sh -c '{check}' && docker cp - {name}:/workspace < {} && \
             docker start -a {name} && docker rm -v {name}",
            tar.display()
        );
        let start = now();
        let ran = Command::new("sh").args(["-c", &theirs_text]).output().expect("sh");
        theirs.push(start.elapsed());
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let mut request = subject.request(script(&check));
        request.workspace = Some(workspace.clone());
        let start = now();
        let ran = subject.run(request).await;
        ours.push(start.elapsed());
        assert_eq!(ran.outcome, Outcome::Succeeded, "{ran:?}");
    }
    judge("a workspace", median(ours), median(theirs));
}
