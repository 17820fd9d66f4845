# Whether the setting can be changed or taken back, and how the host is before. Only looks.
need_root
check_parameters
make_work

active_services >"$work/services"
fact units "$(sed -n 's/^boot //p' "$work/services" | words)"
if [ -n "${FILE:-}" ]; then
    [ -f "$FILE" ] && [ ! -L "$FILE" ] || leave 4 not-a-file "$FILE is no regular file"
else
    command -v sysctl >/dev/null || leave 4 no-sysctl 'there is no sysctl on this host'
fi
now=$(current)
fact setting_before "$now"
fact state_before "$(state_digest)"
if [ -n "${UNIT:-}" ]; then
    has_systemd || leave 4 no-systemd "there is no systemd to reload $UNIT"
    [ "$(systemctl show --property=LoadState --value -- "$UNIT")" = loaded ] || leave 4 no-unit "there is no unit $UNIT"
fi
case $DO in
    change)
        if [ "$now" = "$VALUE" ] && { [ -n "${FILE:-}" ] || [ -e "$dropin" ]; }; then
            leave 3 nothing-to-do "$KEY is $VALUE"
        fi
        [ ! -e "$record" ] || leave 4 changed-since "$NAME was done here before, and $KEY is ${now:-not set} now: somebody else changed it"
        ;;
    take_back)
        [ -e "$record" ] || leave 3 nothing-to-do "$NAME is not in force here"
        [ "$now" = "$VALUE" ] || leave 4 changed-since "$KEY is ${now:-not set} now, and not what $NAME made of it: somebody else changed it"
        ;;
esac
if [ -n "${FILE:-}" ]; then
    count=$(settings | wc -l | tr -d ' ')
    # Which of them counts, the first or the last, only the program knows that reads it.
    [ "$count" -lt 2 ] || leave 4 setting-ambiguous "$FILE sets $KEY $count times"
    if [ "$DO$count$IF_ABSENT" = change0refuse ]; then
        leave 4 setting-absent "$FILE does not set $KEY: say by if_absent where it belongs"
    fi
else
    [ -n "$now" ] || leave 4 setting-absent "this kernel has no setting $KEY"
    case $KEY in */*) path=$KEY ;; *) path=$(printf '%s' "$KEY" | tr . /) ;; esac
    [ -w "/proc/sys/$path" ] || leave 4 not-writable "$KEY cannot be changed on this host"
fi
exit 0
