# Brings the packages in "$@" (NAME=VERSION or NAME) of the project FOLDER to their versions, in one transaction: the lock
# file that the preflight foresaw, and what npm makes of it. May run again: what is done already is done.
check_names '(@[A-Za-z0-9._~-]+/)?[A-Za-z0-9_][A-Za-z0-9._~-]*' "$@"
make_work
find_application
find_targets "$@"
if [ -z "$targets" ]; then
    fact changed 0
    echo 'every package has the wanted version'
    exit 0
fi
predict
before=$(packages_digest)
# put FROM TO: both files, each whole or not at all.
put() {
    for file in package.json "$lock"; do
        as_owner cp -- "$1/$file" "$2/$file.switchback" && as_owner mv -f -- "$2/$file.switchback" "$2/$file" || return 1
    done
}
as_owner mkdir -- "$stage/before" && put "$FOLDER" "$stage/before" || leave 4 no-space 'cannot keep what the project wants'
put "$stage" "$FOLDER" && in_folder "$FOLDER" npm install ${omit:+"$omit"} >"$work/install" 2>&1
status=$?
cat "$work/install" 2>/dev/null
fact changed "$(wc -l <"$work/changes" | tr -d ' ')"
if [ "$status" -ne 0 ]; then
    # npm puts back what it moved; whether it has is looked at.
    put "$stage/before" "$FOLDER"
    [ "$(packages_digest)" != "$before" ] || npm_failed "$work/install" npm-failed
    leave 1 npm-failed "npm ended with $status: $(last_words "$work/install")"
fi
exit 0
