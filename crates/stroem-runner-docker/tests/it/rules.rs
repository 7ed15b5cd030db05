//! What a worker keeps its containers from.

use stroem_core::{ByteSize, CpuQuantity, ImageSpec, Outcome, StepRun};

use crate::support::{IMAGE, image, script, subject};

const PROBE: &str = "grep -E '^(NoNewPrivs|CapEff)' /proc/self/status | tr -d '\\t '";

#[tokio::test]
async fn no_container_gains_privileges() {
    let subject = subject!();
    let ran = subject.run(subject.request(script(PROBE))).await;
    assert!(ran.stdout.contains("NoNewPrivs:1\n"), "{ran:?}");
    assert!(!ran.stdout.contains("CapEff:0000000000000000"), "the engine's usual capabilities: {ran:?}");
    let image = ImageSpec { cmd: Some(PROBE.to_owned()), ..image(IMAGE) };
    assert!(subject.run(subject.request(StepRun::Image(image))).await.stdout.contains("NoNewPrivs:1\n"));
}

#[tokio::test]
async fn a_worker_can_take_user_root_capabilities_and_network_from_every_step() {
    let subject = subject!(|options| {
        options.hardening.user = Some("4713:4714".to_owned());
        options.hardening.read_only_root = true;
        options.hardening.cap_drop = vec!["ALL".to_owned()];
        options.hardening.network = Some("none".to_owned());
    });
    let workspace = subject.path("workspace");
    std::fs::create_dir_all(&workspace).expect("made");
    std::fs::write(workspace.join("file"), "x").expect("written");
    let text = format!(
        "id -u; id -g; {PROBE}; touch /usr/x 2> /dev/null || echo read-only; ls /sys/class/net; \
         cat file && echo y > file && touch /tmp/x \"$TMPDIR/x\" \"$HOME/x\" && echo ' written'; echo '[1]' > \"$STROEM_OUTPUT\""
    );
    let mut request = subject.request(script(&text));
    request.workspace = Some(workspace);
    let ran = subject.run(request).await;
    let expected =
        "4713\n4714\nCapEff:0000000000000000\nNoNewPrivs:1\nread-only\nlo\nx written\nOUTPUT: [1]\n";
    assert_eq!((ran.outcome, ran.stdout.as_str()), (Outcome::Succeeded, expected), "{}", ran.stderr);
}

#[tokio::test]
async fn ceilings_hold_for_steps_that_ask_for_more_and_for_steps_that_ask_for_nothing() {
    let subject = subject!(|options| {
        options.ceilings.memory = Some(ByteSize::from_mib(64));
        options.ceilings.cpu = Some(CpuQuantity::from_millicores(500));
        options.ceilings.pids = Some(50);
    });
    // Control groups of version 2 and 1.
    let text = "cd /sys/fs/cgroup; cat memory.max memory/memory.limit_in_bytes 2> /dev/null; \
                cut -d ' ' -f 1 cpu.max 2> /dev/null || cat cpu/cpu.cfs_quota_us; \
                cat pids.max pids/pids.max 2> /dev/null; true";
    for asked in [None, Some(ByteSize::from_mib(128)), Some(ByteSize::from_mib(32))] {
        let mut request = subject.request(script(text));
        request.spec.resources.memory = asked;
        request.spec.resources.cpu = asked.map(|_| CpuQuantity::from_millicores(100_000));
        let ran = subject.run(request).await;
        let mib = if asked == Some(ByteSize::from_mib(32)) { 32 } else { 64 };
        assert_eq!(ran.stdout, format!("{}\n50000\n50\n", mib << 20), "{ran:?}");
        let lowered = ran.notes.iter().filter(|note| note.contains("is lowered to")).count();
        assert_eq!(
            lowered,
            match asked {
                None => 0,
                Some(_) if mib == 32 => 1,
                Some(_) => 2,
            },
            "{ran:?}"
        );
    }
}

#[tokio::test]
async fn mounts_are_those_of_the_worker() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("file"), "of the host\n").expect("written");
    let mount = format!("{}:/mnt/shared:ro", directory.path().display());
    let subject = subject!(|options| options.mounts = vec![mount]);
    let ran = subject
        .run(subject.request(script("cat /mnt/shared/file; touch /mnt/shared/x 2> /dev/null || echo no")))
        .await;
    assert_eq!(ran.stdout, "of the host\nno\n", "{ran:?}");
}
