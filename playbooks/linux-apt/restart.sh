# Restarts services that still execute files which were replaced. What cannot be restarted without harm is left to the
# reboot (see reboot-required). May run again.
need_root
make_work
if ! has_systemd; then
    echo 'no systemd: services that use replaced files cannot be found'
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
fact left_for_reboot "$(sed -n 's/^untouchable //p' "$work/services" | words)"
fact unreadable_units "$(awk '$2 != "-" { print $2 }' "$work/unreadable" | words)"
[ -z "$failed" ] || leave 1 restart-failed "did not start again:$failed"
exit 0
