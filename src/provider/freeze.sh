# $OP $MARK $FREEZE $THAW $LIMIT $HOLD
if [ "$(id -u)" = 0 ]; then
  run=/run/switchback-freeze
else
  run=${XDG_RUNTIME_DIR:-/tmp}/switchback-freeze-$(id -u)
fi
# In memory: nothing can be written to a file system that is frozen.
mkdir -p "$run" || refuse "cannot make $run"
[ -O "$run" ] && [ ! -L "$run" ] || refuse "$run is not a folder of this user"
marker=$run/$MARK

case $OP in
freeze)
  true >"$marker" || refuse "cannot write $marker"
  # Whoever froze it may be gone before it is thawed.
  setsid sh -c 'sleep "$1"; mv "$2" "$2.late" || exit 0; eval "timeout -k 10 $3 $4"' \
    sh "$HOLD" "$marker" "$LIMIT" "$THAW" </dev/null >/dev/null 2>&1 &
  if ! user "$FREEZE"; then
    user "$THAW"
    rm -f "$marker"
    refuse "the command that freezes it has failed"
  fi
  ;;
thaw)
  done=no
  for pause in 1 2 4 0; do
    if user "$THAW"; then
      done=yes
      break
    fi
    sleep "$pause"
  done
  [ $done = yes ] || fail "the command that thaws it has failed"
  if rm "$marker" 2>/dev/null; then
    echo state in-time
  else
    rm -f "$marker.late"
    echo state late
  fi
  ;;
settle)
  # A controller that is gone may have left it frozen.
  if [ -e "$marker" ]; then
    user "$THAW" || fail "the command that thaws it has failed"
    rm -f "$marker"
  fi
  ;;
esac
