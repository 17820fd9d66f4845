# Whether the core, plugins and themes in "$@" (NAME=VERSION or NAME) of the WordPress in FOLDER are fixed and it is as well as
# before. Only looks. ACTIVE_BEFORE, CORE_UNCHANGED and what check_services names are facts of the preflight.
check_names '[A-Za-z0-9_][A-Za-z0-9._-]*' "$@"
make_work
find_application
list_parts
behind=
for spec in "$@"; do
    found=$(part_of "${spec%%=*}")
    if [ -z "$found" ]; then
        behind="$behind ${spec%%=*} is gone;"
        continue
    fi
    # shellcheck disable=SC2086 # five words
    set_part $found
    case $spec in
        *=*) at_least "$version" "${spec#*=}" || behind="$behind $slug $version < ${spec#*=};" ;;
    esac
done
[ -z "$behind" ] || leave 1 not-fixed "still behind:$behind"
active=$(awk '$4 == "active" || $4 == "active-network" { print $1 ":" $2 }' "$work/parts")
# WordPress switches a plugin off that breaks it.
lost=
for part in ${ACTIVE_BEFORE:-}; do
    printf '%s\n' "$active" | grep -qxF -- "$part" || lost="$lost $part"
done
[ -z "$lost" ] || leave 1 deactivated "active before and not now:$lost"
if [ "${CORE_UNCHANGED:-}" = true ]; then
    wp_cli core verify-checksums --skip-plugins --skip-themes >"$work/said" 2>&1 || leave 1 core-broken "$(last_words "$work/said")"
fi
# With all that is active, as a visitor would meet it.
wp_cli eval 'echo "switchback-loads\n";' >"$work/said" 2>&1 && grep -q '^switchback-loads$' "$work/said" ||
    leave 1 does-not-load "$(last_words "$work/said")"
check_services
fact packages "$(packages_digest)"
exit 0
