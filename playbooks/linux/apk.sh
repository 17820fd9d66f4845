
# --- apk --------------------------------------------------------------------------------------------------------

LOCKS='/lib/apk/db/lock /usr/lib/apk/db/lock'
LOCKED='Unable to lock database'
NO_SPACE='No space left'
UNREACHABLE='temporary error|network error|could not connect|DNS|timed out|remote server returned error|unable to fetch'
CACHE=/var/cache
DATABASE=/lib/apk

need_manager() {
    command -v apk >/dev/null || leave 4 no-package-manager "there is no apk on this host"
}

is_package_name() {
    case $1 in *[!A-Za-z0-9._+-]* | [!A-Za-z0-9_]* | '') return 1 ;; esac
}

is_version() {
    case $1 in *[!A-Za-z0-9._~-]* | [!0-9]* | '') return 1 ;; esac
}

# The database of what is installed, as lines NAME VERSION SIZE: its own texts are easier to take apart than
# `NAME-VERSION`.
installed_packages() {
    for db in /lib/apk/db/installed /usr/lib/apk/db/installed; do
        [ -e "$db" ] || continue
        awk '/^P:/ { name = substr($0, 3) } /^V:/ { version = substr($0, 3) } /^I:/ { size = substr($0, 3) }
            /^$/ { if (name != "") print name, version, size; name = "" }
            END { if (name != "") print name, version, size }' "$db"
        break
    done
}

installed_versions() {
    installed_packages | awk -v name="$1" '$1 == name { print $2 }'
}

is_newer_or_same() {
    case $(apk version -t "$1" "$2") in '>' | '=') ;; *) return 1 ;; esac
}

# Asks once for all what the sources offer of the specs "$@"; here each package is asked for, which is quick.
look_up() {
    :
}

# The newest version that a repository offers: below each version stand the places that have it, and the database of
# what is installed is one of them.
candidate_version() {
    newest=
    for version in $(apk policy "$1" 2>/dev/null | awk '
        /^  [^ ].*:$/ { version = $1; sub(/:$/, "", version); next }
        /^    / && $0 !~ /lib\/apk\/db\/installed/ && version != "" { print version; version = "" }'); do
        if [ -z "$newest" ] || is_newer_or_same "$version" "$newest"; then newest=$version; fi
    done
    printf '%s' "$newest"
}

# Why package $1 is kept from candidate $2, or nothing.
held_back() {
    [ -n "$2" ] && ! is_at_least "$1" "$2" || return 0
    pinned=$(tr ' ' '\n' </etc/apk/world | sed -n "s/^\($1[<=~][^ ]*\)$/\1/p" | head -n 1)
    [ -z "$pinned" ] || echo "$1 is pinned in /etc/apk/world: $pinned"
}

packages_digest() {
    installed_packages | cut -d ' ' -f 1-2 | sort | sha256sum | cut -d ' ' -f 1
}

# Packages that `apk fix` would mend: f: lists what is broken of them (files, scripts, ...).
manager_trouble() {
    for db in /lib/apk/db/installed /usr/lib/apk/db/installed; do
        [ -e "$db" ] || continue
        broken=$(awk '/^P:/ { name = substr($0, 3) } /^f:/ { print name }' "$db" | words)
        [ -z "$broken" ] || echo "not wholly installed, run apk fix: $broken"
        break
    done
}

package_trouble() {
    :
}

errors_in() {
    grep -E '^(ERROR|WARNING)|unsatisfiable|breaks:|conflicts:|required by:|masked in:|No space left' "$1" | awk '!seen[$0]++' | head -n 8 | one_line
}

# A repository that does not answer is a warning to apk, and what it would have said is unknown.
refresh() {
    apk update --wait 60 --no-progress >"$work/refresh" 2>&1 && ! grep -q -E '^(ERROR|WARNING)' "$work/refresh"
}

apk_upgrade() {
    # shellcheck disable=SC2046 # words of a checked character set
    apk upgrade --no-interactive --no-progress --no-self-upgrade --wait 60 "$@" $(
        for target in $targets; do printf '%s\n' "${target%%=*}"; done
    )
}

simulate() {
    apk_upgrade --simulate >"$work/plan" 2>&1 || return 1
    removed=$(sed -n 's/^([ 0-9]*\/[0-9]*) Purging \([^ ]*\) .*/\1/p' "$work/plan" | words)
    # (1/2) Upgrading NAME (OLD -> NEW), (2/2) Installing NAME (NEW).
    sed -n -e 's/^([ 0-9]*\/[0-9]*) \(Upgrading\|Downgrading\|Replacing\) \([^ ]*\) (\([^ ]*\) -> \([^)]*\)).*/\2 \3 \4/p' \
        -e 's/^([ 0-9]*\/[0-9]*) Installing \([^ ]*\) (\([^)]*\)).*/\1 - \2/p' "$work/plan" >"$work/changes"
}

# apk has every package before it changes one only where it keeps a cache: without, it fetches while it installs.
download() {
    : >"$work/download"
    [ -e /etc/apk/cache ] || return 0
    # shellcheck disable=SC2046 # words of a checked character set
    apk cache --upgrade --wait 60 download $(for target in $targets; do printf '%s\n' "${target%%=*}"; done) >"$work/download" 2>&1
}

upgrade() {
    apk_upgrade >"$work/upgrade" 2>&1 || return
    # The scripts of a package may fail without the whole failing.
    ! grep -q -E '^ERROR' "$work/upgrade"
}

# apk tells no sizes before; a package of Alpine is some hundred KiB, and the new files stand beside the old ones.
sizes() {
    installed_packages >"$work/installed"
    awk 'NR == FNR { size[$1] = $3; next } { bytes += ($1 in size) ? size[$1] : 1048576 }
        END { printf "%d %d\n", bytes / 1024 + 1, bytes / 1024 + 1 }' "$work/installed" "$work/changes"
}

writes_boot() {
    grep -q -E '^(linux-|mkinitfs |intel-ucode |amd-ucode )' "$work/changes"
}

# Alpine has one kernel of a flavour: the new one takes the place of the old one.
newest_kernel() {
    running=$(uname -r)
    apk info --quiet --contents "linux-${running##*-}" 2>/dev/null | sed -n 's,^lib/modules/\([^/]*\)/.*,\1,p' | head -n 1
}

kernel_rebuilt() {
    :
}

more_reboot_reasons() {
    :
}
