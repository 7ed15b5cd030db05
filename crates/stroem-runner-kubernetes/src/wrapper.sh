# Runs a script as process 1 of the step's container: checks what only the container can tell, starts the script with a
# clean environment, passes a stop on to everything, names and kills what the script leaves running. What it tells the
# runner are lines of the log that begin with a mark and this attempt's nonce.
exec 3>&1 2>/dev/null
here=/stroem/step
say() { printf '\036%s:%s\n' "$nonce" "$*" >&3; }
fail() {
  say "invalid $*"
  say over
  exit 64
}

stopping= main= ended= killer=none
stop() {
  trap '' TERM INT
  stopping=1
  [ "$$" = 1 ] || { [ -n "$main" ] && kill -s TERM "$main"; return; }
  kill -s TERM -- -1
  ( sleep "$grace"; kill -s KILL -- -1 ) &
  killer=$!
}
trap stop TERM INT

# Sets `left` to the processes beside this one. No fork: it would see itself.
others() {
  left=
  [ "$$" = 1 ] || return 1
  for dir in /proc/[0-9]*; do
    pid=${dir#/proc/}
    [ "$pid" != 1 ] && [ "$pid" != "$killer" ] && read -r stat < "$dir/stat" || continue
    rest=${stat##*) }
    state=${rest%% *}
    rest=${rest#* }
    parent=${rest%% *}
    case $state in Z | X) continue ;; esac
    [ "$parent" = "$killer" ] || left="$left $pid"
  done
  [ -n "$left" ]
}

. "$here/begin"
# The arguments of the script are the positional parameters now.
real=$(cd -P -- "$workspace" && pwd -P)
directory=$workspace${workdir:+/$workdir}
[ -d "$directory" ] || fail "workdir: the workspace has no directory \`$workdir\`"
cd -- "$directory" || fail "workdir: \`$workdir\` cannot be entered"
case $(pwd -P)/ in
"$real"/*) ;;
*) fail "workdir: \`$workdir\` is not a path inside the workspace" ;;
esac
file=$script
if [ -n "$source" ]; then
  file=$workspace/$source
  [ -f "$file" ] || fail "source: the workspace has no file \`$source\`"
  case $(readlink -f -- "$file" || echo "$real/") in
  "$real"/*) ;;
  *) fail "source: \`$source\` is not a path inside the workspace" ;;
  esac
fi
set -- "$file" "$@"
path=${path-$PATH}
find() {
  case $1 in
  */*) program=$1; [ -f "$program" ] && [ -x "$program" ] ;;
  *) program=$(PATH=$path command -v -- "$1") && case $program in /*) [ -x "$program" ] ;; *) false ;; esac ;;
  esac
}
. "$here/interpreter"
found=
for startup in /etc/stroem/startup.d/*.sh; do
  [ -e "$startup" ] && found=1
done
if [ -n "$found" ]; then
  set -- sh -c 'for startup in /etc/stroem/startup.d/*.sh; do . "$startup"; done; exec "$@"' sh "$@"
fi
. "$here/environment"
mkdir -p "$run/home" "$run/tmp" || fail "the folders of the step cannot be made in $run"

if [ -n "$stopping" ]; then
  say over
  exit 143
fi
say start
env -i "$@" < /dev/null >&3 2>&3 3>&- &
main=$!
# It came while there was nobody to pass it on to.
[ -z "$stopping" ] || kill -s TERM "$main"
wait "$main"
code=$?
while kill -0 "$main"; do
  wait "$main"
  code=$?
done
[ -n "$stopping" ] || {
  say "ended $code"
  ended=1
}

turns=0
while [ -z "$stopping" ] && [ "$turns" -lt 20 ] && others; do
  sleep 0.1
  turns=$((turns + 1))
done
if [ -z "$stopping" ] && others; then
  named=0
  for pid in $left; do
    [ "$named" -lt 10 ] && say "left $pid $(tr '\0' ' ' < "/proc/$pid/cmdline")"
    named=$((named + 1))
  done
  [ "$named" -le 10 ] || say "more $((named - 10))"
  kill -s KILL -- -1
fi
while [ -n "$stopping" ] && others; do
  sleep 0.05
done
if [ -n "$ended" ] && [ "$code" = 0 ] && [ -f "$output" ] && [ ! -L "$output" ]; then
  text=$(head -c "$output_limit" < "$output")
  case $text in
  *[![:space:]]*)
    say output
    { printf 'OUTPUT: '; printf '%s' "$text" | tr '\r\n' '  '; printf '\n'; } >&3
    ;;
  esac
fi
say over
exit "$code"
