//! Images of the programs that the tests were built with, under the names that chart and compose file use.

use std::path::Path;

use super::{cluster::run, documented::Programs, repository};
use crate::harness::STROEM;

/// Removed with it.
pub(super) struct Images {
    made: Vec<String>,
    tag: String,
}

impl Images {
    /// None, and it says so, without an engine.
    pub(super) fn build(folder: &Path, names: &[&str]) -> Option<Self> {
        if let Err(error) = run("docker", &["image", "inspect", "debian:bookworm"], "") {
            let reason = format!("no Docker engine for the images (`dev/docker up`): {error}");
            stroem_runner::conformance::skip(&reason);
            return None;
        }
        let mut images = Self { made: Vec::new(), tag: format!("test-{}", std::process::id()) };
        for name in names {
            let context = folder.join(format!("image-of-{name}"));
            std::fs::create_dir(&context).expect("made");
            match *name {
                "postgres" => images.postgres(&context),
                "dind" => dind(&context),
                name => images.program(name, &context),
            }
        }
        Some(images)
    }

    pub(super) fn tag(&self) -> &str {
        &self.tag
    }

    /// One layer over the base: the program without its debug information, the folders and the entrypoint that its real
    /// image has.
    fn program(&mut self, name: &str, root: &Path) {
        let program = format!("stroem-{name}");
        let built = Path::new(STROEM).with_file_name(&program);
        assert!(built.is_file(), "{} is missing: cargo build --workspace", built.display());
        let make = "mkdir -p usr/local/bin etc/stroem/startup.d var/stroem && chmod 1777 var/stroem && \
                    strip -o usr/local/bin/$(basename $BUILT) $BUILT && \
                    printf '%s\\n' 'for file in /etc/stroem/startup.d/*.sh; do if [ -f \"$file\" ]; then . \"$file\"; fi; done' \
                    'exec \"$@\"' > usr/local/bin/stroem-entrypoint";
        let programs = Programs::new();
        programs.run(make, root, &[("BUILT", &built.display().to_string())]);
        let container = run("docker", &["create", "debian:bookworm", "true"], "").expect("a container");
        let (from, to) = (format!("{}/.", root.display()), format!("{container}:/"));
        run("docker", &["cp", &from, &to], "").expect("copied");
        let image = format!("ghcr.io/fremvaerk/{program}:{}", self.tag);
        let entrypoint = r#"ENTRYPOINT ["/bin/sh", "/usr/local/bin/stroem-entrypoint"]"#;
        let (command, config) =
            (format!("CMD [\"{program}\"]"), format!("ENV STROEM_CONFIG=/etc/stroem/{name}-config.yaml"));
        let directory = "WORKDIR /var/stroem";
        let changes = [entrypoint, &command, &config, directory].map(|change| ["--change", change]).concat();
        run("docker", &[&["commit"], &changes[..], &[&container, &image]].concat(), "").expect("an image");
        run("docker", &["rm", &container], "").expect("removed");
        self.made.push(image);
    }

    /// The real one where it can be pulled.
    fn postgres(&mut self, context: &Path) {
        let image = "postgres:17";
        if run("docker", &["image", "inspect", image], "").is_ok()
            || run("docker", &["pull", "--quiet", image], "").is_ok()
        {
            return;
        }
        for (from, to) in
            [("postgres.Dockerfile", "Dockerfile"), ("postgres-entrypoint", "postgres-entrypoint")]
        {
            let from = repository().join("docker/test").join(from);
            std::fs::copy(from, context.join(to)).expect("copied");
        }
        self.make(image.to_owned(), context);
    }

    fn make(&mut self, image: String, context: &Path) {
        let context = context.display().to_string();
        run("docker", &["build", "--quiet", "--tag", &image, &context], "").expect("an image");
        self.made.push(image);
    }
}

/// An engine with the small image of the tests; it stays with the other images that are named so.
fn dind(context: &Path) {
    let images = context.join("images.tar").display().to_string();
    run("docker", &["save", "--output", &images, "stroem-test/busybox"], "")
        .expect("`dev/docker up` made it");
    for (from, to) in [("dind.Dockerfile", "Dockerfile"), ("dind-entrypoint", "dind-entrypoint")] {
        std::fs::copy(repository().join("docker/test").join(from), context.join(to)).expect("copied");
    }
    let context = context.display().to_string();
    run("docker", &["build", "--quiet", "--tag", "stroem-test/dind", &context], "").expect("an image");
}

impl Drop for Images {
    fn drop(&mut self) {
        for image in &self.made {
            // It may be in use by somebody who came later.
            let _ = run("docker", &["image", "rm", image], "");
        }
    }
}
