# Whether the host must be rebooted: 0 yes, with the reasons as a fact; 3 no. Only looks.
need_root
make_work
reasons=$(reboot_reasons)
[ -n "$reasons" ] || leave 3 no-reboot-required 'no reboot is required'
printf '%s\n' "$reasons"
fact reboot_why "$(printf '%s' "$reasons" | paste -s -d ';' | one_line)"
exit 0
