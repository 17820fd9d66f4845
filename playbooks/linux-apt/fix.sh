# Upgrades the packages in "$@" (NAME=VERSION or NAME) to the newest versions that the host's package sources offer,
# in one transaction. The wanted versions are a least: when a source has moved on meanwhile, the older version is gone
# from it. Nothing is removed unless ALLOW_REMOVALS=true, nothing is taken off that is no longer needed, and changed
# configuration files stay. May run again: what is done already is done.
need_root
check_specs "$@"
make_work

trouble=$(dpkg_interrupted)
[ -z "$trouble" ] || leave 4 dpkg-interrupted "$trouble"
find_targets "$@"
if [ -z "$targets" ]; then
    fact changed 0
    echo 'every package has the wanted version or is not installed'
    exit 0
fi
predict
before=$(packages_digest)

# Download first: a source that fails now has changed nothing.
# shellcheck disable=SC2086 # words of a checked character set
if ! apt_get --download-only --only-upgrade -o DPkg::Lock::Timeout=120 install -- $targets >"$work/download" 2>&1; then
    cat "$work/download"
    errors=$(apt_errors "$work/download")
    if grep -q 'Could not get lock' "$work/download"; then leave 75 locked "$errors"; fi
    if grep -q -E "No space left|enough free space" "$work/download"; then leave 4 no-space "$errors"; fi
    leave 75 download-failed "$errors"
fi

# With this apt itself stops rather than remove a package, whatever changed since the prediction.
remove=false
[ "${ALLOW_REMOVALS:-false}" != true ] || remove=true
# The output goes to a file, not to a pipe: a daemon started by a package would keep the pipe open for ever.
# shellcheck disable=SC2086 # words of a checked character set
apt_get --only-upgrade -o "APT::Get::Remove=$remove" -o DPkg::Lock::Timeout=120 install -- $targets >"$work/install" 2>&1
status=$?
cat "$work/install"
fact changed "$(wc -l <"$work/changes" | tr -d ' ')"
if [ "$status" -ne 0 ]; then
    errors=$(apt_errors "$work/install")
    # apt takes the lock and has every file before it starts anything.
    if [ "$(packages_digest)" = "$before" ]; then
        if grep -q 'Could not get lock' "$work/install"; then leave 75 locked "$errors"; fi
        if grep -q 'Failed to fetch' "$work/install"; then leave 75 download-failed "$errors"; fi
    fi
    leave 1 apt-failed "apt-get ended with $status: $errors"
fi
exit 0
