# Upgrades the packages in "$@" (NAME=VERSION or NAME) to the newest versions that the host's package sources offer,
# in one transaction. The wanted versions are a least: when a source has moved on meanwhile, the older version is gone
# from it. Nothing is removed unless ALLOW_REMOVALS=true, nothing is taken off that is no longer needed, and changed
# configuration files stay. May run again: what is done already is done.
need_root
need_manager
check_specs "$@"
# shellcheck disable=SC2046 # checked specs hold neither blanks nor patterns
set -- $(kept_specs "$@")
make_work

trouble=$(manager_trouble)
[ -z "$trouble" ] || leave 4 packages-broken "$trouble"
find_targets "$@"
if [ -z "$targets" ]; then
    fact changed 0
    echo 'every package has the wanted version or is not installed'
    exit 0
fi
predict
before=$(packages_digest)

# Download first: a source that fails now has changed nothing.
if ! download; then
    cat "$work/download"
    errors=$(errors_in "$work/download")
    if grep -q -E "$LOCKED" "$work/download"; then leave 75 locked "$errors"; fi
    if grep -q -E "$NO_SPACE" "$work/download"; then leave 4 no-space "$errors"; fi
    leave 75 download-failed "$errors"
fi

# The output goes to a file, not to a pipe: a daemon started by a package would keep the pipe open for ever.
upgrade
status=$?
cat "$work/upgrade"
fact changed "$(wc -l <"$work/changes" | tr -d ' ')"
if [ "$status" -ne 0 ]; then
    errors=$(errors_in "$work/upgrade")
    # The lock is taken and every file is there before anything is started.
    if [ "$(packages_digest)" = "$before" ]; then
        if grep -q -E "$LOCKED" "$work/upgrade"; then leave 75 locked "$errors"; fi
        if grep -q -E "$UNREACHABLE" "$work/upgrade"; then leave 75 download-failed "$errors"; fi
    fi
    leave 1 transaction-failed "the package manager ended with $status: $errors"
fi
exit 0
