# A watch is a folder below /var/lib/switchback/watches, readable by root only:
#   MARK/{key,of,restore,runner,due,guard,lock} while it is armed, and then one of the marks that say how it ended:
#   disarmed, or fired with {out,err,rc} of its restore.
# What is restored is told by the arguments, a line each; `of` tells of which host. `lock` is held for a decision, `guard`
# by the runner for as long as it lives. `due` is a time of /proc/uptime.
command -v flock >/dev/null || refuse "flock is not installed here"
command -v setsid >/dev/null || refuse "setsid is not installed here"
watches=/var/lib/switchback/watches
here=$watches/$MARK

seconds() {
  read -r up rest </proc/uptime && printf '%s\n' "${up%%.*}"
}

# Before anything follows from it.
mark() {
  true >"$here/$1" && sync "$here/$1" "$here"
}

renewed() {
  printf '%s\n' $(($(seconds) + AFTER)) >"$here/due.new" && sync "$here/due.new" && mv "$here/due.new" "$here/due"
}

ended() {
  [ -e "$1/disarmed" ] || [ -e "$1/rc" ]
}

# Whether the runner of the watch in $1 lives. That it cannot be told is not that it does.
lives() {
  flock -n -s -E 99 "$1/guard" true
  case $? in
  0) return 1 ;;
  99) return 0 ;;
  *) fail "it is not known whether $1 is watched" ;;
  esac
}

# Starts the runner, unless it lives: it ends with its machine, and with nothing else.
launch() {
  if lives "$here"; then return; fi
  # A unit of its own outlives the session, and what an upgrade restarts. One whose watch was ended has nothing to run.
  # shellcheck disable=SC2016
  if [ -d /run/systemd/system ] &&
    systemd-run --quiet --collect --property=KillMode=process --property=Restart=on-failure --property=RestartSec=5 \
      /bin/sh -c '[ ! -e "$1/runner" ] || exec /bin/sh "$1/runner" "$1"' sh "$here" 9>&- </dev/null >/dev/null 2>&1
  then :; else
    setsid /bin/sh "$here/runner" "$here" 9>&- </dev/null >/dev/null 2>&1 &
  fi
  tries=0
  while [ ! -e "$here/rc" ] && ! lives "$here"; do
    [ "$tries" -lt 50 ] || fail "the watch does not start"
    sleep 0.1
    tries=$((tries + 1))
  done
}

# Removes what earlier watches have left for people to read, and those that nobody has renewed since their machine went
# down: none of them is renewed for a month.
tidy() {
  for old in "$watches"/*/; do
    [ -n "$(find "$old" -prune -mtime +30 2>/dev/null)" ] || continue
    if ended "$old" || [ ! -e "$old/guard" ] || ! lives "$old"; then rm -rf "$old"; fi
  done
  find "$watches" -maxdepth 1 -name '.new.*' -mmin +60 -exec rm -rf {} + 2>/dev/null
}

# Two that watch one host would put it back in turn.
another() {
  for at in "$watches"/*/; do
    at=${at%/}
    if [ "$(cat "$at/of" 2>/dev/null)" = "$OF" ] && ! ended "$at"; then
      echo "watch another"
      echo "said $(cat "$at/key") in $at"
      return
    fi
  done
  return 1
}

if [ "$OP" != renew ] && [ ! -e "$here" ]; then
  mkdir -p "$watches" && chmod 700 "$watches" && true >>"$watches/.lock" || refuse "cannot write to $watches"
  exec 9>>"$watches/.lock"
  flock -w 30 9 || refuse "the watch does not answer"
  tidy
  if [ "$OP" = arm ] && another; then exit 0; fi
  # A folder that appears whole or not at all. What is disarmed before it was armed stays so: the call may come late.
  # Files of the runner's, so that a disk without room does not keep it from its restore.
  new=$(mktemp -d "$watches/.new.XXXXXX") || refuse "cannot write to $watches"
  if printf '%s\n' "$@" >"$new/restore" && runner >"$new/runner" && printf '%s\n' "$KEY" >"$new/key" &&
    printf '%s\n' "$OF" >"$new/of" && touch "$new/lock" "$new/guard" "$new/out" "$new/err" &&
    echo $(($(seconds) + AFTER)) >"$new/due" && { [ "$OP" = arm ] || true >"$new/disarmed"; } && sync "$new"/* "$new"
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
