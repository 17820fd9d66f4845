# Whether the packages in "$@" (NAME=VERSION or NAME) can be upgraded now, and how the host is before.
# Changes nothing but the package lists, which it refreshes. ALLOW_REMOVALS=true lets the upgrade remove packages,
# REBOOT_PENDING_BEFORE=refuse leaves a host alone that should have been rebooted already.
need_root
need_manager
check_specs "$@"
# shellcheck disable=SC2046 # checked specs hold neither blanks nor patterns
set -- $(kept_specs "$@")
make_work

# How the host is, for the checks that follow and for the comparison afterwards.
tell_state
fact manual_units "$(sed -n 's/^manual //p' "$work/services" | words)"
fact failed_units "$(failed_services)"
fact kernel "$(uname -r)"
fact kernel_shared "$(is_container && echo true || echo false)"
fact boot "$(boot_identity)"
reasons=$(reboot_reasons)
fact reboot_pending_before "$([ -n "$reasons" ] && echo true || echo false)"
[ -z "$reasons" ] || fact reboot_why "$(printf '%s' "$reasons" | paste -s -d ';' - | one_line)"
# Where root may not look at processes (containers), it cannot be told which services need a restart.
fact unreadable_units "$(awk '$2 != "-" { print $2 }' "$work/unreadable" 2>/dev/null | words)"

trouble=$(manager_trouble)
[ -z "$trouble" ] || leave 4 packages-broken "$trouble"
holders=$(lock_holders)
[ -z "$holders" ] || leave 75 locked "$holders"

# What the sources offer now. One that cannot be reached is not skipped: what it would have said is unknown.
if ! refresh; then
    cat "$work/refresh"
    errors=$(errors_in "$work/refresh")
    if grep -q -E "$NO_SPACE" "$work/refresh"; then leave 4 no-space "$errors"; fi
    if grep -q -E "$LOCKED" "$work/refresh"; then leave 75 locked "$errors"; fi
    leave 75 source-unreachable "$errors"
fi

find_targets "$@"
if [ -z "$targets" ]; then
    leave 3 nothing-to-do 'every package has the wanted version or is not installed'
fi
if [ -n "$reasons" ] && [ "${REBOOT_PENDING_BEFORE:-report}" = refuse ]; then
    leave 4 reboot-pending "a reboot was pending before the fix: $(printf '%s' "$reasons" | paste -s -d ';' -)"
fi
predict
fact transaction "$(awk '{ print $1 " " $2 " -> " $3 }' "$work/changes" | sort | paste -s -d ';' - | sed 's/;/; /g' | cut -c 1-16000)"
fact removals "$removed"

# Space, in KiB, for the download and for the files.
sizes >"$work/sizes"
read -r download installed <"$work/sizes"
fact download_kib "$download"
fact installed_kib "$installed"
margin=20480
boot=0
# A new kernel or initramfs is written to /boot beside the old one.
if writes_boot; then
    boot=$(find /boot -maxdepth 1 -type f \( -name 'init*' -o -name 'vmlinuz-*' \) -exec du -k -- {} + 2>/dev/null |
        sort -rn | awk 'NR <= 2 { sum += $1 } END { printf "%d", sum }')
fi
space=$({
    df -Pk "$CACHE" | awk -v need="$download" 'NR == 2 { print $6, $4, need }'
    df -Pk /usr | awk -v need="$((installed + margin))" 'NR == 2 { print $6, $4, need }'
    df -Pk "$DATABASE" | awk -v need="$margin" 'NR == 2 { print $6, $4, need }'
    [ "$boot" -eq 0 ] || df -Pk /boot | awk -v need="$boot" 'NR == 2 { print $6, $4, need }'
} | awk '{ free[$1] = $2; need[$1] += $3 }
    END { for (at in need) if (need[at] > free[at]) printf "%s has %d KiB free and needs %d; ", at, free[at], need[at] }')
[ -z "$space" ] || leave 4 no-space "$space"
exit 0
