# Restarts services that still execute files which were replaced. What cannot be restarted without harm is left to the
# reboot (see reboot-required), what policy forbids (RESTART_NEVER) goes on as it is. May run again.
need_root
make_work
if ! has_systemd; then
    echo 'no systemd: what uses replaced files is left to the reboot'
    exit 0
fi
stale_services >"$work/services"
restarted=
failed=
if grep -qx init "$work/services"; then
    echo 'systemctl daemon-reexec'
    systemctl daemon-reexec || failed="$failed systemd"
fi
for unit in $(sed -n 's/^restart //p' "$work/services"); do
    # Stopped meanwhile, or never meant to run: not ours to start.
    systemctl is-active --quiet -- "$unit" || continue
    echo "systemctl restart $unit"
    if systemctl restart -- "$unit" 2>&1; then
        restarted="$restarted $unit"
    else
        failed="$failed $unit"
        systemctl status --no-pager --lines=20 -- "$unit" 2>&1
    fi
done
fact restarted "${restarted# }"
fact restart_forbidden "$(sed -n 's/^forbidden //p' "$work/services" | words)"
fact left_for_reboot "$(sed -n 's/^untouchable //p' "$work/services" | words)"
fact unreadable_units "$(awk '$2 != "-" { print $2 }' "$work/unreadable" | words)"
[ -z "$failed" ] || leave 1 restart-failed "did not start again:$failed"
exit 0
