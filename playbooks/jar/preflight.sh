# Whether FILE can be replaced by the one from SOURCE that has the sum SHA256, and how the host is before. Only looks.
need_root
check_parameters
make_work

[ -e "$FILE" ] || leave 3 nothing-to-do "there is no $FILE"
# What it points to may be used by others, and a rename would take the link away.
[ ! -L "$FILE" ] || leave 4 not-a-file "$FILE is a link to $(readlink "$FILE"): name that one"
[ -f "$FILE" ] || leave 4 not-a-file "$FILE is no regular file"
before=$(sum_of "$FILE")
fact file_before "$before"
fact owner_before "$(owner_of "$FILE")"
active_services >"$work/services"
fact units "$(sed -n 's/^boot //p' "$work/services" | words)"
state=-
if [ -n "${UNIT:-}" ] && has_systemd; then state=$(systemctl is-active -- "$UNIT"); fi
fact unit_before "$state"
[ "$before" != "$SHA256" ] || leave 3 nothing-to-do "$FILE is the fixed one"

if [ -n "${UNIT:-}" ]; then
    has_systemd || leave 4 no-systemd "there is no systemd to restart $UNIT"
    [ "$(systemctl show --property=LoadState --value -- "$UNIT")" = loaded ] || leave 4 no-unit "there is no unit $UNIT"
fi
case $SOURCE in
    /*)
        [ -f "$SOURCE" ] || leave 4 source-missing "there is no file $SOURCE"
        [ "$(sum_of "$SOURCE")" = "$SHA256" ] || leave 4 checksum-differs "$SOURCE has the sum $(sum_of "$SOURCE")"
        ;;
    *)
        can_fetch
        fetch --head "$SOURCE" >"$work/head" 2>&1 || leave 75 source-unreachable "$SOURCE: $(one_line <"$work/head")"
        ;;
esac
folder=${FILE%/*}
need=$(($(du -k -- "$FILE" | cut -f 1) * 2 + 1024))
free=$(df -Pk -- "${folder:-/}" | awk 'NR == 2 { print $4 }')
[ "$free" -gt "$need" ] || leave 4 no-space "${folder:-/} has $free KiB free and needs $need"
exit 0
