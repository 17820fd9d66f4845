
# --- apt --------------------------------------------------------------------------------------------------------

LOCKS='/var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock'
LOCKED='Could not get lock'
NO_SPACE='No space left|enough free space'
UNREACHABLE='Failed to fetch'
CACHE=/var/cache/apt/archives
DATABASE=/var/lib/dpkg

need_manager() {
    command -v apt-get >/dev/null && command -v dpkg-query >/dev/null ||
        leave 4 no-package-manager "there is no apt on this host"
}

is_package_name() {
    case $1 in *[!a-z0-9+.-]* | [!a-z0-9]* | ? | '') return 1 ;; esac
}

is_version() {
    case $1 in *[!A-Za-z0-9.+:~-]* | '') return 1 ;; esac
}

# Installed versions of a package, one line an architecture; nothing if it is not installed.
installed_versions() {
    dpkg-query -W -f '${db:Status-Status} ${Version}\n' -- "$1" 2>/dev/null | sed -n 's/^installed //p'
}

# Asks once for all what the sources offer of the specs "$@"; here each package is asked for, which is quick.
look_up() {
    :
}

candidate_version() {
    apt-cache policy -- "$1" | sed -n 's/^  Candidate: //p' | grep -v '^(none)$'
}

is_newer_or_same() {
    dpkg --compare-versions "$1" ge "$2"
}

# Why package $1 is kept from candidate $2, or nothing.
held_back() {
    [ -n "$2" ] && ! is_at_least "$1" "$2" || return 0
    if dpkg-query -W -f '${db:Status-Want}\n' -- "$1" 2>/dev/null | grep -qx hold; then
        echo "$1 is on hold: apt-mark unhold $1"
    fi
}

# Digest of all packages, their versions and states.
packages_digest() {
    dpkg-query -W -f '${Package}:${Architecture} ${Version} ${Status}\n' | sort | sha256sum | cut -d ' ' -f 1
}

# What keeps dpkg from being used, or nothing.
manager_trouble() {
    for update in /var/lib/dpkg/updates/[0-9]*; do
        if [ -e "$update" ]; then
            echo 'dpkg was interrupted: run dpkg --configure -a'
            return
        fi
    done
    dpkg --audit 2>&1 | one_line
}

# What is wrong with package $1 whatever its version, or nothing.
package_trouble() {
    dpkg-query -W -f '${Status};' -- "$1" 2>/dev/null | tr ';' '\n' |
        grep -v -x -e 'install ok installed' -e 'hold ok installed' -e '.* ok not-installed' -e '.* ok config-files' | one_line
}

# One apt-get for all: no questions, no new configuration files over changed ones, no restarts behind our back.
apt_get() {
    DEBIAN_FRONTEND=noninteractive DEBIAN_PRIORITY=critical APT_LISTCHANGES_FRONTEND=none UCF_FORCE_CONFFOLD=1 \
        NEEDRESTART_MODE=l NEEDRESTART_SUSPEND=1 \
        apt-get -q --yes -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
        -o Dpkg::Use-Pty=0 -o APT::Install-Recommends=false -o APT::Install-Suggests=false \
        -o APT::Get::Always-Include-Phased-Updates=true -o APT::Color=0 \
        -o Acquire::Retries=2 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 "$@"
}

# apt's own words for what went wrong, from its output.
errors_in() {
    grep -E '^(E:|W: Failed|dpkg: error|dpkg: dependency|Err:| dpkg-deb: error)|subprocess returned error|No space left' "$1" |
        awk '!seen[$0]++' | head -n 8 | one_line
}

refresh() {
    apt_get update -o APT::Update::Error-Mode=any -o DPkg::Lock::Timeout=60 >"$work/refresh" 2>&1 &&
        ! grep -q '^W: Failed to fetch' "$work/refresh"
}

simulate() {
    # shellcheck disable=SC2086 # words of a checked character set
    apt_get -s install --only-upgrade -- $targets >"$work/plan" 2>&1 || return 1
    removed=$(sed -n 's/^Remv \([^ ]*\).*/\1/p' "$work/plan" | words)
    # Inst NAME [OLD] (NEW ORIGIN [ARCH]); what is new has no [OLD].
    sed -n -e 's/^Inst \([^ ]*\) \[\([^]]*\)\] (\([^ ]*\) .*/\1 \2 \3/p' -e 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1 - \2/p' \
        "$work/plan" >"$work/changes"
}

download() {
    # shellcheck disable=SC2086 # words of a checked character set
    apt_get --download-only --only-upgrade -o DPkg::Lock::Timeout=120 install -- $targets >"$work/download" 2>&1
}

upgrade() {
    # With this apt itself stops rather than remove a package, whatever changed since the prediction.
    remove=false
    [ "${ALLOW_REMOVALS:-false}" != true ] || remove=true
    # shellcheck disable=SC2086 # words of a checked character set
    apt_get --only-upgrade -o "APT::Get::Remove=$remove" -o DPkg::Lock::Timeout=120 install -- $targets >"$work/upgrade" 2>&1
}

# KiB to be downloaded and KiB of new files: dpkg unpacks a new package beside the old one.
sizes() {
    # shellcheck disable=SC2086 # words of a checked character set
    apt_get --print-uris -q -q install --only-upgrade -- $targets >"$work/uris" 2>/dev/null
    awk '$3 ~ /^[0-9]+$/ { sum += $3 } END { printf "%d ", sum / 1024 + 1 }' "$work/uris"
    while read -r name old new; do
        size=$(apt-cache show -- "${name}=${new}" 2>/dev/null | sed -n 's/^Installed-Size: //p' | head -n 1)
        before=$(dpkg-query -W -f '${Installed-Size}\n' -- "$name" 2>/dev/null | head -n 1)
        [ "$old" != - ] || before=0
        echo "${size:-0} ${before:-0}"
    done <"$work/changes" | awk '{ if ($1 > most) most = $1; if ($1 > $2) more += $1 - $2 } END { printf "%d\n", most + more }'
}

# Whether the changes write a new kernel or initramfs to /boot.
writes_boot() {
    grep -q -E '^(linux-image-|initramfs-tools|dracut|systemd |udev |cryptsetup|lvm2|busybox|kmod )' "$work/changes"
}

# 6.1.0-40-cloud-amd64 and 6.12.48+deb13-cloud-amd64 are both cloud-amd64.
flavour_of() {
    rest=${1#*-}
    case $rest in [0-9]*-*) rest=${rest#*-} ;; esac
    printf '%s' "$rest"
}

# The newest installed kernel of the running one's flavour, as `uname -r` would say it.
newest_kernel() {
    flavour=$(flavour_of "$(uname -r)")
    newest=
    for release in $(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 'linux-image-[0-9]*' 2>/dev/null |
        sed -n -e 's/-unsigned$//' -e 's/^installed linux-image-//p'); do
        [ "$(flavour_of "$release")" = "$flavour" ] || continue
        if [ -z "$newest" ] || dpkg --compare-versions "$release" gt "$newest"; then newest=$release; fi
    done
    printf '%s' "$newest"
}

# Debian may replace a kernel under the same name; its build says which version runs.
kernel_rebuilt() {
    built=$(uname -v | sed -n 's/.* Debian \([0-9][^ ]*\).*/\1/p')
    for version in $(installed_versions "linux-image-$1"); do
        if [ -n "$built" ] && dpkg --compare-versions "$version" gt "$built"; then
            echo "kernel package $version is installed, a build of $built runs"
        fi
    done
}

more_reboot_reasons() {
    :
}
