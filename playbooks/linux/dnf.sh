# --- dnf --------------------------------------------------------------------------------------------------------

LOCKS='/var/lib/rpm/.rpm.lock /usr/lib/sysimage/rpm/.rpm.lock'
LOCKED='already locked by|can.t create transaction lock'
NO_SPACE='No space left|more space (needed )?on the|more space needed'
UNREACHABLE='Error downloading packages|Cannot download|Failed to download|Curl error'

need_manager() {
    if ! command -v dnf >/dev/null || ! command -v rpm >/dev/null; then
        leave 4 no-package-manager "there is no dnf on this host"
    fi
    # Its words are others; what is not understood must not pass for success.
    case $(readlink -f "$(command -v dnf)") in
        */dnf5) leave 4 no-package-manager "this is dnf 5, and dnf 4 is known here" ;;
    esac
}

# One dnf for all: no questions, no waiting for a lock, no skipping of what does not fit or does not answer.
dnf_do() {
    dnf --setopt=exit_on_lock=True --setopt=skip_if_unavailable=False --setopt=strict=True --setopt=best=True \
        --setopt=retries=2 --setopt=timeout=20 --setopt=clean_requirements_on_remove=False --color=never "$@"
}

# What the sources offer of the specs "$@", and what they would offer without excludes and locks, each in one call.
look_up() {
    # shellcheck disable=SC2046 # words of a checked character set
    set -- $(names_of "$@")
    query='%{name} %{arch} %{epoch}:%{version}-%{release}'
    dnf_do --quiet -C repoquery --qf "$query" -- "$@" 2>/dev/null >"$work/offered"
    dnf_do --quiet -C --disableexcludes=all --disableplugin=versionlock repoquery --qf "$query" -- "$@" 2>/dev/null >"$work/known"
}

candidate_version() {
    newest_offered "$1" "$work/offered"
}

# Why package $1 is kept from something newer than candidate $2, or nothing.
held_back() {
    free=$(newest_offered "$1" "$work/known")
    if [ -n "$free" ] && ! is_newer_or_same "${2:-0}" "$free" && ! is_at_least "$1" "$free"; then
        echo "$1 $free is offered, and an exclude or a version lock of dnf forbids it"
    fi
}

# dnf's own words for what went wrong, from its output.
errors_in() {
    grep -E '^(Error|Errors|error:|Config error|  - |Problem| Problem|Failed|Existing lock|\[Errno)|scriptlet|Curl error|conflicts|already locked|transaction lock|No space left|more space' "$1" |
        awk '!seen[$0]++' | head -n 8 | one_line
}

refresh() {
    dnf_do makecache --refresh >"$work/refresh" 2>&1
}

# Targets as dnf takes them, one exact version each.
dnf_targets() {
    for target in $targets; do printf '%s-%s\n' "${target%%=*}" "${target#*=}"; done
}

dnf_upgrade() {
    erasing=
    [ "${ALLOW_REMOVALS:-false}" != true ] || erasing=--allowerasing
    # shellcheck disable=SC2046,SC2086 # words of a checked character set
    dnf_do -C "$@" $erasing upgrade -- $(dnf_targets)
}

# Reads the table that dnf prints before it asks. A row that is too long goes on in the next line; it has a name, an
# architecture, a version, a source and a size with its unit.
simulate() {
    dnf_upgrade --assumeno >"$work/plan" 2>&1
    grep -q -E '^(Operation aborted|Transaction Summary)' "$work/plan" || return 1
    awk '
        /^Transaction Summary/ { exit }
        /^[A-Z][a-z ]+:$/ {
            section = ""
            if ($1 ~ /^(Upgrading|Installing|Downgrading):?$/) section = "in"
            if ($1 ~ /^Removing:?$/) section = "out"
            count = 0
            next
        }
        section == "" { next }
        # What a new package replaces under another name goes.
        $1 == "replacing" { sub(/\.[^.]*$/, "", $2); if ($2 != name) print "out", $2; next }
        /^ / {
            for (i = 1; i <= NF; i++) word[++count] = $i
            if (count >= 6) { name = word[1]; print section, name, word[3]; count = 0 }
        }' "$work/plan" >"$work/rows"
    removed=$(sed -n 's/^out \([^ ]*\).*/\1/p' "$work/rows" | words)
    sed -n 's/^in //p' "$work/rows" | while read -r name new; do
        old=$(rpm -q --qf '%{EPOCHNUM}:%{VERSION}-%{RELEASE}\n' -- "$name" 2>/dev/null | grep -v ' is not installed$' | newest_of)
        echo "$name ${old:--} $new"
    done >"$work/changes"
}

download() {
    dnf_upgrade --assumeyes --downloadonly >"$work/download" 2>&1
}

upgrade() {
    # rpm only warns of a scriptlet that fails behind the files: the package is there, and not set up.
    dnf_upgrade --assumeyes >"$work/upgrade" 2>&1 || return
    ! grep -q -E 'scriptlet failed|Error in [A-Z]+ scriptlet' "$work/upgrade" || return 1
}

# KiB to be downloaded and KiB of new files: rpm unpacks a new package beside the old one.
sizes() {
    # shellcheck disable=SC2046 # words of a checked character set
    dnf_do --quiet -C repoquery --qf '%{name} %{downloadsize} %{installsize}' -- $(awk '{ print $1 "-" $3 }' "$work/changes") 2>/dev/null |
        sort -u -k 1,1 >"$work/new_sizes"
    while read -r name old _; do
        before=$(installed_size "$name")
        [ "$old" != - ] || before=0
        new=$(awk -v name="$name" '$1 == name { print $2, $3 }' "$work/new_sizes")
        echo "${new:-0 0} ${before:-0}"
    done <"$work/changes" | awk '
        { down += $1; if ($2 > most) most = $2; if ($2 > $3) more += $2 - $3 }
        END { printf "%d %d\n", down / 1024 + 1, (most + more) / 1024 + 1 }'
}

# What the distribution itself says of a reboot, where its tool for that is installed. In a container it would count
# from the boot of another host.
more_reboot_reasons() {
    is_container && return 0
    command -v needs-restarting >/dev/null || return 0
    needs-restarting -r >"$work/needs" 2>&1 && return 0
    needs=$(sed -n 's/^ *\* *//p' "$work/needs" | words)
    [ -z "$needs" ] || echo "changed since the boot: $needs"
}
