# Whether the packages in "$@" (NAME=VERSION or NAME) of the environment FOLDER can be brought to their versions now, and
# how it is before. Changes nothing.
check_names '[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?' "$@"
make_work
find_application
fact packages "$(packages_digest)"
fact installed "$(paste -s -d ' ' "$work/freeze" | cut -c 1-16000)"
fact conflicts "$(conflicts | paste -s -d ';' | cut -c 1-16000)"
report_services
find_targets "$@"
[ -n "$targets" ] || leave 3 nothing-to-do 'every package has the wanted version'
predict
if [ ! -s "$work/changes" ]; then leave 3 nothing-to-do 'every package has the newest version'; fi
fact transaction "$(awk '{ print $1 " " $2 " -> " $3 }' "$work/changes" | paste -s -d ';' | sed 's/;/; /g' | cut -c 1-16000)"
exit 0
