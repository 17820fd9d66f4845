# Whether the host must be rebooted: 0 yes, with the reasons as a fact; 3 no. Only looks.
need_root
make_work
reasons=$(reboot_reasons)
if [ -z "$reasons" ]; then
    echo 'no reboot is required'
    exit 3
fi
printf '%s\n' "$reasons"
fact reboot_why "$(printf '%s' "$reasons" | paste -s -d ';' | one_line)"
exit 0
