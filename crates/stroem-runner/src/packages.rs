//! How `dependencies:` come to a script: by the package manager that belongs to the program which runs it.
//!
//! A prelude, a `sh` script, installs what is missing into a directory for exactly these packages, shared by the steps of a
//! worker, and then becomes the script's own command. So installing is a part of the step: its lines are in the step's log,
//! its failure is the step's, a stop stops it. Knows no platform: where the directories are is told by the runner.

use std::fmt::Write as _;

use stroem_core::Language;

/// What a script needs and what runs it.
#[derive(Debug, Clone, Copy)]
pub struct Packages<'a> {
    /// The script's language.
    pub language: Language,
    /// The packages as its package manager writes them, such as `requests==2.32` or `lodash@4`.
    pub dependencies: &'a [String],
    /// The program and first arguments that run the script.
    pub interpreter: &'a [String],
    /// Where packages are kept for later steps: absolute, where the step runs.
    pub cache: &'a str,
    /// A directory above the script that this attempt may write to.
    pub scratch: &'a str,
}

/// What to run instead of the interpreter alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithPackages {
    /// The program and first arguments that run the script.
    pub interpreter: Vec<String>,
    /// Variables that the step gets besides.
    pub environment: Vec<(&'static str, String)>,
    /// A `sh` script that installs, and then becomes the command that is its arguments. None where the interpreter installs
    /// by itself.
    pub prelude: Option<String>,
}

impl Packages<'_> {
    /// How these packages are made available.
    ///
    /// # Errors
    /// A sentence for the user, when nothing is known that installs packages for this interpreter.
    pub fn prepare(self) -> Result<WithPackages, String> {
        let program = self.interpreter.first().map(String::as_str).unwrap_or_default();
        let name = program.rsplit('/').next().unwrap_or(program);
        match (self.language, name) {
            (_, "uv") => Ok(self.uv()),
            (Language::Python, name) if name.starts_with("python") => Ok(self.prelude(&self.pip(program))),
            (_, "bun") => Ok(self.prelude(&self.node_modules("bun add", program))),
            (_, "node") => Ok(self.prelude(
                &self.node_modules("npm install --loglevel=error --no-audit --no-fund --prefix .", program),
            )),
            (Language::Go, "go") => Ok(self.go()),
            _ => Err(format!(
                "dependencies: nothing is known that installs packages for `{name}`; uv, python, bun, node and go are known"
            )),
        }
    }

    fn uv(self) -> WithPackages {
        let with = self.dependencies.iter().flat_map(|package| ["--with".to_owned(), package.clone()]);
        WithPackages {
            interpreter: self.interpreter.iter().cloned().chain(with).collect(),
            environment: vec![("UV_CACHE_DIR", format!("{}/uv", self.cache))],
            prelude: None,
        }
    }

    /// A virtual environment for exactly these packages.
    fn pip(self, python: &str) -> String {
        let python = quoted(python);
        let install = format!(
            "{python} -m venv .\nPIP_CACHE_DIR=\"$cache/pip\" ./bin/python -m pip install --quiet --disable-pip-version-check {}\n",
            self.words()
        );
        // The words that follow the interpreter are the same for the environment's own Python.
        self.installed(
            &format!("{python} --version 2>&1"),
            &install,
            "shift\nset -- \"$dir/bin/python\" \"$@\"\n",
        )
    }

    /// A directory `node_modules` beside the script.
    fn node_modules(self, install: &str, program: &str) -> String {
        let install = format!(
            "echo '{{}}' > package.json\nnpm_config_cache=\"$cache/npm\" {install} {}\n",
            self.words()
        );
        let link = format!("ln -s \"$dir/node_modules\" {}/node_modules\n", quoted(self.scratch));
        self.installed(&format!("{} --version", quoted(program)), &install, &link)
    }

    fn go(self) -> WithPackages {
        // The script is the last argument but for its own; a module around it resolves its imports.
        let mut text = self.head();
        let _infallible = write!(
            text,
            "mkdir -p {scratch}/module\ncd {scratch}/module\n[ -e go.mod ] || go mod init step >/dev/null 2>&1\n\
             go get {packages}\nscript=$3\nshift 3\ncp \"$script\" main.go\ngo build -o {scratch}/program .\n\
             cd \"$OLDPWD\"\nexec {scratch}/program \"$@\"\n",
            scratch = quoted(self.scratch),
            packages = self.words(),
        );
        WithPackages { prelude: Some(text), ..self.prelude("") }
    }

    fn prelude(self, text: &str) -> WithPackages {
        let caches = [("GOMODCACHE", "go/mod"), ("GOCACHE", "go/build")];
        let environment = caches
            .into_iter()
            .filter(|_| self.language == Language::Go)
            .map(|(name, dir)| (name, format!("{}/{dir}", self.cache)));
        WithPackages {
            interpreter: self.interpreter.to_vec(),
            environment: environment.collect(),
            prelude: Some(text.to_owned()),
        }
    }

    fn head(self) -> String {
        format!("set -eu\ncache={}\nmkdir -p \"$cache\"\n", quoted(self.cache))
    }

    /// Installs into a directory of its own and moves it into place when it is whole; whoever comes second takes that.
    fn installed(self, version: &str, install: &str, then: &str) -> String {
        let mut text = self.head();
        let _infallible = write!(
            text,
            "key=$( {{ {version}; printf '%s\\n' {words}; }} | cksum | tr ' ' - )\ndir=\"$cache/{language}-$key\"\n\
             if [ ! -e \"$dir/.complete\" ]; then\n  new=$(mktemp -d \"$cache/new-XXXXXXXX\")\n  trap 'rm -rf \"$new\"' EXIT\n  \
             (\n    set -e\n    cd \"$new\"\n{install}  )\n  touch \"$new/.complete\"\n  \
             mv -T \"$new\" \"$dir\" 2>/dev/null || [ -e \"$dir/.complete\" ]\n  rm -rf \"$new\"\n  trap - EXIT\nfi\n{then}exec \"$@\"\n",
            words = self.words(),
            language = self.language.as_str(),
        );
        text
    }

    fn words(self) -> String {
        let words: Vec<String> = self.dependencies.iter().map(|package| quoted(package)).collect();
        words.join(" ")
    }
}

/// Variables of a script without packages: what its toolchain compiles is kept for later steps. Go builds its whole library
/// anew otherwise, as each step has a home of its own.
pub fn compiled(language: Language, cache: &str) -> Option<(&'static str, String)> {
    (language == Language::Go).then(|| ("GOCACHE", format!("{cache}/go/build")))
}

/// One word for `sh`, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepare(language: Language, interpreter: &[&str]) -> Result<WithPackages, String> {
        let interpreter: Vec<String> = interpreter.iter().map(ToString::to_string).collect();
        let dependencies = ["it's".to_owned(), "b==1".to_owned()];
        let packages = Packages {
            language,
            dependencies: &dependencies,
            interpreter: &interpreter,
            cache: "/c",
            scratch: "/s",
        };
        packages.prepare()
    }

    #[test]
    fn uv_gets_the_packages_as_arguments() {
        let with = prepare(Language::Python, &["/bin/uv", "run"]).expect("known");
        assert_eq!(with.interpreter, ["/bin/uv", "run", "--with", "it's", "--with", "b==1"]);
        assert_eq!((with.environment, with.prelude), (vec![("UV_CACHE_DIR", "/c/uv".to_owned())], None));
    }

    #[test]
    fn packages_are_single_words_for_the_shell() {
        let with = prepare(Language::Javascript, &["/bin/node"]).expect("known");
        let prelude = with.prelude.expect("a prelude");
        assert!(prelude.contains(r"--prefix . 'it'\''s' 'b==1'"), "{prelude}");
        assert!(
            prelude.ends_with("ln -s \"$dir/node_modules\" '/s'/node_modules\nexec \"$@\"\n"),
            "{prelude}"
        );
    }

    #[test]
    fn an_interpreter_without_a_package_manager_is_named() {
        let error = prepare(Language::Python, &["/bin/perl"]).expect_err("unknown");
        assert!(error.contains("for `perl`; uv, python, bun, node and go are known"), "{error}");
    }
}
