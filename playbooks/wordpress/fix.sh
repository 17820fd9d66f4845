# Updates the core, plugins and themes in "$@" (NAME=VERSION or NAME) of the WordPress in FOLDER, the core first, and its
# database where the new core wants that. May run again: what is done already is done.
check_names '[A-Za-z0-9_][A-Za-z0-9._-]*' "$@"
make_work
find_application
need_source
find_targets "$@"
if [ ! -s "$work/targets" ]; then
    fact changed 0
    echo 'every part has the wanted version'
    exit 0
fi
before=$(packages_digest)
done_ones=0
while read -r kind slug old new; do
    echo "$kind $slug $old -> $new"
    if [ "$kind" = core ]; then
        wp_cli core update "--version=$new" --skip-plugins --skip-themes >"$work/update" 2>&1 && wp_cli core update-db --skip-plugins --skip-themes >>"$work/update" 2>&1
    else
        wp_cli "$kind" update "$slug" "--version=$new" --skip-plugins --skip-themes >"$work/update" 2>&1
    fi </dev/null
    status=$?
    cat "$work/update"
    if [ "$status" -ne 0 ]; then
        fact changed "$done_ones"
        # The core is unpacked over the old one: whether it was touched cannot be seen from its version.
        if [ "$done_ones" -eq 0 ] && [ "$kind" != core ] && [ "$(packages_digest)" = "$before" ] &&
            grep -q -E 'Download failed|cURL error|Could not resolve|timed out' "$work/update"; then
            leave 75 download-failed "$(last_words "$work/update")"
        fi
        leave 1 update-failed "$kind $slug: wp ended with $status: $(last_words "$work/update")"
    fi
    done_ones=$((done_ones + 1))
done <"$work/targets"
fact changed "$done_ones"
exit 0
