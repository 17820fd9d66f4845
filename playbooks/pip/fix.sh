# Brings the packages in "$@" (NAME=VERSION or NAME) of the environment FOLDER to their versions, in one transaction.
# May run again: what is done already is done.
check_names '[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?' "$@"
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
# shellcheck disable=SC2086 # words of a checked character set
pip install --upgrade --upgrade-strategy only-if-needed -- $targets >"$work/install" 2>&1
status=$?
cat "$work/install"
fact changed "$(wc -l <"$work/changes" | tr -d ' ')"
if [ "$status" -ne 0 ]; then
    # pip has every file, and says so, before it touches one.
    if ! grep -q '^Installing collected packages' "$work/install" && [ "$(packages_digest)" = "$before" ]; then
        pip_failed "$work/install" package-broken
    fi
    leave 1 pip-failed "pip ended with $status: $(last_words "$work/install")"
fi
exit 0
