# Has UNIT read its settings again: a reload where it knows how, else a restart, unless policy forbids it.
need_root
check_parameters
make_work
if [ -z "${UNIT:-}" ] || ! has_systemd || ! systemctl is-active --quiet -- "$UNIT"; then
    exit 0
fi
if is_forbidden "$UNIT" && [ "$(systemctl show --property=CanReload --value -- "$UNIT")" != yes ]; then
    fact restart_forbidden "$UNIT"
    exit 0
fi
if ! systemctl reload-or-restart -- "$UNIT" 2>&1; then
    systemctl status --no-pager --lines=20 -- "$UNIT" 2>&1
    leave 1 restart-failed "did not take the setting: $UNIT"
fi
fact restarted "$UNIT"
exit 0
