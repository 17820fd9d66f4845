# A host's disk is the thin volume $VOLUME of the volume group $GROUP. What is kept for it are thin snapshots in that
# group, told by tags: switchback.host=NAME, switchback.key=KEY; the volume that a restore has put in place bears
# switchback.restored=BY. Names: switchback_backup_MARK, switchback_new_BY, switchback_old_BY.
export LVM_SUPPRESS_FD_WARNINGS=1
command -v lvs >/dev/null || refuse "LVM is not installed here"

# Columns of one volume, with | between; fails when it is not there.
columns() {
  lvs --noheadings --separator '|' -o "$2" "$GROUP/$1" 2>/dev/null | sed 's/^ *//; s/ *$//' | grep .
}

exists() {
  columns "$1" lv_name >/dev/null
}

tagged() {
  case ",$(columns "$1" lv_tags)," in *",$2,"*) return 0 ;; esac
  return 1
}

backup_is_there() {
  [ "$(columns "switchback_backup_$MARK" lv_uuid)" = "$UUID" ] &&
    tagged "switchback_backup_$MARK" "switchback.host=$NAME"
}

case $OP in
verify | list) ;;
*)
  run=/run/switchback-lvm
  mkdir -p "$run" || refuse "cannot make $run"
  alone "$run/$GROUP-$VOLUME.lock"
  ;;
esac

case $OP in
find | backup)
  backup=switchback_backup_$MARK
  [ "$(columns "$VOLUME" segtype)" = thin ] || refuse "$GROUP/$VOLUME is no thin volume"
  # What is made while services are held still is whole only when they were to the end.
  if exists "$backup" && ! tagged "$backup" switchback.whole && [ "$OP" = backup ]; then
    lvremove --yes "$GROUP/$backup" >&2 || refuse "cannot delete $backup"
  fi
  if ! exists "$backup"; then
    [ "$OP" = backup ] || exit 0
    whole=
    [ "$FROZEN" = yes ] || whole="--addtag switchback.whole"
    # shellcheck disable=SC2086
    lvcreate --snapshot --permission r --setactivationskip y --addtag "switchback.host=$NAME" \
      --addtag "switchback.key=$KEY" $whole --name "$backup" "$GROUP/$VOLUME" >&2 ||
      refuse "the snapshot could not be made"
  fi
  if [ "$OP" = backup ] || tagged "$backup" switchback.whole; then echo "uuid $(columns "$backup" lv_uuid)"; fi
  ;;
discard)
  backup=switchback_backup_$MARK
  if exists "$backup" && ! tagged "$backup" switchback.whole; then
    lvremove --yes "$GROUP/$backup" >&2 || fail "cannot delete $backup"
  fi
  ;;
confirm)
  lvchange --addtag switchback.whole "$GROUP/switchback_backup_$MARK" >&2 || refuse "the snapshot could not be tagged"
  ;;
verify)
  backup=switchback_backup_$MARK
  backup_is_there || refuse "the backup does not exist"
  # Health is told of volumes that have lost something, and of pools that are full.
  health=$(columns "$backup" lv_health_status)
  pool=$(columns "$backup" pool_lv)
  [ -z "$health" ] || refuse "the backup is damaged: $health"
  health=$(columns "$pool" lv_health_status)
  [ -z "$health" ] || refuse "its pool is damaged: $health"
  lvchange --yes --activate y --ignoreactivationskip "$GROUP/$backup" >&2 || refuse "the backup cannot be opened"
  dd if="/dev/$GROUP/$backup" of=/dev/null bs=1M count=16 2>/dev/null
  read=$?
  lvchange --yes --activate n "$GROUP/$backup" >&2
  [ $read = 0 ] || refuse "the backup cannot be read"
  ;;
restore)
  new=switchback_new_$BY
  old=switchback_old_$BY
  backup_is_there || refuse "the backup does not exist"
  if ! tagged "$VOLUME" "switchback.restored=$BY"; then
    if ! exists "$old"; then
      if ! exists "$new"; then
        lvcreate --snapshot --permission rw --setactivationskip n --addtag "switchback.restored=$BY" --name "$new" \
          "$GROUP/switchback_backup_$MARK" >&2 || refuse "cannot copy the backup"
      fi
      user "$STOP" || fail "the command that stops it has failed"
      if exists "$VOLUME"; then
        [ "$(columns "$VOLUME" lv_device_open)" != open ] || fail "$GROUP/$VOLUME is still in use"
        lvrename "$GROUP" "$VOLUME" "$old" >&2 || fail "cannot move $VOLUME aside"
      fi
    fi
    lvrename "$GROUP" "$new" "$VOLUME" >&2 || fail "cannot put the backup in its place"
  fi
  lvchange --yes --activate y "$GROUP/$VOLUME" >&2 || fail "cannot open $GROUP/$VOLUME"
  user "$START" 9>&- || fail "the command that starts it has failed"
  if exists "$old"; then lvremove --yes "$GROUP/$old" >&2 || fail "what was replaced could not be deleted: $old"; fi
  ;;
delete)
  exists "switchback_backup_$MARK" || exit 0
  backup_is_there || refuse "another volume stands in place of the backup"
  lvremove --yes "$GROUP/switchback_backup_$MARK" >&2 || fail "the backup could not be deleted"
  ;;
list)
  lvs --noheadings --separator '|' -o lv_name,lv_uuid,lv_tags "$GROUP" || refuse "cannot list $GROUP"
  ;;
esac
