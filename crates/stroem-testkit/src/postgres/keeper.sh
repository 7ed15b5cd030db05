# Ends a throw-away server when nobody uses it any more.
# Arguments: its folder, the seconds it may be unused, whether to remove the folder as well, and how to call pg_ctl.
home=$1 idle=$2 remove=$3
shift 3
exec 7>>"$home/keeper" 8>>"$home/lock" 9>>"$home/users"
flock -n -x 7 || exit 0
unused=0
while [ -d "$home/data" ]; do
    sleep 1
    if flock -n -x 9; then
        unused=$((unused + 1))
        flock -u 9
    else
        unused=0
    fi
    [ "$unused" -ge "$idle" ] || continue
    # Nobody may begin to use it now.
    flock -x 8
    if flock -n -x 9; then
        "$@" -D "$home/data" -m immediate -t 30 stop 7>&- 8>&- 9>&-
        rm -rf "$home/data" "$home/socket"
        [ "$remove" = yes ] && rm -rf "$home"
        exit 0
    fi
    flock -u 8
    unused=0
done
