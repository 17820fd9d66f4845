# Whether the packages in "$@" (NAME=VERSION or NAME) can be upgraded now, and how the host is before.
# Changes nothing but the package lists, which it refreshes. ALLOW_REMOVALS=true lets the upgrade remove packages.
need_root
check_specs "$@"
make_work

# How the host is, for the checks that follow and for the comparison afterwards.
fact packages "$(packages_digest)"
active_services >"$work/services"
fact units "$(sed -n 's/^boot //p' "$work/services" | words)"
fact manual_units "$(sed -n 's/^manual //p' "$work/services" | words)"
fact failed_units "$(failed_services)"
fact kernel "$(uname -r)"
fact boot "$(boot_identity)"
reasons=$(reboot_reasons)
fact reboot_pending "$([ -n "$reasons" ] && echo true || echo false)"
[ -z "$reasons" ] || fact reboot_why "$(printf '%s' "$reasons" | one_line)"
# Where root may not look at processes (containers), it cannot be told which services need a restart.
fact unreadable_units "$(awk '$2 != "-" { print $2 }' "$work/unreadable" 2>/dev/null | words)"

trouble=$(dpkg_interrupted)
[ -z "$trouble" ] || leave 4 dpkg-interrupted "$trouble"
holders=$(lock_holders)
[ -z "$holders" ] || leave 75 locked "$holders"

# What the sources offer now. One that cannot be reached is not skipped: what it would have said is unknown.
if ! apt_get update -o APT::Update::Error-Mode=any -o DPkg::Lock::Timeout=60 >"$work/update" 2>&1 ||
    grep -q '^W: Failed to fetch' "$work/update"; then
    cat "$work/update"
    if grep -q 'No space left' "$work/update"; then leave 4 no-space "$(apt_errors "$work/update")"; fi
    if grep -q 'Could not get lock' "$work/update"; then leave 75 locked "$(apt_errors "$work/update")"; fi
    leave 75 source-unreachable "$(apt_errors "$work/update")"
fi

find_targets "$@"
if [ -z "$targets" ]; then
    leave 3 nothing-to-do 'every package has the wanted version or is not installed'
fi
predict
fact transaction "$(awk '{ print $1 " " $2 " -> " $3 }' "$work/changes" | sort | paste -s -d ';' | sed 's/;/; /g' | cut -c 1-16000)"
fact removals "$removed"

# Space, in KiB, for the download and for the files: dpkg unpacks a new package beside the old one.
# shellcheck disable=SC2086 # words of a checked character set
apt_get --print-uris -q -q install --only-upgrade -- $targets >"$work/uris" 2>/dev/null
download=$(awk '$3 ~ /^[0-9]+$/ { sum += $3 } END { printf "%d", sum / 1024 + 1 }' "$work/uris")
installed=$(while read -r name old new; do
    size=$(apt-cache show -- "${name}=${new}" 2>/dev/null | sed -n 's/^Installed-Size: //p' | head -n 1)
    before=$(dpkg-query -W -f '${Installed-Size}\n' -- "$name" 2>/dev/null | head -n 1)
    [ "$old" != - ] || before=0
    echo "${size:-0} ${before:-0}"
done <"$work/changes" | awk '{ if ($1 > most) most = $1; if ($1 > $2) more += $1 - $2 } END { printf "%d", most + more }')
fact download_kib "$download"
fact installed_kib "$installed"
margin=20480
boot=0
# A new kernel or initramfs is written to /boot beside the old one.
if grep -q -E '^(linux-image-|initramfs-tools|dracut|systemd |udev |cryptsetup|lvm2|busybox|kmod )' "$work/changes"; then
    boot=$(find /boot -maxdepth 1 -type f \( -name 'initrd.img-*' -o -name 'vmlinuz-*' \) -exec du -k -- {} + 2>/dev/null |
        sort -rn | awk 'NR <= 2 { sum += $1 } END { printf "%d", sum }')
fi
space=$({
    df -Pk /var/cache/apt/archives | awk -v need="$download" 'NR == 2 { print $6, $4, need }'
    df -Pk /usr | awk -v need="$((installed + margin))" 'NR == 2 { print $6, $4, need }'
    df -Pk /var/lib/dpkg | awk -v need="$margin" 'NR == 2 { print $6, $4, need }'
    [ "$boot" -eq 0 ] || df -Pk /boot | awk -v need="$boot" 'NR == 2 { print $6, $4, need }'
} | awk '{ free[$1] = $2; need[$1] += $3 }
    END { for (at in need) if (need[at] > free[at]) printf "%s has %d KiB free and needs %d; ", at, free[at], need[at] }')
[ -z "$space" ] || leave 4 no-space "$space"
exit 0
