
# --- rpm --------------------------------------------------------------------------------------------------------

CACHE=/var/cache
DATABASE=/var/lib

is_package_name() {
    case $1 in *[!A-Za-z0-9._+-]* | [!A-Za-z0-9_]* | '') return 1 ;; esac
}

is_version() {
    case $1 in *[!A-Za-z0-9._+~^:-]* | '') return 1 ;; esac
}

# -1, 0 or 1, as rpm itself orders two parts of versions; nothing where one could end the text that it stands in.
rpm_order() {
    case $1$2 in *[!A-Za-z0-9._+~^]*) return 1 ;; esac
    rpm --eval "%{lua:print(rpm.vercmp('$1', '$2'))}"
}

# Whether EPOCH:VERSION-RELEASE $1 is at least $2. What has no epoch has 0; what has no release is every release.
is_newer_or_same() {
    epoch_of() { case $1 in *:*) printf '%s' "${1%%:*}" ;; *) printf 0 ;; esac; }
    order=$(rpm_order "$(epoch_of "$1")" "$(epoch_of "$2")")
    one=${1#*:}
    two=${2#*:}
    [ "$order" != 0 ] || order=$(rpm_order "${one%%-*}" "${two%%-*}")
    case $order$one/$two in
        0*-*/*-*) order=$(rpm_order "${one#*-}" "${two#*-}") ;;
    esac
    [ "$order" = 0 ] || [ "$order" = 1 ]
}

# The newest of versions on lines.
newest_of() {
    newest=
    while read -r version; do
        if [ -z "$newest" ] || is_newer_or_same "$version" "$newest"; then newest=$version; fi
    done
    printf '%s' "$newest"
}

# The newest version of package $1, of any architecture that is installed, in lines NAME ARCH VERSION of the file $2.
newest_offered() {
    rpm -q --qf '%{ARCH}\n' -- "$1" 2>/dev/null | sort -u >"$work/archs"
    awk -v name="$1" 'NR == FNR { arch[$1]; next }
        $1 == name && (($2 in arch) || $2 == "noarch" || ("noarch" in arch)) { print $3 }' "$work/archs" "$2" | newest_of
}

# Installed versions of a package, one line an architecture: of what may be there more than once, as kernels are, the
# newest. Nothing if it is not installed.
installed_versions() {
    rpm -q --qf '%{ARCH} %{EPOCHNUM}:%{VERSION}-%{RELEASE}\n' -- "$1" 2>/dev/null | grep -v ' is not installed$' >"$work/instances"
    for arch in $(cut -d ' ' -f 1 "$work/instances" | sort -u); do
        sed -n "s/^$arch //p" "$work/instances" | newest_of
        echo
    done
}

# Digest of all packages and their versions.
packages_digest() {
    rpm -qa --qf '%{NAME}.%{ARCH} %{EPOCHNUM}:%{VERSION}-%{RELEASE}\n' | sort | sha256sum | cut -d ' ' -f 1
}

# What keeps rpm from being used, or nothing. An interrupted transaction leaves a package in two versions.
manager_trouble() {
    if ! rpm -qa --qf '%{NAME}.%{ARCH} [%{PROVIDENAME} ]\n' >"$work/all" 2>"$work/all.err"; then
        echo "the database of rpm cannot be read: $(one_line <"$work/all.err")"
        return
    fi
    twice=$(grep -v -E '^(kernel|gpg-pubkey)|installonlypkg\(|multiversion\(' "$work/all" | cut -d ' ' -f 1 | sort | uniq -d | words)
    [ -z "$twice" ] || echo "a transaction was interrupted, these are installed twice: $twice"
}

# What is wrong with package $1 whatever its version: a scriptlet that fails is no failure to rpm.
package_trouble() {
    :
}

# The size in bytes of what is installed of package $1.
installed_size() {
    rpm -q --qf '%{SIZE}\n' -- "$1" 2>/dev/null | awk '/^[0-9]+$/ { size = $1 } END { printf "%d", size }'
}

# Whether the changes write a new kernel or initramfs to /boot.
writes_boot() {
    grep -q -E '^(kernel|dracut|systemd |systemd-udev|udev |lvm2|cryptsetup|kmod |microcode)' "$work/changes"
}

# The package of the running kernel's file, and of its instances the newest one, as `uname -r` would say it.
newest_kernel() {
    package=
    for file in "/boot/vmlinuz-$(uname -r)" "/usr/lib/modules/$(uname -r)/vmlinuz" "/lib/modules/$(uname -r)/vmlinuz"; do
        package=$(rpm -qf --qf '%{NAME}\n' -- "$file" 2>/dev/null) && break
        package=
    done
    # Where an update takes the old kernel away (SUSE calls its kernels by their flavour).
    [ -n "$package" ] || package=$(rpm -q --qf '%{NAME}\n' -- "kernel-$(uname -r | sed 's/.*-//')" 2>/dev/null) || return 0
    package=$(printf '%s\n' "$package" | head -n 1)
    newest=$(rpm -q --qf '%{EPOCHNUM}:%{VERSION}-%{RELEASE}\n' -- "$package" | newest_of)
    rpm -ql -- "$package-${newest#*:}" 2>/dev/null | sed -n 's,^\(/usr\)\{0\,1\}/lib/modules/\([^/]*\)/.*,\2,p' | head -n 1
}

# Every build of these kernels has a name of its own.
kernel_rebuilt() {
    :
}

