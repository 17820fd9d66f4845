# Shared by the attaching script and the runner.
umask 077
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH

# Which boot this is: the kernel's boot id, and the start time of PID 1, because a container keeps the kernel's.
boot() {
    id='?' since='?'
    if [ -r /proc/sys/kernel/random/boot_id ]; then read -r id </proc/sys/kernel/random/boot_id; fi
    if [ -r /proc/1/stat ] && IFS= read -r since </proc/1/stat; then
        since=${since##*) }
        set -- $since
        since=${20}
    fi
    printf '%s.%s\n' "$id" "$since"
}

# Seconds on a clock that nobody sets, where there is one.
seconds() {
    up=''
    if [ -r /proc/uptime ]; then read -r up rest </proc/uptime; else up=$(date +%s); fi
    printf '%s\n' "${up%%.*}"
}

# On disk before anything follows from it.
durable() { sync "$@" 2>/dev/null || sync; }
