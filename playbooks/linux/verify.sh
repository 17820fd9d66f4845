# Whether the packages in "$@" (NAME=VERSION or NAME) are fixed and the host is as well as before. Only looks.
# UNITS_BEFORE, MANUAL_BEFORE, FAILED_BEFORE and BOOT_BEFORE are facts of the preflight; RESTART_NEVER is policy's.
need_root
need_manager
check_specs "$@"
fact left_out "$(for name in $(names_of "$@"); do if is_left_out "$name"; then echo "$name"; fi; done | words)"
# shellcheck disable=SC2046 # checked specs hold neither blanks nor patterns
set -- $(kept_specs "$@")
make_work

behind=
for spec in "$@"; do
    # What the sources offer is asked for only where it is needed.
    [ -n "$(wanted_version "$spec")" ] || { look_up "$@" && break; }
done
for spec in "$@"; do
    name=${spec%%=*}
    wanted=$(wanted_version "$spec")
    # A package without a wanted version must have what the source offers.
    [ -n "$wanted" ] || wanted=$(candidate_version "$name")
    for version in $(installed_versions "$name"); do
        [ -n "$wanted" ] && ! is_newer_or_same "$version" "$wanted" && behind="$behind $name $version < $wanted;"
    done
    state=$(package_trouble "$name")
    [ -z "$state" ] || behind="$behind $name is '$state';"
done
[ -z "$behind" ] || leave 1 not-fixed "still behind:$behind"
trouble=$(manager_trouble)
[ -z "$trouble" ] || leave 1 packages-broken "$trouble"

# A host that was rebooted runs the newest kernel, or its boot loader chose another one.
kernel=$(kernel_behind)
fact kernel "$(uname -r)"
if [ -n "$kernel" ] && [ "${BOOT_BEFORE:-}" != "$(boot_identity)" ]; then
    leave 1 old-kernel-running "rebooted, and yet $kernel"
fi

# A daemon with a broken configuration goes on until its next start.
check_configuration() {
    case " ${UNITS_BEFORE:-} ${MANUAL_BEFORE:-} " in *" $1 "*) ;; *) return 0 ;; esac
    service=$1
    shift
    command -v "$1" >/dev/null || return 0
    said=$("$@" 2>&1) || leave 1 configuration-broken "$service: $*: $said"
}
check_configuration nginx.service nginx -t
check_configuration ssh.service sshd -t
check_configuration sshd.service sshd -t
check_configuration apache2.service apache2ctl -t
check_configuration httpd.service httpd -t

if has_systemd; then
    required=${UNITS_BEFORE:-}
    # What somebody started by hand does not come back by itself after a reboot.
    [ "${BOOT_BEFORE:-}" != "$(boot_identity)" ] || required="$required ${MANUAL_BEFORE:-}"
    # Slow starters get half a minute.
    tries=0
    while :; do
        # shellcheck disable=SC2086 # names of units hold no blanks
        missing=$(missing_services $required)
        stale_services >"$work/services"
        stale=$(sed -n 's/^restart //p' "$work/services" | words)
        unstable=
        # shellcheck disable=SC2086 # names of units hold no blanks
        [ -n "$missing$stale" ] || unstable=$(unstable_services $required)
        [ -n "$missing$stale$unstable" ] && [ "$tries" -lt 30 ] || break
        tries=$((tries + 1))
        sleep 1
    done
    if [ -n "$missing" ]; then
        # shellcheck disable=SC2086 # names of units hold no blanks
        systemctl status --no-pager --lines=20 -- $missing 2>&1
        leave 1 service-lost "active before and not now: $missing"
    fi
    if [ -n "$unstable" ]; then
        # shellcheck disable=SC2086 # names of units hold no blanks
        systemctl status --no-pager --lines=20 -- $unstable 2>&1
        leave 1 service-unstable "start again and again: $unstable"
    fi
    for unit in $(failed_services); do
        case " ${FAILED_BEFORE:-} " in
            *" $unit "*) ;;
            *) leave 1 service-failed "$unit has failed, and had not before" ;;
        esac
    done
    # What policy forbids to restart is told, and is no failure.
    fact stale_services "$(sed -n -e 's/^restart //p' -e 's/^forbidden //p' "$work/services" | words)"
    [ -z "$stale" ] || leave 1 stale-services "still use replaced files: $stale"
fi
reasons=$(reboot_reasons)
fact reboot_pending "$([ -n "$reasons" ] && echo true || echo false)"
[ -z "$reasons" ] || fact reboot_why "$(printf '%s' "$reasons" | paste -s -d ';' - | one_line)"
fact packages "$(packages_digest)"
exit 0
