# Whether what the mitigation touches is as it was (STATE_BEFORE), and so are the services of the boot (UNITS_BEFORE).
# Only looks.
need_root
check_parameters
make_work
[ "$(state_digest)" = "${STATE_BEFORE:?}" ] || leave 1 setting-differs "$KEY is $(current), or its file differs from before"
# shellcheck disable=SC2086 # names of units hold no blanks
await_services ${UNITS_BEFORE:-}
exit 0
