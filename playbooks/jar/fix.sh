# Replaces FILE by the one from SOURCE, if that has the sum SHA256: owner, mode and everything else of the old file are
# kept, the old file stays beside it, and at every moment there is one whole file. May run again.
need_root
check_parameters
make_work

[ -f "$FILE" ] && [ ! -L "$FILE" ] || leave 4 not-a-file "$FILE is no regular file"
before=$(sum_of "$FILE")
if [ "$before" = "$SHA256" ]; then
    fact changed 0
    exit 0
fi
case $SOURCE in
    /*) cp -- "$SOURCE" "$work/new" || leave 4 source-missing "$SOURCE cannot be read" ;;
    *)
        can_fetch
        if ! fetch --output "$work/new" "$SOURCE" >"$work/said" 2>&1; then
            leave 75 download-failed "$SOURCE: $(one_line <"$work/said")"
        fi
        ;;
esac
got=$(sum_of "$work/new")
[ "$got" = "$SHA256" ] || leave 4 checksum-differs "$SOURCE gives a file with the sum ${got:-of nothing}, not $SHA256"

# A copy has the owner, the mode, the access list and the label of the file; the new content goes into it.
beside=$(mktemp "${FILE%/*}/.switchback.XXXXXX") || leave 4 no-space "no file can be made beside $FILE"
trap 'rm -rf -- "$work" "$beside"' EXIT
if ! cp -a -- "$FILE" "$beside" || ! cat "$work/new" >"$beside" || [ "$(sum_of "$beside")" != "$SHA256" ]; then
    leave 4 no-space "the new file cannot be written beside $FILE"
fi
durable "$beside"
kept=$(kept_as "$before")
ln -f -- "$FILE" "$kept" 2>/dev/null || cp -a -- "$FILE" "$kept" || leave 4 no-space "the old file cannot be kept as $kept"
fact kept "$kept"
mv -f -- "$beside" "$FILE" || leave 1 not-replaced "$FILE cannot be replaced"
durable "${FILE%/*}"
fact changed 1
exit 0
