# Waits until the watch in the folder $1 is due or disarmed. What has fired is never disarmed, and the other way round.
umask 077
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
HOME=${HOME:-/root}
export LC_ALL PATH HOME
cd "$1" || exit 1
exec 8>>guard
# Who looks whether somebody is here holds it for a moment.
flock -w 5 8 || exit 0

left() {
  read -r up rest </proc/uptime && read -r due <due && echo $((due - ${up%%.*}))
}

while [ ! -e fired ]; do
  [ ! -e disarmed ] || exit 0
  wait=$(left) || exit 1
  if [ "$wait" -gt 0 ]; then
    # Short, so that a watch that is disarmed leaves soon.
    [ "$wait" -lt 5 ] || wait=5
    sleep "$wait" 8>&-
    continue
  fi
  exec 9>>lock
  flock 9
  # Somebody may have renewed or disarmed it meanwhile.
  if [ ! -e disarmed ] && [ "$(left)" -le 0 ]; then
    : >fired && sync fired . || exit 1
  fi
  exec 9>&-
done

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
printf '%s\n' "$code" >rc.new && sync rc.new && mv rc.new rc
sync .
