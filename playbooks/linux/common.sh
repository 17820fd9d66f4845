# What all scripts for Linux share; each of them runs behind this text, and behind that of its package manager.
#
# POSIX sh, also on dash and busybox. Values come in arguments and environment only. Everything a script has to say to
# the controller is a line on standard output: `##switchback fact KEY VALUE`, `##switchback reason CODE TEXT`.
# Exit codes: 0 done, 3 nothing to do, 4 refused and nothing changed, 75 will pass and nothing changed, else failed.
#
# The part of a package manager gives: the lists LOCKS and the patterns LOCKED, NO_SPACE and UNREACHABLE of its own
# words, the folders CACHE and DATABASE, and the functions need_manager, is_package_name, is_version, look_up,
# installed_versions, candidate_version, is_newer_or_same, held_back, packages_digest, manager_trouble, refresh, simulate,
# download, upgrade, errors_in, sizes, writes_boot, package_trouble, newest_kernel, kernel_rebuilt and more_reboot_reasons.
set -u
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 077

fact() {
    printf '##switchback fact %s %s\n' "$1" "$2"
}

# leave STATUS CODE TEXT: ends the script with a reason. Never call it in a subshell or a pipe.
leave() {
    printf '##switchback reason %s %s\n' "$2" "$(printf '%s' "$3" | one_line)"
    exit "$1"
}

# Lines to one line of at most 400 printable characters.
one_line() {
    tr '\n\t' '  ' | tr -cd '[:print:]' | cut -c 1-400 | sed 's/ *$//'
}

# Words on lines to one sorted line.
words() {
    sort -u | tr '\n' ' ' | sed 's/ *$//'
}

need_root() {
    [ "$(id -u)" = 0 ] || leave 4 not-root "needs root, runs as $(id -un)"
}

has_systemd() {
    [ -d /run/systemd/system ]
}

# A folder for what programs say, removed at the end.
make_work() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/switchback.XXXXXX") || leave 4 no-space 'cannot make a temporary folder'
    trap 'rm -rf -- "$work"' EXIT
    trap 'exit 1' HUP INT TERM
}

# Writes a file or a folder through to the disk; where sync takes no names, everything.
durable() {
    sync -- "$1" 2>/dev/null || sync
}

# --- packages ---------------------------------------------------------------------------------------------------

# The names and the least versions wanted, from arguments NAME=VERSION or NAME (any pending update). They are checked
# here once more: to apt-get, `nginx-` means "remove nginx", and what looks like a pattern is one.
check_specs() {
    [ $# -gt 0 ] || leave 4 no-packages "no package is named"
    for spec in "$@"; do
        name=${spec%%=*}
        is_package_name "$name" || leave 4 invalid-package "$name is not the name of a package"
        case $spec in
            *=*) is_version "${spec#*=}" || leave 4 invalid-version "$spec does not name a version" ;;
        esac
    done
}

# Whether package $1 is to be left out: it broke a clone (LEAVE_OUT, names with blanks between).
is_left_out() {
    case " ${LEAVE_OUT:-} " in
        *" $1 "*) return 0 ;;
    esac
    return 1
}

# The specs that are not left out, one a line.
kept_specs() {
    for spec in "$@"; do
        is_left_out "${spec%%=*}" || printf '%s\n' "$spec"
    done
}

wanted_version() {
    case $1 in
        *=*) printf '%s' "${1#*=}" ;;
    esac
}

# Names of specs, one a line.
names_of() {
    for spec in "$@"; do printf '%s\n' "${spec%%=*}"; done
}

# Whether every installed instance of package $1 has at least version $2 (true if there is none).
is_at_least() {
    for version in $(installed_versions "$1"); do
        is_newer_or_same "$version" "$2" || return 1
    done
}

# Who holds a lock of the package manager. They are record locks: flock(1) would not see them, /proc/locks does.
lock_holders() {
    for lock in $LOCKS; do
        inode=$(stat -c %i -- "$lock" 2>/dev/null) || continue
        awk -v inode="$inode" '($2 == "POSIX" || $2 == "FLOCK") && $4 == "WRITE" { split($6, at, ":"); if (at[3] == inode) print $5 }' /proc/locks 2>/dev/null |
            while read -r pid; do
                # An inode number alone can be that of a file on another file system.
                for fd in "/proc/$pid/fd"/*; do
                    if [ "$(readlink "$fd" 2>/dev/null)" = "$lock" ]; then
                        echo "$lock is held by $(tr -d '\n' <"/proc/$pid/comm" 2>/dev/null) (pid $pid)"
                        break
                    fi
                done
            done
    done
}

# Sets `targets` (NAME=CANDIDATE ...) to what is still to be upgraded, and leaves if that is impossible.
find_targets() {
    targets=
    [ $# -gt 0 ] || return 0
    look_up "$@"
    for spec in "$@"; do
        name=${spec%%=*}
        wanted=$(wanted_version "$spec")
        [ -n "$(installed_versions "$name")" ] || continue
        if [ -n "$wanted" ] && is_at_least "$name" "$wanted"; then
            continue
        fi
        candidate=$(candidate_version "$name")
        why=$(held_back "$name" "$candidate")
        [ -z "$why" ] || leave 4 package-held "$why"
        if [ -z "$wanted" ] && { [ -z "$candidate" ] || is_at_least "$name" "$candidate"; }; then
            continue
        fi
        if [ -z "$candidate" ] || ! is_newer_or_same "$candidate" "${wanted:-$candidate}"; then
            leave 4 fix-not-offered "the package sources offer $name ${candidate:-nowhere}, not $wanted"
        fi
        targets="$targets $name=$candidate"
    done
}

# Asks the package manager what upgrading $targets would do: $work/changes has lines NAME OLD NEW (OLD is - for what is
# new) and `removed` the names of what would go. Leaves if it cannot or may not be done.
predict() {
    if ! simulate; then
        cat "$work/plan"
        leave 4 transaction-impossible "there is no way to upgrade: $(errors_in "$work/plan")"
    fi
    if [ -n "$removed" ] && [ "${ALLOW_REMOVALS:-false}" != true ]; then
        leave 4 would-remove "the upgrade would remove $removed"
    fi
    # What is left out must not come in by way of what depends on it.
    pulled=
    for name in $(awk '{ sub(/:.*/, "", $1); print $1 }' "$work/changes"); do
        if is_left_out "$name"; then pulled="$pulled $name"; fi
    done
    [ -z "$pulled" ] || leave 4 pulls-left-out "the upgrade would bring what is to be left out:$pulled"
    # What is passed over without a word (an instance of another architecture, say) would show only after the fix.
    passed_over=
    for target in $targets; do
        name=${target%%=*}
        awk -v name="$name" '{ sub(/:.*/, "", $1) } $1 == name { found = 1 } END { exit !found }' "$work/changes" ||
            passed_over="$passed_over $name"
    done
    [ -z "$passed_over" ] || leave 4 transaction-incomplete "these would not be upgraded:$passed_over"
}

# --- services ---------------------------------------------------------------------------------------------------

# Active services as `boot NAME` (a boot would start it) or `manual NAME` (somebody started it). Left out: those that
# come and go by themselves (started by a bus name, socket or timer, one-shots, transient ones, sessions).
active_services() {
    has_systemd || return 0
    systemctl list-dependencies --plain --all default.target 2>/dev/null | sed 's/^[[:space:]]*//' >"$work/boot"
    active=$(systemctl list-units --type=service --state=active --no-legend --plain --no-pager | awk '{ print $1 }')
    [ -n "$active" ] || return 0
    # shellcheck disable=SC2086 # names of units hold no blanks
    systemctl show --property=Id,Type,Transient,TriggeredBy,RemainAfterExit -- $active | awk -v boot="$work/boot" '
        BEGIN { while ((getline line < boot) > 0) at_boot[line] = 1 }
        function finish() {
            if (id != "" && transient != "yes" && !(type == "oneshot" && remains != "yes") &&
                id !~ /^(user@|user-runtime-dir@|session-|switchback-)/) {
                if (id in at_boot) print "boot", id
                else if (type != "dbus" && triggered == "") print "manual", id
            }
            id = type = transient = triggered = remains = ""
        }
        /^$/ { finish(); next }
        { value = substr($0, index($0, "=") + 1) }
        /^Id=/ { id = value }
        /^Type=/ { type = value }
        /^Transient=/ { transient = value }
        /^TriggeredBy=/ { triggered = value }
        /^RemainAfterExit=/ { remains = value }
        END { finish() }'
}

# The facts that are compared with a restored host: all packages, and the services of its boot. Leaves $work/services.
tell_state() {
    fact packages "$(packages_digest)"
    active_services >"$work/services"
    fact units "$(sed -n 's/^boot //p' "$work/services" | words)"
}

failed_services() {
    has_systemd || return 0
    systemctl list-units --type=service --state=failed --no-legend --plain --no-pager | awk '{ print $1 }' | words
}

# Which boot this is: the kernel's boot id where the host has its own, and the start of PID 1 where it has not.
boot_identity() {
    printf '%s/%s' "$(cat /proc/sys/kernel/random/boot_id)" "$(sed 's/.*) //' /proc/1/stat | cut -d ' ' -f 20)"
}

# Lines `PID UNIT` of processes of this host (not of containers on it) that still execute replaced or deleted files;
# UNIT is - outside services. Processes that may not be looked at are in $work/unreadable.
stale_processes() {
    : >"$work/unreadable"
    root=$(stat -L -c %d:%i /)
    for maps in /proc/[0-9]*/maps; do
        pid=${maps#/proc/}
        pid=${pid%/maps}
        # Gone meanwhile, or a kernel thread: nothing to be said of it.
        [ -e "/proc/$pid/exe" ] || [ -L "/proc/$pid/exe" ] || continue
        if ! found=$({ grep -E -c '^[^ ]+ ..x. .* /(usr|lib|lib32|lib64|libx32|bin|sbin|opt)[^ ]*/.* \(deleted\)$' <"$maps"; } 2>/dev/null) && [ -z "$found" ]; then
            [ -d "/proc/$pid" ] && echo "$pid $(unit_of "$pid")" >>"$work/unreadable"
            continue
        fi
        [ "${found:-0}" -gt 0 ] || continue
        [ "$(stat -L -c %d:%i "/proc/$pid/root/." 2>/dev/null)" = "$root" ] || continue
        echo "$pid $(unit_of "$pid")"
    done
}

# The service that a process belongs to, or -.
unit_of() {
    sed -n -e 's/^[0-9]*:name=systemd://p' -e 's/^0:://p' "/proc/$1/cgroup" 2>/dev/null |
        sed -n -e '/\/user@[0-9]*\.service/d' -e '/\.scope$/d' -e 's,.*/\([^/]*\.service\)\(/.*\)\{0\,1\}$,\1,p' |
        head -n 1 | grep . || echo -
}

# Services that cannot be restarted without harm: what still needs them is a reboot.
is_untouchable() {
    case $1 in
        dbus.service | dbus-broker.service | systemd-logind.service | user@* | user-runtime-dir@*) return 0 ;;
        getty@* | serial-getty@* | console-getty.service | container-getty@* | emergency.service | rescue.service) return 0 ;;
        gdm*.service | lightdm.service | sddm.service | xdm.service | display-manager.service) return 0 ;;
        networking.service | ifup@* | NetworkManager.service | wpa_supplicant*.service | openvpn*.service) return 0 ;;
        docker.service | containerd.service | podman*.service | libvirtd.service | virt*.service | qemu*.service) return 0 ;;
    esac
    [ "$(systemctl show --property=RefuseManualStop --value -- "$1")" = yes ]
}

# Whether policy forbids to restart a unit: RESTART_NEVER holds patterns.
is_forbidden() {
    set -f
    for pattern in ${RESTART_NEVER:-}; do
        # shellcheck disable=SC2254 # it is a pattern
        case $1 in
            $pattern)
                set +f
                return 0
                ;;
        esac
    done
    set +f
    return 1
}

# Lines `restart UNIT`, `forbidden UNIT` (by policy), `untouchable UNIT`, `init`, and `process NAME` where there is no
# systemd that could restart it, from stale_processes.
stale_services() {
    stale_processes >"$work/stale"
    if ! has_systemd; then
        while read -r pid _; do echo "process $(tr -d '\n' <"/proc/$pid/comm" 2>/dev/null)"; done <"$work/stale" | sort -u
        return 0
    fi
    while read -r pid unit; do
        if [ "$pid" = 1 ]; then
            echo init
        elif [ "$unit" != - ]; then
            case $unit in switchback-*) continue ;; esac
            # Where only the main process is stopped, the others are sessions, which outlive a restart.
            if [ "$(systemctl show --property=KillMode --value -- "$unit")" = process ] &&
                [ "$(systemctl show --property=MainPID --value -- "$unit")" != "$pid" ]; then
                continue
            fi
            if is_forbidden "$unit"; then
                echo "forbidden $unit"
            elif is_untouchable "$unit"; then
                echo "untouchable $unit"
            else
                echo "restart $unit"
            fi
        fi
    done <"$work/stale" | sort -u
}

# --- kernel -----------------------------------------------------------------------------------------------------

# Whether this host runs on the kernel of another one.
is_container() {
    [ ! -e /run/.containerenv ] && [ ! -e /.dockerenv ] || return 0
    command -v systemd-detect-virt >/dev/null || return 1
    systemd-detect-virt --quiet --container || systemd-detect-virt --quiet --chroot
}

# Why the running kernel is not the newest installed one of its kind; nothing if it is, or is another host's.
kernel_behind() {
    is_container && return 0
    kernel=$(newest_kernel)
    [ -n "$kernel" ] || return 0
    if [ "$kernel" != "$(uname -r)" ]; then
        echo "kernel $kernel is installed, $(uname -r) runs"
    else
        kernel_rebuilt "$kernel"
    fi
}

# Why this host must be rebooted, one reason a line; nothing if it need not be.
reboot_reasons() {
    for flag in /run/reboot-required /var/run/reboot-required /run/reboot-needed; do
        if [ -e "$flag" ]; then
            echo "$flag exists$( [ -r "$flag.pkgs" ] && printf ' because of %s' "$(words <"$flag.pkgs")")"
            break
        fi
    done
    kernel_behind
    more_reboot_reasons
    stale_services | while read -r kind unit; do
        case $kind in
            init) echo 'the init process uses replaced files' ;;
            untouchable) echo "$unit uses replaced files and cannot be restarted" ;;
            process) echo "$unit uses replaced files, and there is no systemd to restart it" ;;
        esac
    done
}

# --- services after a change ------------------------------------------------------------------------------------

# The units of "$@" that are not active although they should be. A package may have taken its unit away, and a one-shot
# whose condition does not hold (`first boot only`) has nothing to do.
missing_services() {
    for unit in "$@"; do
        systemctl is-active --quiet -- "$unit" && continue
        [ "$(systemctl show --property=LoadState --value -- "$unit")" = loaded ] || continue
        [ "$(systemctl show --property=Type --value -- "$unit")" != oneshot ] ||
            [ "$(systemctl show --property=ConditionResult --value -- "$unit")" != no ] || continue
        echo "$unit"
    done | words
}

# When the units of "$@" were started and how often again, a line each.
starts_of() {
    systemctl show --property=Id,NRestarts,ExecMainStartTimestampMonotonic -- "$@" |
        awk '/^$/ { print line; line = ""; next } /^Id=/ { line = substr($0, 4) line; next } { line = line " " $0 }
            END { if (line != "") print line }'
}

# The units of "$@" that do not stay up for three seconds. One that falls over at every start is active for a moment
# each time it is tried, and that moment must not pass for health.
unstable_services() {
    [ $# -gt 0 ] || return 0
    starts_of "$@" >"$work/starts"
    sleep 3
    starts_of "$@" | sort - "$work/starts" | uniq -u | cut -d ' ' -f 1 | words
}

# Waits for the units of "$@" to be up and to stay up, half a minute for slow starters; leaves if they are not.
await_services() {
    has_systemd || return 0
    tries=0
    while :; do
        missing=$(missing_services "$@")
        unstable=
        [ -n "$missing" ] || unstable=$(unstable_services "$@")
        [ -n "$missing$unstable" ] && [ "$tries" -lt 30 ] || break
        tries=$((tries + 1))
        sleep 1
    done
    if [ -n "$missing$unstable" ]; then
        # shellcheck disable=SC2086 # names of units hold no blanks
        systemctl status --no-pager --lines=20 -- $missing $unstable 2>&1
    fi
    [ -z "$missing" ] || leave 1 service-lost "active before and not now: $missing"
    [ -z "$unstable" ] || leave 1 service-unstable "start again and again: $unstable"
}
