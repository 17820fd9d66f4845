# Waits until the watch in the folder $1 is due or disarmed. What has fired is never disarmed, and the other way round.
# A disk without room for a mark may have some later: nothing but its end ends it.
umask 077
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
HOME=${HOME:-/root}
export LC_ALL PATH HOME
cd "$1" || exit 1
exec 8>>guard 9>>lock
# Who looks whether somebody is here holds it for a moment.
flock -w 5 8 || exit 0

left() {
  read -r up rest </proc/uptime && read -r due <due && echo $((due - ${up%%.*}))
}

# On disk before anything follows from it.
until [ -e fired ] && sync fired .; do
  if [ -e disarmed ] || [ ! -e guard ]; then exit 0; fi
  wait=$(left) || wait=5
  if [ "$wait" -le 0 ]; then
    flock 9
    # Somebody may have renewed or disarmed it meanwhile.
    wait=$(left) || wait=5
    if [ "$wait" -le 0 ]; then
      wait=0
      [ -e disarmed ] || { true >fired && sync fired .; } || wait=5
    fi
    flock -u 9
  fi
  # Short, so that a watch that is disarmed leaves soon.
  [ "$wait" -lt 5 ] || wait=5
  sleep "$wait" 8>&- 9>&-
done
exec 9>&-

[ ! -e rc ] || exit 0
tries=0
while :; do
  # The lock of the host keeps it from a restore of the controller's that still runs: that is waited for.
  /bin/sh restore </dev/null >out 2>err 8>&-
  code=$?
  tries=$((tries + 1))
  if [ "$code" = 0 ] || [ "$tries" -ge 5 ]; then break; fi
  sleep 10 8>&-
done
until printf '%s\n' "$code" >rc.new && sync rc.new && mv rc.new rc; do sleep 5 8>&-; done
sync .
