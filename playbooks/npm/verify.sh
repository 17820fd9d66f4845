# Whether the packages in "$@" (NAME=VERSION or NAME) of the project FOLDER are fixed, fit together and the host is as well
# as before. Only looks. CONFLICTS_BEFORE and what check_services names are facts of the preflight.
check_names '(@[A-Za-z0-9._~-]+/)?[A-Za-z0-9_][A-Za-z0-9._~-]*' "$@"
make_work
find_application
ask states "$FOLDER" "$@" >"$work/states" 2>"$work/said" || leave 1 not-fixed "$(last_words "$work/said")"
behind=$(awk '$1 == "absent" || ($1 == "behind" && $4 != "-") { print $2 " " $3 " < " $4 ";" }' "$work/states" | one_line)
[ -z "$behind" ] || leave 1 not-fixed "still behind: $behind"
printf '%s\n' "${CONFLICTS_BEFORE:-}" | tr ';' '\n' | sort -u >"$work/before"
conflicts >"$work/now"
broken=$(comm -13 "$work/before" "$work/now" | paste -s -d ';' | one_line)
[ -z "$broken" ] || leave 1 dependencies-broken "$broken"
check_services
fact packages "$(packages_digest)"
exit 0
