# Whether the setting is what it should be, read back from where it is in force, and the services of the boot
# (UNITS_BEFORE) are well. Only looks.
need_root
check_parameters
make_work
now=$(current)
case $DO in
    change)
        [ "$now" = "$VALUE" ] || leave 1 not-fixed "$KEY is ${now:-not set}, not $VALUE"
        [ -n "${FILE:-}" ] || grep -qsxF "$KEY = $VALUE" "$dropin" || leave 1 not-fixed "$KEY would be lost at the next boot"
        ;;
    take_back)
        [ ! -e "$record" ] || leave 1 not-fixed "$NAME is still recorded as in force"
        [ -z "$dropin" ] || [ ! -e "$dropin" ] || leave 1 not-fixed "$dropin is still there"
        ;;
esac
fact setting "$now"
# shellcheck disable=SC2086 # names of units hold no blanks
await_services ${UNITS_BEFORE:-} ${UNIT:-}
exit 0
