# Runs the script of this folder once, for at most $1 seconds, counted from $2 (of `seconds`). The lock is held as long as it runs; `started` says that it was ever run.
dir=${0%/*}
limit=$1
called=${2:-$(seconds)}
cd "$dir" || exit 1
exec 9>>lock
flock -n 9 || exit 0
if [ -e started ] || [ -e rc ]; then exit 0; fi
boot >started.tmp || exit 1
durable started.tmp
mv started.tmp started || exit 1
# With the folders above, which another call may have made and not yet synced: the mark must not be lost with them.
durable . .. ../.. ../../..

# A systemd unit has no home, a session has: scripts find the same either way.
HOME=${HOME:-/root}
export HOME

# The script's own children must not hold the lock, its guard must.
inner='exec 9>&-; umask 022; cd /; exec /bin/sh "$0"'
limit=$((limit + called - $(seconds)))
if [ "$limit" -gt 0 ]; then
    timeout -k 10 "$limit" /bin/sh -c "$inner" "$dir/script" </dev/null >out 2>err
    code=$?
else
    echo 'its time was up before it began' >err
    true >out
    code=124
fi

# Overwrites what the claim has written: a full disk does not lose the result.
printf '%-15s\n' "$code" 1<>rc.tmp
durable rc.tmp
mv rc.tmp rc
durable .
