# Starts the job or attaches to it, waits a while, and says how it stands: `##job STATE`, then its output.
say() { printf '##job %s\n' "$*"; }
give_up() { say "$@"; exit 0; }

if [ -z "$base" ]; then
    if [ "$(id -u)" = 0 ]; then base=/var/lib/switchback/jobs
    else base=${XDG_STATE_HOME:-$HOME/.local/state}/switchback/jobs; fi
fi
called=$(seconds)
home=$base/$campaign/$step
dir=$home/$generation.$index

for tool in flock mktemp setsid sha256sum; do
    command -v "$tool" >/dev/null || give_up not-claimed "$tool is not installed"
done

look() {
    code='' state=absent
    [ -d "$dir" ] || return 0
    read -r found <"$dir/sum" || found=''
    if [ "$found" != "$sum" ]; then state=conflict
    elif [ -e "$dir/rc" ]; then state=done
    elif [ ! -e "$dir/started" ]; then state=claimed
    # Shared, so that two who look do not take each other for the runner.
    elif ! flock -n -s "$dir/lock" true; then state=running
    elif [ -e "$dir/rc" ]; then state=done
    elif [ "$(cat "$dir/started")" != "$(boot)" ]; then state=lost-by-reboot
    else state=lost; fi
    if [ "$state" = done ]; then
        read -r code <"$dir/rc"
        if [ "$(cat "$dir/started")" != "$(boot)" ]; then code="$code rebooted"; fi
    fi
}

superseded() {
    for other in "$home"/*; do
        other=${other##*/}
        other=${other%%.*}
        case $other in '' | *[!0-9]*) continue ;; esac
        if [ "$other" -gt "$generation" ]; then return 0; fi
    done
    return 1
}

# Removes campaigns that nobody has touched for a month, and uploads that were cut off. Until then their folders stay:
# people read what the jobs said, and a call that arrives late finds that its job has run.
tidy() {
    for old in "$base"/*/; do
        old=${old%/}
        [ "$old" != "$base/$campaign" ] && [ -n "$(find "$old" -prune -mtime +30 2>/dev/null)" ] || continue
        for lock in "$old"/*/*/lock; do
            if [ -e "$lock" ] && ! flock -n -s "$lock" true; then continue 2; fi
        done
        rm -rf "$old"
    done
    find "$base" -maxdepth 1 -name '.new.*' -mmin +60 -exec rm -rf {} + 2>/dev/null
}

# A folder that appears whole or not at all: whoever moves it into place first has claimed the job.
claim() {
    timeout -k 10 5 true 2>/dev/null || give_up not-claimed "no timeout(1) that could end the job"
    mkdir -p "$home" || give_up not-claimed "cannot make $home"
    tidy
    new=$(mktemp -d "$base/.new.XXXXXX") || give_up not-claimed "cannot write to $base"
    if printf '%s' "$script" >"$new/script" &&
        printf '%s' "$runner" >"$new/runner" &&
        printf '%s\n' "$sum" >"$new/sum" &&
        printf '%-15s\n' pending >"$new/rc.tmp" &&
        true >"$new/lock"
    then :; else
        rm -rf "$new"
        give_up not-claimed "cannot write to $base"
    fi
    set -- $(sha256sum "$new/script")
    if [ "$1" != "$sum" ]; then
        rm -rf "$new"
        give_up not-claimed "the script arrived damaged"
    fi
    durable "$new"/* "$new"
    mv -T "$new" "$dir" 2>/dev/null || rm -rf "$new"
    durable "$home"
}

# The limit is that of the call that starts the job, not of the one that claimed it: time may have passed in between. It
# counts from this call on: a slow disk must not let the job outlive those who wait for it.
launch() {
    # A unit of its own: it outlives the session, sshd and what an upgrade restarts.
    if [ -d /run/systemd/system ] && [ "$(id -u)" = 0 ] &&
        systemd-run --quiet --collect --unit="switchback-$campaign-$step-$generation.$index" \
            --property=KillMode=process /bin/sh "$dir/runner" "$limit" "$called" </dev/null >/dev/null 2>&1
    then :; else
        setsid /bin/sh "$dir/runner" "$limit" "$called" </dev/null >/dev/null 2>&1 &
    fi
    tries=0
    while [ ! -e "$dir/started" ] && [ "$tries" -lt 100 ]; do
        sleep 0.02 2>/dev/null || sleep 1
        tries=$((tries + 1))
    done
}

look
case $state in absent | claimed)
    if superseded; then give_up refused; fi
    ;;
esac
if [ -n "$sent" ]; then
    if [ "$state" = absent ]; then claim; look; fi
    if [ "$state" = claimed ]; then launch; look; fi
fi
if [ "$state" = running ] && [ "$wait" -gt 0 ]; then
    flock -s -w "$wait" "$dir/lock" true 2>/dev/null
    look
fi
say "$state" "$code"
case $state in
done)
    sed -n '/^##switchback /p' "$dir/out" | tail -n 500 | tail -c 262144
    printf '##tail\n'
    tail -c 65536 "$dir/out"
    tail -c 65536 "$dir/err" >&2
    ;;
running)
    printf '##tail\n'
    tail -c 1000 "$dir/out" 2>/dev/null
    ;;
esac
exit 0
