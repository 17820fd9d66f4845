# A watch is a folder below /var/lib/switchback/watches, readable by root only:
#   MARK/{restore,runner,due,guard,lock} while it is armed, and then one of the marks that say how it ended:
#   disarmed, or fired with {out,err,rc} of its restore.
# What is restored is told by the arguments, a line each. `lock` is held for a decision, `guard` by the runner for as
# long as it lives. `due` is a time of /proc/uptime.
command -v flock >/dev/null || refuse "flock is not installed here"
command -v setsid >/dev/null || refuse "setsid is not installed here"
watches=/var/lib/switchback/watches
here=$watches/$MARK

seconds() {
  read -r up rest </proc/uptime && printf '%s\n' "${up%%.*}"
}

# Before anything follows from it.
mark() {
  : >"$here/$1" && sync "$here/$1" "$here"
}

renewed() {
  printf '%s\n' $(($(seconds) + AFTER)) >"$here/due.new" && sync "$here/due.new" && mv "$here/due.new" "$here/due"
}

# Starts the runner, unless it lives: it ends with its machine, and with nothing else.
launch() {
  flock -n -s "$here/guard" true || return 0
  # A unit of its own outlives the session, and what an upgrade restarts.
  if [ -d /run/systemd/system ] &&
    systemd-run --quiet --collect --property=KillMode=process /bin/sh "$here/runner" "$here" 9>&- </dev/null >/dev/null 2>&1
  then :; else
    setsid /bin/sh "$here/runner" "$here" 9>&- </dev/null >/dev/null 2>&1 &
  fi
  tries=0
  while [ ! -e "$here/rc" ] && flock -n -s "$here/guard" true; do
    [ "$tries" -lt 50 ] || fail "the watch does not start"
    sleep 0.1
    tries=$((tries + 1))
  done
}

# Removes what earlier watches have left for people to read.
tidy() {
  for old in "$watches"/*/; do
    if [ -e "$old/disarmed" ] || [ -e "$old/rc" ]; then
      [ -z "$(find "$old" -prune -mtime +30 2>/dev/null)" ] || rm -rf "$old"
    fi
  done
  find "$watches" -maxdepth 1 -name '.new.*' -mmin +60 -exec rm -rf {} + 2>/dev/null
}

if [ "$OP" = arm ] && [ ! -e "$here" ]; then
  mkdir -p "$watches" && chmod 700 "$watches" || refuse "cannot make $watches"
  tidy
  # A folder that appears whole or not at all.
  new=$(mktemp -d "$watches/.new.XXXXXX") || refuse "cannot write to $watches"
  if printf '%s\n' "$@" >"$new/restore" && runner >"$new/runner" && : >"$new/lock" &&
    : >"$new/guard" && echo $(($(seconds) + AFTER)) >"$new/due" && sync "$new"/* "$new"
  then
    mv -T "$new" "$here" 2>/dev/null || rm -rf "$new"
    sync "$watches"
  else
    rm -rf "$new"
    refuse "cannot write to $watches"
  fi
fi
[ -e "$here/lock" ] || refuse "there is no such watch"
exec 9>>"$here/lock"
flock -w 30 9 || refuse "the watch does not answer"
if [ ! -e "$here/fired" ] && [ ! -e "$here/disarmed" ]; then
  case $OP in
  arm | renew)
    renewed || fail "cannot write to $here"
    launch
    ;;
  disarm)
    mark disarmed || fail "cannot write to $here"
    rm -f "$here/restore" "$here/runner"
    ;;
  esac
fi
if [ -e "$here/disarmed" ]; then
  echo "watch disarmed"
elif [ ! -e "$here/fired" ]; then
  echo "watch armed"
elif [ ! -e "$here/rc" ]; then
  # A machine that went down in the middle of it: nobody else goes on.
  launch
  echo "watch goes-back"
elif [ "$(cat "$here/rc")" = 0 ]; then
  echo "watch went-back"
else
  echo "watch failed"
  echo "said $(tail -n 1 "$here/err")"
fi
