//! The program that replaces an image's entrypoint for script steps: plain `sh` with the programs that every image has.
//!
//! It is process 1. It sources `/etc/stroem/startup.d/*.sh`, runs the script, hands TERM to everything in the container,
//! and when the script ended waits for what still holds the output, then kills and notes what is left. Everything it needs
//! to know stands in its text, so that arguments show in no process list.

use stroem_core::{Language, limits};
use stroem_runner::{Packages, toolchain};

/// The runner's directory in a container.
pub(crate) const HOME: &str = "/.stroem";
/// This program.
pub(crate) const WRAPPER: &str = "/.stroem/run.sh";
/// What it and the script leave behind.
pub(crate) const RESULT: &str = "/.stroem/result";
/// Packages of `dependencies:`, for this attempt alone: what one step installs no other step may change.
const PACKAGES: &str = "/.stroem/packages";
/// The workspace.
pub(crate) const WORKSPACE: &str = "/workspace";

/// How a script is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Interpreter {
    /// Program and first arguments, as the user wrote them.
    Words(Vec<String>),
    /// The first one of a language that the image has.
    Of(Language),
}

/// Pauses between looks at processes that hold the output.
const PAUSE_MS: u64 = 50;

/// A script and what runs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program<'a> {
    pub(crate) interpreter: &'a Interpreter,
    pub(crate) language: Language,
    /// The script's file in the container.
    pub(crate) file: &'a str,
    pub(crate) arguments: &'a [String],
    /// Packages that are installed before.
    pub(crate) dependencies: &'a [String],
    /// A directory above the script that the step may write to.
    pub(crate) scratch: &'a str,
}

/// The wrapper, and what it needs beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) wrapper: String,
    /// Paths in the container and texts.
    pub(crate) files: Vec<(String, String)>,
}

impl Program<'_> {
    /// The text of the wrapper.
    ///
    /// # Errors
    /// A sentence, when the interpreter that the user chose has no package manager.
    pub(crate) fn text(self) -> Result<Text, String> {
        let mut files = Vec::new();
        let choose = self.choose(&mut files)?;
        let turns = limits::DRAIN.as_duration().as_millis() as u64 / PAUSE_MS;
        let wrapper = TEXT.replace("@CHOOSE@", &choose).replace("@TURNS@", &turns.to_string());
        Ok(Text { wrapper, files })
    }

    /// Puts the command line into the positional parameters.
    fn choose(self, files: &mut Vec<(String, String)>) -> Result<String, String> {
        let language = match self.interpreter {
            Interpreter::Of(language) => language,
            Interpreter::Words(words) => {
                let program = quoted(words.first().map_or("", String::as_str));
                let set = self.set(words, files)?;
                return Ok(format!(
                    "  command -v {program} > /dev/null 2>&1 || stroem_refuse 'interpreter: the image has no program '{program}\n{set}\n"
                ));
            }
        };
        let names = language.toolchains();
        let mut text = String::new();
        for (index, name) in names.iter().enumerate() {
            let word = if index == 0 { "if" } else { "elif" };
            let command = std::iter::once(name).chain(toolchain::arguments(name));
            let command: Vec<String> = command.map(ToString::to_string).collect();
            // One without a package manager is refused only where it is the one that would run.
            let set = self
                .set(&command, files)
                .unwrap_or_else(|message| format!("  stroem_refuse {}", quoted(&message)));
            text.push_str(&format!("  {word} command -v {name} > /dev/null 2>&1; then\n{set}\n"));
        }
        let looked = names.join(", ");
        let language = language.as_str();
        text.push_str(&format!(
            "  else stroem_refuse \"the image has no program for {language} scripts: looked for {looked} in $PATH\"; fi\n"
        ));
        Ok(text)
    }

    /// One command line, behind what installs its packages.
    fn set(self, command: &[String], files: &mut Vec<(String, String)>) -> Result<String, String> {
        let mut text = String::new();
        let mut words = command.to_vec();
        if !self.dependencies.is_empty() {
            let packages = Packages {
                language: self.language,
                dependencies: self.dependencies,
                interpreter: command,
                cache: PACKAGES,
                scratch: self.scratch,
            };
            let with = packages.prepare()?;
            for (name, value) in with.environment {
                text.push_str(&format!("  export {name}={}\n", quoted(&value)));
            }
            words = with.interpreter;
            if let Some(prelude) = with.prelude {
                let file = format!("{HOME}/packages-{}.sh", files.len());
                words.splice(0..0, ["sh".to_owned(), file.clone()]);
                files.push((file, prelude));
            }
        }
        let rest = std::iter::once(self.file).chain(self.arguments.iter().map(String::as_str));
        let words: Vec<String> = words.iter().map(String::as_str).chain(rest).map(quoted).collect();
        text.push_str(&format!("  set -- {}", words.join(" ")));
        Ok(text)
    }
}

/// A word that the shell takes as it is.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

const TEXT: &str = r#"# Runs one attempt of a step; written by its worker.
unset HOSTNAME
stroem_result=/.stroem/result
stroem_stopped=
trap 'stroem_stopped=1; kill -TERM -1 2> /dev/null' TERM

stroem_refuse() {
  echo "refused $1" >> "$stroem_result/report"
  exit 127
}

stroem_startup() {
  for stroem_file in /etc/stroem/startup.d/*.sh; do
    if [ -f "$stroem_file" ]; then . "$stroem_file"; fi
  done
}

# Everything that lives here beside this process.
stroem_look() {
  stroem_left=
  for stroem_dir in /proc/[0-9]*; do
    stroem_pid=${stroem_dir#/proc/}
    [ "$stroem_pid" = "$$" ] && continue
    stroem_stat=
    { read -r stroem_stat < "$stroem_dir/stat"; } 2> /dev/null || continue
    case ${stroem_stat##*) } in Z* | X*) continue ;; esac
    stroem_left="$stroem_left $stroem_pid"
  done
}

stroem_holds_output() {
  for stroem_pid in $stroem_left; do
    for stroem_fd in /proc/"$stroem_pid"/fd/*; do
      if [ "$stroem_fd" -ef /proc/$$/fd/1 ] || [ "$stroem_fd" -ef /proc/$$/fd/2 ]; then return 0; fi
    done
  done
  return 1
}

stroem_pause() {
  sleep 0.05 2> /dev/null || { sleep 1; stroem_turns=$((stroem_turns - 19)); }
}

(
  trap - TERM
  stroem_startup
@CHOOSE@  # A shell makes the commands it does not wait for ignore these two.
  if env --default-signal=INT,QUIT true 2> /dev/null; then exec env --default-signal=INT,QUIT "$@"; fi
  exec "$@"
) &
stroem_child=$!
while :; do
  wait "$stroem_child"
  stroem_code=$?
  kill -0 "$stroem_child" 2> /dev/null || break
done

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
stroem_turns=@TURNS@
stroem_look
while [ -n "$stroem_left" ]; do
  if [ -z "$stroem_stopped" ]; then
    [ "$stroem_turns" -gt 0 ] && stroem_holds_output || break
    stroem_turns=$((stroem_turns - 1))
  fi
  stroem_pause
  stroem_look
done
for stroem_pid in $stroem_left; do
  stroem_words=$(tr '\000\n' '  ' < "/proc/$stroem_pid/cmdline" 2> /dev/null)
  [ -n "$stroem_words" ] || { read -r stroem_words < "/proc/$stroem_pid/comm"; } 2> /dev/null || continue
  echo "left $stroem_pid (${stroem_words% })" >> "$stroem_result/report"
done
[ -z "$stroem_left" ] || kill -KILL -1 2> /dev/null
for stroem_file in /sys/fs/cgroup/memory.peak /sys/fs/cgroup/memory/memory.max_usage_in_bytes; do
  if { read -r stroem_peak < "$stroem_file"; } 2> /dev/null; then
    echo "peak $stroem_peak" >> "$stroem_result/report"
    break
  fi
done
exit "$stroem_code"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(interpreter: &Interpreter, dependencies: &[&str]) -> Text {
        let language = if let Interpreter::Of(language) = interpreter { *language } else { Language::Shell };
        let dependencies: Vec<String> = dependencies.iter().map(ToString::to_string).collect();
        let arguments = ["a'; rm -rf /; '".to_owned()];
        let program = Program {
            interpreter,
            language,
            file: "/s",
            arguments: &arguments,
            dependencies: &dependencies,
            scratch: HOME,
        };
        program.text().expect("a text")
    }

    #[test]
    fn words_of_a_user_are_never_code() {
        let text = text(&Interpreter::Words(vec!["sh".to_owned()]), &[]).wrapper;
        assert!(text.contains(r"set -- 'sh' '/s' 'a'\''; rm -rf /; '\'''"), "{text}");
    }

    #[test]
    fn the_preferred_program_of_the_image_is_taken() {
        let text = text(&Interpreter::Of(Language::Python), &[]).wrapper;
        let first =
            "  if command -v uv > /dev/null 2>&1; then\n  set -- 'uv' 'run' '--no-project' '--quiet' '/s' ";
        let second = "\n  elif command -v python3 > /dev/null 2>&1; then\n  set -- 'python3' '/s' ";
        assert!(text.contains(first) && text.contains(second), "{text}");
    }

    #[test]
    fn each_program_installs_with_its_own_package_manager() {
        let Text { wrapper, files } = text(&Interpreter::Of(Language::Python), &["a==1"]);
        assert!(wrapper.contains("'--with' 'a==1' '/s' "), "{wrapper}");
        assert!(wrapper.contains("  export UV_CACHE_DIR='/.stroem/packages/uv'\n"), "{wrapper}");
        assert!(wrapper.contains("  set -- 'sh' '/.stroem/packages-0.sh' 'python3' '/s' "), "{wrapper}");
        assert!(files[0].1.contains("pip install"), "{files:?}");
        let Text { wrapper, .. } = text(&Interpreter::Of(Language::Typescript), &["a"]);
        assert!(wrapper.contains("  stroem_refuse 'dependencies: nothing is known"), "{wrapper}");
    }
}
