# Whether FILE is the fixed one, belongs to whom it did (OWNER_BEFORE), nobody uses the old one any more (FILE_BEFORE is
# its sum) and UNIT and the services of the boot (UNITS_BEFORE) are well. Only looks.
need_root
check_parameters
make_work

now=$(sum_of "$FILE")
[ "$now" = "$SHA256" ] || leave 1 not-fixed "$FILE has the sum ${now:-of nothing}, not $SHA256"
owner=$(owner_of "$FILE")
[ "$owner" = "${OWNER_BEFORE:-$owner}" ] || leave 1 owner-differs "$FILE is of $owner and was of $OWNER_BEFORE"
required=${UNITS_BEFORE:-}
[ "${UNIT_BEFORE:-}" != active ] || required="$required $UNIT"
# shellcheck disable=SC2086 # names of units hold no blanks
await_services $required
stale=$(users_of "$(kept_as "${FILE_BEFORE:-}")" | words)
fact stale_services "$stale"
if [ -n "$stale" ] && ! { [ -n "${UNIT:-}" ] && is_forbidden "$UNIT"; }; then
    leave 1 stale-services "still use the old file: $stale"
fi
exit 0
