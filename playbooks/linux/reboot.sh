# Reboots, two seconds from now: the result of this script must be on disk before the host goes down.
need_root
sync
if has_systemd; then
    systemd-run --quiet --collect --on-active=2s --timer-property=AccuracySec=100ms systemctl reboot ||
        leave 4 no-reboot 'systemd took no timer for the reboot'
else
    setsid sh -c 'sleep 2; exec reboot' >/dev/null 2>&1 &
fi
exit 0
