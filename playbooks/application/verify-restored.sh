# Whether a restored application is as it was: the same packages (PACKAGES_BEFORE) and the services of its boot
# (UNITS_BEFORE), both facts of the preflight. Only looks.
make_work
find_application
now=$(packages_digest)
[ "$now" = "${PACKAGES_BEFORE:?}" ] || leave 1 packages-differ "the packages are not those of the backup (digest $now, was $PACKAGES_BEFORE)"
check_services
fact packages "$now"
exit 0
