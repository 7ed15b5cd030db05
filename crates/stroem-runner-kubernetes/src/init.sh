# Unpacks the revision's files. The folder is shared with the step's user by its group.
cd /workspace || exit 1
umask 0002
turn=1
while :; do
  rm -f /stroem/run/failed
  { curl --config /stroem/download/curl || echo failed > /stroem/run/failed; } | tar -x -f - && [ ! -e /stroem/run/failed ] && break
  [ "$turn" -lt 5 ] || exit 1
  sleep "$turn"
  turn=$((turn + 1))
  find . -mindepth 1 -delete
done
find . -mindepth 1 ! -type l -exec chmod ug+rwX {} +
