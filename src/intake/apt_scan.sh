# What the package manager of this host says is pending from the security archive, and what else matters for a fix.
# Changes nothing but the package lists, which it refreshes unless NO_UPDATE=1. Runs behind the texts that
# linux-apt's scripts share.
#
# Output, tab-separated, between a first and a last line that prove it whole:
#   scan 1 | os ID ID_LIKE VERSION_ID | arch A | kernel RUNNING | newest KERNEL | reboot WHY | stale UNIT
#   update NAME INSTALLED FIXED CANDIDATE SOURCE SUITE | cve SOURCE ID | note CODE TEXT | end LINES
# Whoever runs a scan reads its reason on standard error: what is on standard output is whole or nothing.
leave() {
    printf '%s: %s\n' "$2" "$(printf '%s' "$3" | one_line)" >&2
    exit "$1"
}

need_root
need_manager
make_work
tab=$(printf '\t')

# Changelogs may be fetched for this long, and this many KiB of packages for those that no server offers.
seconds=60
kib_left=65536

say() {
    printf '%s\n' "$*" >>"$work/lines"
}

os_release() {
    sed -n "s/^$1=//p" /etc/os-release | head -n 1 | tr -d "\"'" | one_line
}

say "os$tab$(os_release ID)$tab$(os_release ID_LIKE)$tab$(os_release VERSION_ID)"
native=$(dpkg --print-architecture)
say "arch$tab$native"
say "kernel$tab$(uname -r)"
newest=$(newest_kernel)
if [ -n "$newest" ] && ! is_container; then say "newest$tab$newest"; fi
reboot_reasons | while read -r why; do say "reboot$tab$why"; done
stale_services | while read -r kind unit; do
    case $kind in restart | untouchable) say "stale$tab$unit" ;; esac
done
unreadable=$(awk '$2 != "-" { print $2 }' "$work/unreadable" 2>/dev/null | words)
[ -z "$unreadable" ] || say "note${tab}unreadable$tab$unreadable"

if [ "${NO_UPDATE:-0}" != 1 ]; then
    # A source that cannot be reached is not skipped: what it would have said is unknown.
    if ! apt_get update -o APT::Update::Error-Mode=any -o DPkg::Lock::Timeout=60 >"$work/update" 2>&1 ||
        grep -q '^W: Failed to fetch' "$work/update"; then
        leave 75 source-unreachable "$(errors_in "$work/update")"
    fi
fi
# Security archives, as `URI SUITE`: told by what their Release file says of them, whatever their place is called.
apt-cache policy | awk '
    $1 ~ /^-?[0-9]+$/ && $2 ~ /:/ { uri = $2; suite = $3; next }
    $1 == "release" && uri != "" {
        text = "," substr($0, index($0, "release") + 8) ","
        if (text ~ /,[an]=[^,]*-security,/ || text ~ /,l=[^,]*[Ss]ecurity[^,]*,/ || suite ~ /(-security|\/updates)\//) print uri, suite
        uri = ""
    }' | sort -u >"$work/security"
# Without one the host would look clean.
[ -s "$work/security" ] || leave 4 no-security-source 'no package source of this host is a security archive'

# Installed packages of this architecture: NAME VERSION SOURCE SOURCE-VERSION.
dpkg-query -W -f '${db:Status-Status} ${Architecture} ${Package} ${Version} ${source:Package} ${source:Version}\n' |
    awk -v native="$native" '$1 == "installed" && ($2 == native || $2 == "all") { print $3, $4, $5, $6 }' | sort >"$work/installed"
# What the security archives offer under another version: NAME OFFERED SUITE INSTALLED SOURCE SOURCE-VERSION.
cut -d ' ' -f 1 "$work/installed" | xargs -r apt-cache madison -- 2>/dev/null | awk -v installed="$work/installed" -v security="$work/security" '
    BEGIN {
        while ((getline line < installed) > 0) { split(line, f, " "); version[f[1]] = f[2]; rest[f[1]] = f[2] " " f[3] " " f[4] }
        while ((getline line < security) > 0) secure[line] = 1
    }
    $NF == "Packages" && (($5 " " $6) in secure) && ($1 in version) && version[$1] != $3 {
        suite = $6; sub(/\/.*/, "", suite); print $1, $3, suite, rest[$1]
    }' | sort -u >"$work/offered"
: >"$work/updates"
last=
best=
while read -r name offered suite installed source source_version; do
    dpkg --compare-versions "$offered" gt "$installed" || continue
    if [ "$name" = "$last" ]; then
        dpkg --compare-versions "$offered" gt "$best" || continue
        sed -i '$d' "$work/updates"
    fi
    last=$name
    best=$offered
    echo "$name $installed $offered $suite $source $source_version" >>"$work/updates"
done <"$work/offered"
cut -d ' ' -f 1 "$work/updates" | xargs -r apt-cache policy -- >"$work/policy" 2>/dev/null
while read -r name installed offered suite source source_version; do
    candidate=$(awk -v name="$name:" '$1 == name { here = 1; next } here && $1 == "Candidate:" { print $2; exit }' "$work/policy")
    say "update$tab$name$tab$installed$tab$offered$tab${candidate:-$offered}$tab$source$tab$suite"
done <"$work/updates"

# --- CVE ids, as far as the sources carry them --------------------------------------------------------------------

started=$(date +%s)
time_left() {
    echo $((seconds - $(date +%s) + started))
}

# The changelog of package $1, version $2, on standard output: from the distribution's server, else out of the package.
changelog() {
    if [ ! -e "$work/no-server" ]; then
        timeout 10 apt-get -q -q -o Acquire::Retries=0 -o Acquire::http::Timeout=5 -o Acquire::https::Timeout=5 \
            changelog "$1=$2" 2>/dev/null | head -c 1000000 >"$work/changelog"
        if [ -s "$work/changelog" ]; then
            cat "$work/changelog"
            return
        fi
        # One that does not answer now is not asked again and again.
        : >"$work/no-server"
    fi
    size=$(apt-get -q -q --print-uris download "$1=$2" 2>/dev/null | awk 'NR == 1 { printf "%d", $3 / 1024 + 1 }')
    [ -n "$size" ] && [ "$size" -le 8192 ] && [ "$size" -le "$kib_left" ] || return
    kib_left=$((kib_left - size))
    mkdir -p "$work/deb"
    (cd "$work/deb" && timeout 30 apt-get -q -q download "$1=$2") >/dev/null 2>&1
    for deb in "$work/deb"/*.deb; do
        [ -e "$deb" ] || continue
        # Native packages have one changelog, the others one of Debian beside that of upstream.
        for file in changelog.Debian.gz changelog.gz; do
            dpkg-deb --fsys-tarfile "$deb" 2>/dev/null | tar -xOf - "./usr/share/doc/$1/$file" 2>/dev/null |
                gzip -dc 2>/dev/null | head -c 1000000 >"$work/changelog"
            if [ -s "$work/changelog" ]; then break; fi
        done
        cat "$work/changelog"
    done
    rm -rf -- "$work/deb"
}

# CVE ids of the entries of a changelog above version $1.
cves_since() {
    : >"$work/entries"
    count=0
    while IFS= read -r line && [ "$count" -lt 100 ]; do
        case $line in
            [a-z0-9]*' ('*') '*';'*)
                version=${line#*(}
                version=${version%%)*}
                dpkg --compare-versions "$version" gt "$1" 2>/dev/null || break
                count=$((count + 1))
                ;;
            *CVE-*) printf '%s\n' "$line" >>"$work/entries" ;;
        esac
    done
    grep -o -E 'CVE-[0-9]{4}-[0-9]{4,7}' "$work/entries" | sort -u | head -n 200
}

missing=
for source in $(cut -d ' ' -f 5 "$work/updates" | sort -u); do
    awk -v source="$source" '$5 == source' "$work/updates" >"$work/binaries"
    found=
    tries=0
    while read -r name installed offered suite source source_version; do
        [ "$tries" -lt 3 ] && [ "$(time_left)" -gt 0 ] || break
        tries=$((tries + 1))
        changelog "$name" "$offered" </dev/null >"$work/text"
        if [ -s "$work/text" ]; then
            found=yes
            cves_since "$source_version" <"$work/text" >"$work/cves"
            while read -r cve; do say "cve$tab$source$tab$cve"; done <"$work/cves"
            break
        fi
    done <"$work/binaries"
    [ -n "$found" ] || missing="$missing $source"
done
[ -z "$missing" ] || say "note${tab}no-changelog$tab${missing# }"

printf 'scan\t1\n'
cat "$work/lines"
printf 'end\t%s\n' "$(wc -l <"$work/lines" | tr -d ' ')"
exit 0
