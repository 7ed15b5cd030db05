//! The program that replaces an image's entrypoint for script steps: plain `sh` with the programs that every image has.
//!
//! It is process 1. It sources `/etc/stroem/startup.d/*.sh`, runs the script, hands TERM to everything in the container,
//! and when the script ended waits for what still holds the output, then kills and notes what is left. Everything it needs
//! to know stands in its text, so that arguments show in no process list.

use stroem_core::{Language, limits};
use stroem_runner::toolchain;

/// The runner's directory in a container.
pub(crate) const HOME: &str = "/.stroem";
/// This program.
pub(crate) const WRAPPER: &str = "/.stroem/run.sh";
/// What it and the script leave behind.
pub(crate) const RESULT: &str = "/.stroem/result";
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

/// The text of the wrapper.
pub(crate) fn text(interpreter: &Interpreter, file: &str, arguments: &[String]) -> String {
    let rest: Vec<String> =
        std::iter::once(file).chain(arguments.iter().map(String::as_str)).map(quoted).collect();
    let turns = limits::DRAIN.as_duration().as_millis() as u64 / PAUSE_MS;
    TEXT.replace("@CHOOSE@", &choose(interpreter, &rest.join(" "))).replace("@TURNS@", &turns.to_string())
}

/// Puts the command line into the positional parameters.
fn choose(interpreter: &Interpreter, rest: &str) -> String {
    match interpreter {
        Interpreter::Words(words) => {
            let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
            let program = words.first().map_or("''", String::as_str);
            format!(
                "  command -v {program} > /dev/null 2>&1 || stroem_refuse 'interpreter: the image has no program '{program}\n  set -- {} {rest}\n",
                words.join(" ")
            )
        }
        Interpreter::Of(language) => {
            let names = language.toolchains();
            let mut text = String::new();
            for (index, name) in names.iter().enumerate() {
                let word = if index == 0 { "if" } else { "elif" };
                let arguments = toolchain::arguments(name).join(" ");
                text.push_str(&format!(
                    "  {word} command -v {name} > /dev/null 2>&1; then set -- {name} {arguments} {rest}\n"
                ));
            }
            let looked = names.join(", ");
            let language = language.as_str();
            text.push_str(&format!(
                "  else stroem_refuse \"the image has no program for {language} scripts: looked for {looked} in $PATH\"; fi\n"
            ));
            text
        }
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

    #[test]
    fn words_of_a_user_are_never_code() {
        let text = text(&Interpreter::Words(vec!["sh".to_owned()]), "/s", &["a'; rm -rf /; '".to_owned()]);
        assert!(text.contains(r"set -- 'sh' '/s' 'a'\''; rm -rf /; '\'''"), "{text}");
    }

    #[test]
    fn the_preferred_program_of_the_image_is_taken() {
        let text = text(&Interpreter::Of(Language::Python), "/.stroem/script.py", &[]);
        let chosen = "  if command -v uv > /dev/null 2>&1; then set -- uv run --no-project --quiet '/.stroem/script.py'\n  \
                      elif command -v python3 > /dev/null 2>&1; then set -- python3  '/.stroem/script.py'\n";
        assert!(text.contains(chosen), "{text}");
    }
}
