# Restarts UNIT, if it runs and policy does not forbid it.
need_root
check_parameters
make_work
if [ -z "${UNIT:-}" ] || ! has_systemd || ! systemctl is-active --quiet -- "$UNIT"; then
    exit 0
fi
if is_forbidden "$UNIT"; then
    fact restart_forbidden "$UNIT"
    exit 0
fi
if ! systemctl restart -- "$UNIT" 2>&1; then
    systemctl status --no-pager --lines=20 -- "$UNIT" 2>&1
    leave 1 restart-failed "did not start again: $UNIT"
fi
fact restarted "$UNIT"
exit 0
