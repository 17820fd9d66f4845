# Whether the core, plugins and themes in "$@" (NAME=VERSION or NAME) of the WordPress in FOLDER can be updated now, and how
# it is before. Changes nothing but WordPress' own note of what is offered.
check_names '[A-Za-z0-9_][A-Za-z0-9._-]*' "$@"
make_work
find_application
list_parts
fact packages "$(packages_digest)"
fact installed "$(awk '{ print $1 ":" $2 "=" $3 }' "$work/parts" | paste -s -d ' ' | cut -c 1-16000)"
fact active "$(awk '$4 == "active" || $4 == "active-network" { print $1 ":" $2 }' "$work/parts" | words)"
# Files of the core that somebody changed are overwritten by an update of it.
if wp_cli core verify-checksums --skip-plugins --skip-themes >"$work/said" 2>&1; then
    fact core_unchanged true
else
    fact core_unchanged false
    cat "$work/said"
fi
report_services
need_source
find_targets "$@"
[ -s "$work/targets" ] || leave 3 nothing-to-do 'every part has the wanted version'
fact transaction "$(awk '{ print $2 " " $3 " -> " $4 }' "$work/targets" | paste -s -d ';' | sed 's/;/; /g' | cut -c 1-16000)"
exit 0
