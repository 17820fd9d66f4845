# Runs the Ansible playbook PLAYBOOK against the one host HOST, on this machine; "$@" is for ansible-playbook. INVENTORY and
# VARS are JSON: the inventory of that host, and variables for the playbook. MODE is `check` (nothing is changed, and what
# would be is only told), `hold` (likewise, and nothing may be left to change) or `change`. KNOWN_HOSTS is the line of the pinned
# host key, where there is one.
case ${PLAYBOOK:?} in
    /*) [ -f "$PLAYBOOK" ] || leave 4 no-playbook "there is no file $PLAYBOOK on this machine" ;;
    *) leave 4 no-playbook "$PLAYBOOK is not an absolute path" ;;
esac
command -v -- "${ANSIBLE:=ansible-playbook}" >/dev/null || leave 4 no-ansible "there is no $ANSIBLE on this machine"
make_work
SWITCHBACK_WORK=$work
export SWITCHBACK_WORK
printf '%s\n' "$INVENTORY" >"$work/inventory.json"
printf '%s\n' "$VARS" >"$work/vars.json"
printf '%s\n' "${KNOWN_HOSTS:-}" >"$work/known_hosts"
# Where its configuration and roles are.
cd -- "${PLAYBOOK%/*}/" || leave 4 no-playbook "cannot go to ${PLAYBOOK%/*}"
check=
[ "$MODE" = change ] || check=--check
LC_ALL=C.UTF-8 ANSIBLE_NOCOLOR=1 ANSIBLE_FORCE_COLOR=0 ANSIBLE_STDOUT_CALLBACK=default ANSIBLE_RETRY_FILES_ENABLED=0 \
    ANSIBLE_HOST_KEY_CHECKING=True ANSIBLE_LOCALHOST_WARNING=False \
    "$ANSIBLE" --inventory "$work/inventory.json" --limit "$HOST" --forks 1 --diff ${check:+"$check"} \
    --extra-vars "@$work/vars.json" "$@" -- "$PLAYBOOK" >"$work/said" 2>&1
status=$?
cat "$work/said"
# HOST : ok=2 changed=1 unreachable=0 failed=0 ...
recap=$(sed -n '/^PLAY RECAP/,$p' "$work/said" | awk -v host="$HOST" '$1 == host && $2 == ":"' | tail -n 1)
count() {
    printf '%s\n' "$recap" | tr ' ' '\n' | sed -n "s/^$1=\([0-9]*\)$/\1/p"
}
words_of() {
    { grep -E '^(fatal|ERROR!|\[ERROR\]|error)' "$work/said" || tail -n 5 "$work/said"; } | one_line
}
changed=$(count changed)
fact changed "${changed:-0}"
# Without a line for the host nothing was run there: the playbook does not parse, or is not for this host.
if [ -z "$recap" ]; then
    if [ "$status" -eq 0 ]; then leave 4 no-host-matched "no task of the playbook is for $HOST"; fi
    leave 4 ansible-refused "ansible-playbook ended with $status: $(words_of)"
fi
if [ "$(count unreachable)" != 0 ]; then
    # Gathering facts comes first: where that was not possible, nothing was done.
    if [ "$(count ok)" = 0 ] && [ "$changed" = 0 ] && [ "$(count failed)" = 0 ]; then leave 75 unreachable "$(words_of)"; fi
    leave 1 unreachable "$(words_of)"
fi
[ "$status" -eq 0 ] && [ "$(count failed)" = 0 ] || leave 1 ansible-failed "ansible-playbook ended with $status: $(words_of)"
[ "$MODE" != hold ] || [ "$changed" = 0 ] || leave 1 not-fixed "the playbook would still change $changed things"
exit 0
