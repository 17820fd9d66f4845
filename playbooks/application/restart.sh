# Restarts the units of UNITS that are active, so that they load what was replaced; what policy forbids (RESTART_NEVER)
# goes on as it is. May run again.
if [ -z "${UNITS:-}" ]; then
    echo 'no unit is named that uses it'
    exit 0
fi
has_systemd || leave 4 no-systemd "there is no systemd on this host to restart $UNITS"
restarted=
forbidden=
failed=
for unit in $UNITS; do
    # Stopped meanwhile, or never meant to run: not ours to start.
    systemctl is-active --quiet -- "$unit" || continue
    # The patterns are of whole names.
    case $unit in *.*) ;; *) unit=$unit.service ;; esac
    if is_forbidden "$unit"; then
        forbidden="$forbidden $unit"
        continue
    fi
    echo "systemctl restart $unit"
    if systemctl restart -- "$unit" 2>&1; then
        restarted="$restarted $unit"
    else
        failed="$failed $unit"
        systemctl status --no-pager --lines=20 -- "$unit" 2>&1
    fi
done
fact restarted "${restarted# }"
fact restart_forbidden "${forbidden# }"
[ -z "$failed" ] || leave 1 restart-failed "did not start again:$failed"
exit 0
