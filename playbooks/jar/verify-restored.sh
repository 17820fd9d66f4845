# Whether FILE is what it was (FILE_BEFORE, OWNER_BEFORE) and so are UNIT (UNIT_BEFORE) and the services of the boot
# (UNITS_BEFORE). Only looks.
need_root
check_parameters
make_work
now=$(sum_of "$FILE")
[ "$now" = "${FILE_BEFORE:?}" ] || leave 1 file-differs "$FILE has the sum ${now:-of nothing}, and had $FILE_BEFORE"
owner=$(owner_of "$FILE")
[ "$owner" = "${OWNER_BEFORE:?}" ] || leave 1 owner-differs "$FILE is of $owner and was of $OWNER_BEFORE"
required=${UNITS_BEFORE:-}
[ "${UNIT_BEFORE:-}" != active ] || required="$required $UNIT"
# shellcheck disable=SC2086 # names of units hold no blanks
await_services $required
exit 0
