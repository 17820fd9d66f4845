# --- zypper -----------------------------------------------------------------------------------------------------

LOCKS='/run/zypp.pid /var/lib/rpm/.rpm.lock /usr/lib/sysimage/rpm/.rpm.lock'
LOCKED='System management is locked|can.t create transaction lock'
NO_SPACE='No space left|more space on the|[Nn]ot enough (free )?(disk )?space'
UNREACHABLE='Failed to provide Package|Download \(curl\) error|Valid metadata not found'

need_manager() {
    if ! command -v zypper >/dev/null || ! command -v rpm >/dev/null; then
        leave 4 no-package-manager "there is no zypper on this host"
    fi
}

# One zypper for all: no questions, words that a program can read, a minute of patience with a lock.
zypper_do() {
    ZYPP_LOCK_TIMEOUT=60 zypper --non-interactive --xmlout "$@"
}

# What the sources offer of the specs "$@", and the locks, each in one call.
look_up() {
    # shellcheck disable=SC2046 # words of a checked character set
    zypper_do --no-refresh search --details --match-exact --type package -- $(names_of "$@") 2>/dev/null |
        grep '^<solvable ' | grep -v 'repository="(System Packages)"' |
        sed -n 's/.* name="\([^"]*\)".* edition="\([^"]*\)" arch="\([^"]*\)".*/\1 \3 \2/p' >"$work/offered"
    zypper_do locks 2>/dev/null | grep -o '<name>[^<]*</name>' | sed 's/<[^>]*>//g' >"$work/locks"
}

candidate_version() {
    newest_offered "$1" "$work/offered"
}

# Why package $1 is kept from candidate $2, or nothing.
held_back() {
    [ -n "$2" ] && ! is_at_least "$1" "$2" || return 0
    while read -r pattern; do
        # shellcheck disable=SC2254 # it is a pattern
        case $1 in $pattern) echo "$1 is locked: zypper removelock '$pattern'" ;; esac
    done <"$work/locks" | head -n 1
}

# zypper's own words for what went wrong, from its output.
errors_in() {
    sed 's/&quot;/"/g; s/&apos;/'\''/g; s/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g; s/<[^>]*>/ /g' "$1" |
        grep -E 'Problem|Error|error|failed|locked|nothing provides|not found|conflicts|No space|not enough' |
        awk '!seen[$0]++' | head -n 8 | one_line
}

refresh() {
    # 4 also where only some of the sources do not answer.
    zypper_do refresh >"$work/refresh" 2>&1
}

zypper_update() {
    # shellcheck disable=SC2046 # words of a checked character set
    zypper_do --no-refresh update --details --no-recommends --auto-agree-with-licenses "$@" -- $(
        for target in $targets; do printf '%s\n' "${target%%=*}"; done
    )
}

simulate() {
    zypper_update --dry-run >"$work/plan" 2>&1 || return 1
    awk '
        /^<to-remove>/ { section = "out" }
        /^<to-(upgrade|install|downgrade|change-vendor|upgrade-change-arch|downgrade-change-arch|upgrade-change-vendor)>/ { section = "in" }
        /^<\/to-/ { section = "" }
        function value(key) {
            if (!match($0, " " key "=\"[^\"]*\"")) return "-"
            return substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 4)
        }
        section != "" && /^<solvable type="package"/ { print section, value("name"), value("edition-old"), value("edition") }
        ' "$work/plan" >"$work/rows"
    removed=$(sed -n 's/^out \([^ ]*\).*/\1/p' "$work/rows" | words)
    sed -n 's/^in //p' "$work/rows" >"$work/changes"
}

download() {
    zypper_update --download-only >"$work/download" 2>&1
}

upgrade() {
    zypper_update >"$work/upgrade" 2>&1
    status=$?
    # 102 and 103 tell that a reboot or a restart is needed, which is looked for anyway.
    case $status in 0 | 102 | 103) ;; *) return "$status" ;; esac
    # rpm only warns of a scriptlet that fails behind the files: the package is there, and not set up.
    ! grep -q -E 'script(let)? failed' "$work/upgrade" || return 1
}

# KiB to be downloaded and KiB of new files. zypper tells only the balance of the new and old files; while a package is
# unpacked beside the old one, it takes some times its download.
sizes() {
    sed -n 's/.*<install-summary download-size="\([0-9]*\)" space-usage-diff="\(-\{0,1\}[0-9]*\)".*/\1 \2/p' "$work/plan" |
        awk '{ down += $1; more += ($2 > 0 ? $2 : 0) } END { printf "%d %d\n", down / 1024 + 1, (more + 4 * down) / 1024 + 1 }'
}

more_reboot_reasons() {
    :
}
