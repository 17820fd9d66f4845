# Whether a restored host is as it was: the same packages (PACKAGES_BEFORE) and the services of its boot
# (UNITS_BEFORE), both facts of the preflight. Only looks.
need_root
need_manager
make_work
now=$(packages_digest)
[ "$now" = "${PACKAGES_BEFORE:?}" ] || leave 1 packages-differ "the packages are not those of the backup (digest $now, was $PACKAGES_BEFORE)"
trouble=$(manager_trouble)
[ -z "$trouble" ] || leave 1 packages-broken "$trouble"
# shellcheck disable=SC2086 # names of units hold no blanks
await_services ${UNITS_BEFORE:-}
fact packages "$now"
exit 0
