# Removes the folders of a campaign, unless one of its jobs still runs.
if [ -z "$base" ]; then
    if [ "$(id -u)" = 0 ]; then base=/var/lib/switchback/jobs
    else base=${XDG_STATE_HOME:-$HOME/.local/state}/switchback/jobs; fi
fi
for lock in "$base/$campaign"/*/*/lock; do
    if [ -e "$lock" ] && ! flock -n -s "$lock" true; then
        printf '##job running\n'
        exit 0
    fi
done
rm -rf "${base:?}/$campaign"
# Uploads that were cut off.
find "$base" -maxdepth 1 -name '.new.*' -mmin +60 -exec rm -rf {} + 2>/dev/null
printf '##job gone\n'
exit 0
