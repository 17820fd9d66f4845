# The domain $DOMAIN at $URI is a host. What is kept for it is a folder each below $BASE:
#   backup-MARK/{key,uuid,domain.xml,disks,whole,TARGET...}  restore-MARK/{of,copied,done}
# $DISKS are `TARGET FORMAT PATH|...` of the disks that are backed up, $OTHERS the targets of those that are not. Beside a disk there are PATH.switchback-new-BY and
# PATH.switchback-old-BY while a restore is under way: a disk and its copy must be in one file system.
command -v virsh >/dev/null || refuse "virsh is not installed here"
command -v qemu-img >/dev/null || refuse "qemu-img is not installed here"

v() {
  virsh -q -c "$URI" "$@"
}

# Whether a process may hold the disks.
is_up() {
  # Where libvirt does not answer, nobody knows.
  known=$(v list --all --name --uuid) || fail "libvirt does not answer"
  printf '%s\n' "$known" | tr -s ' ' '\n' | grep -qxF -- "$DOMAIN" || return 1
  state=$(v domstate "$DOMAIN") || fail "the state of $DOMAIN is not known"
  [ "$state" != "shut off" ]
}

is_whole() {
  [ -f "$BASE/backup-$1/whole" ]
}

backup_is_there() {
  backup=$BASE/backup-$MARK
  is_whole "$MARK" && [ "$(cat "$backup/uuid")" = "$UUID" ]
}

# Runs $1 TARGET FORMAT PATH for every disk of a list.
each() {
  while read -r target format path; do
    [ -n "$target" ] || continue
    "$1" "$target" "$format" "$path" || return 1
  done
}

has_room() {
  qemu-img info -U -f "$2" "$3" >/dev/null 2>&1 || refuse "the disk $1 cannot be read: $3"
}

order() {
  printf "<disk name='%s' backup='yes' type='file'><driver type='qcow2'/><target file='%s/%s'/></disk>\n" "$1" "$backup" "$1"
}

copy() {
  qemu-img convert -f "$2" -O qcow2 "$3" "$backup/$1" >&2
}

# A backup that was begun and not finished: it is not known what is in it.
drop() {
  if v backup-dumpxml "$DOMAIN" 2>/dev/null | grep -qF "$1/"; then v domjobabort "$DOMAIN" >&2; fi
  rm -rf "$1"
}

# The job goes on in the hypervisor, whoever waits for it.
wait_for_job() {
  while v backup-dumpxml "$DOMAIN" 2>/dev/null | grep -qF "$backup/"; do sleep 1; done
  # Told once, and only of a job that came to its end.
  v domjobinfo --completed "$DOMAIN" 2>/dev/null | grep -q '^Job type: *Completed'
}

case $OP in
look | verify | list) ;;
*)
  # QEMU writes there as a user of its own: it may go in, and nobody may look around.
  (umask 066 && mkdir -p "$BASE") && chmod 711 "$BASE" || refuse "cannot make $BASE"
  alone "$BASE/lock"
  ;;
esac

case $OP in
look)
  v domuuid "$DOMAIN" >/dev/null || refuse "there is no domain $DOMAIN"
  v dominfo "$DOMAIN" | grep -q '^Persistent: *yes' || refuse "$DOMAIN is not defined: stopped, it would be gone"
  [ "$(v domblklist "$DOMAIN")" = "$(v domblklist --inactive "$DOMAIN")" ] ||
    refuse "the disks with which $DOMAIN runs are not those with which it is defined"
  [ -z "$(v snapshot-list --name "$DOMAIN")" ] ||
    refuse "$DOMAIN has snapshots of its own, which a restore would break: delete them first"
  v dumpxml --inactive "$DOMAIN" || refuse "$DOMAIN cannot be read"
  ;;
find)
  if is_whole "$MARK"; then echo "uuid $(cat "$BASE/backup-$MARK/uuid")"; fi
  ;;
backup)
  backup=$BASE/backup-$MARK
  if ! is_whole "$MARK"; then
    drop "$backup"
    mkdir -m 711 "$backup" || refuse "cannot make $backup"
    printf '%s\n' "$KEY" >"$backup/key"
    cat /proc/sys/kernel/random/uuid >"$backup/uuid"
    printf '%s\n' "$DISKS" | tr '|' '\n' >"$backup/disks"
    v dumpxml --inactive --security-info "$DOMAIN" >"$backup/domain.xml" || refuse "$DOMAIN cannot be read"
    each has_room <"$backup/disks" || exit 4
    if is_up; then
      {
        echo "<domainbackup mode='push'><disks>"
        for other in $OTHERS; do echo "<disk name='$other' backup='no'/>"; done
        each order <"$backup/disks"
        echo "</disks></domainbackup>"
      } >"$backup/order.xml"
      # What is told of an earlier job must not be taken for news of this one.
      v domjobinfo --completed "$DOMAIN" >/dev/null 2>&1
      v backup-begin "$DOMAIN" "$backup/order.xml" >&2 || { drop "$backup"; refuse "the backup could not be begun"; }
    else
      each copy <"$backup/disks" || { drop "$backup"; refuse "the disks could not be copied"; }
      true >"$backup/copied" || refuse "cannot write $backup"
    fi
  fi
  ;;
esac

case $OP in
discard)
  is_whole "$MARK" || drop "$BASE/backup-$MARK"
  ;;
confirm | backup)
  backup=$BASE/backup-$MARK
  # Services are held still no longer than it takes to begin; the copy is of that moment.
  if ! is_whole "$MARK" && [ "$OP-${FROZEN:-no}" != backup-yes ]; then
    [ -d "$backup" ] || refuse "the backup was not begun"
    if [ ! -e "$backup/copied" ] && ! wait_for_job; then
      drop "$backup"
      refuse "the backup did not come to its end"
    fi
    sync "$backup"/* && true >"$backup/whole" && sync "$backup" || refuse "cannot write $backup"
  fi
  echo "uuid $(cat "$backup/uuid")"
  ;;
verify)
  backup_is_there || refuse "the backup does not exist"
  check() {
    qemu-img check -q -f qcow2 "$backup/$1" >&2 || refuse "the copy of disk $1 is damaged"
  }
  each check <"$backup/disks" || exit 4
  ;;
restore)
  backup_is_there || refuse "the backup does not exist"
  here=$BASE/restore-$BY
  if [ ! -e "$here/done" ]; then
    # Before the host is stopped: it is away for no longer than it must.
    put_beside() {
      new=$3.switchback-new-$BY
      qemu-img convert -f qcow2 -O "$2" "$backup/$1" "$new" >&2 || return 1
      if [ -e "$3" ]; then chown --reference="$3" "$new" && chmod --reference="$3" "$new"; else chmod 600 "$new"; fi &&
        sync "$new"
    }
    put_in_place() {
      new=$3.switchback-new-$BY
      old=$3.switchback-old-$BY
      [ -e "$new" ] || return 0
      if [ -e "$3" ] && [ ! -e "$old" ]; then mv "$3" "$old" || return 1; fi
      mv "$new" "$3" && sync "${3%/*}"
    }
    if [ ! -e "$here/copied" ]; then
      mkdir -p "$here" && printf '%s\n' "$MARK" >"$here/of" || refuse "cannot make $here"
      each put_beside <"$backup/disks" || refuse "the disks could not be copied"
      true >"$here/copied" || refuse "cannot write $here"
    fi
    if is_up; then
      v shutdown "$DOMAIN" >&2
      waited=0
      while is_up && [ $waited -lt "$LIMIT" ]; do
        sleep 1
        waited=$((waited + 1))
      done
      # What it has not written by now is about to be replaced.
      if is_up; then v destroy "$DOMAIN" >&2; fi
      if is_up; then fail "$DOMAIN cannot be stopped"; fi
    fi
    each put_in_place <"$backup/disks" || fail "a disk could not be put in its place"
    v define "$backup/domain.xml" >&2 || fail "$DOMAIN could not be defined as it was"
  fi
  # Memory that was saved before is not of these disks.
  if ! is_up; then v start --force-boot "$DOMAIN" >&2 || fail "$DOMAIN does not start"; fi
  true >"$here/done" || fail "the host is back, but $here/done cannot be written"
  forget() {
    rm -f "$3.switchback-old-$BY"
  }
  each forget <"$backup/disks" || fail "what was replaced could not be deleted"
  ;;
delete)
  [ -d "$BASE/backup-$MARK" ] || exit 0
  [ "$(cat "$BASE/backup-$MARK/uuid")" = "$UUID" ] || refuse "another backup stands in place of this one"
  for marker in "$BASE"/restore-*/of; do
    if [ "$(cat "$marker" 2>/dev/null)" = "$MARK" ] && [ -e "${marker%/of}/done" ]; then rm -rf "${marker%/of}"; fi
  done
  # First the word that it is whole: half of it must not be taken for one.
  rm -f "$BASE/backup-$MARK/whole" && rm -rf "$BASE/backup-$MARK" || fail "the backup could not be deleted"
  ;;
list)
  for backup in "$BASE"/backup-*; do
    [ -f "$backup/key" ] || continue
    of=${backup##*/backup-}
    echo "$of:$(cat "$backup/uuid") $(cat "$backup/key")"
  done
  ;;
esac
