# Whether a restored host is as it was: the same packages (PACKAGES_BEFORE) and the services of its boot
# (UNITS_BEFORE), both facts of the preflight. Only looks.
need_root
make_work
now=$(packages_digest)
[ "$now" = "${PACKAGES_BEFORE:?}" ] || leave 1 packages-differ "the packages are not those of the backup (digest $now, was $PACKAGES_BEFORE)"
trouble=$(dpkg_interrupted)
[ -z "$trouble" ] || leave 1 dpkg-broken "$trouble"
if has_systemd; then
    tries=0
    while :; do
        # shellcheck disable=SC2086 # names of units hold no blanks
        missing=$(missing_services ${UNITS_BEFORE:-})
        unstable=
        # shellcheck disable=SC2086 # names of units hold no blanks
        [ -n "$missing" ] || unstable=$(unstable_services ${UNITS_BEFORE:-})
        [ -n "$missing$unstable" ] && [ "$tries" -lt 30 ] || break
        tries=$((tries + 1))
        sleep 1
    done
    [ -z "$missing" ] || leave 1 service-lost "active before and not now: $missing"
    [ -z "$unstable" ] || leave 1 service-unstable "start again and again: $unstable"
fi
fact packages "$now"
exit 0
