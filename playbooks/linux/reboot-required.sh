# Whether the host must be rebooted: 0 yes, with the reasons as a fact; 3 no. Only looks. A service that policy forbids
# to restart (RESTART_NEVER) is no reason: a reboot would restart it too.
need_root
make_work
reasons=$(reboot_reasons)
[ -n "$reasons" ] || leave 3 no-reboot-required 'no reboot is required'
printf '%s\n' "$reasons"
fact reboot_why "$(printf '%s' "$reasons" | paste -s -d ';' - | one_line)"
exit 0
