# What is kept for a host is a folder each below $BASE:
#   backup-MARK/{key,root,whole}  clone-MARK/{key,root,host_key}  original-MARK/{key,root,done}  restore-MARK/{of,root,old,done}
# A subvolume appears and moves in one step: where `root` is, it is whole.

# Parts of a system that are subvolumes of their own where systemd has made them so, and hold nothing to keep.
disposable="tmp var/tmp var/lib/machines var/lib/portables"

# Whether $2 is a directory below $1 that is reached without a symbolic link: what stands in a host's root is that
# host's word, and must not lead root of this machine out of it.
inside() {
  at=$1
  rest=$2
  while [ -d "$at" ] && [ ! -L "$at" ]; do
    [ -n "$rest" ] || return 0
    at=$at/${rest%%/*}
    case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
  done
  return 1
}

is_subvolume() {
  [ -d "$1" ] && [ ! -L "$1" ] && [ "$(stat -f -c %T "$1")" = btrfs ] && [ "$(stat -c %i "$1")" = 256 ]
}

shown() {
  btrfs subvolume show "$1" 2>/dev/null | sed -n "s/^[[:space:]]*$2:[[:space:]]*//p" | head -n 1
}

# Deletes a subvolume with the disposable ones in it; one that is gone is no error.
drop() {
  [ -e "$1" ] || return 0
  if is_subvolume "$1"; then
    for part in $disposable; do
      if inside "$1" "$part" && is_subvolume "$1/$part"; then btrfs subvolume delete "$1/$part" >&2; fi
    done
    btrfs subvolume delete "$1" >&2
  else
    rmdir "$1"
  fi
}

# What was a subvolume of its own is a stub in a snapshot, in which nothing can be made.
plain() {
  for part in $disposable; do
    if inside "$1" "$part" && [ "$(stat -c %i "$1/$part")" = 2 ]; then
      mode=755
      case $part in *tmp) mode=1777 ;; esac
      rmdir "$1/$part" && mkdir "$1/$part" && chown --reference="$1" "$1/$part" && chmod $mode "$1/$part" || return 1
    fi
  done
}

# What a snapshot would leave out.
check_nested() {
  own=$(btrfs subvolume show "$SUBVOLUME" | head -n 1) || refuse "$SUBVOLUME is no btrfs subvolume"
  btrfs subvolume list -o "$SUBVOLUME" | sed 's/^ID [0-9]* gen [0-9]* top level [0-9]* path //' | {
    while IFS= read -r path; do
      part=${path#"$own"/}
      case " $disposable " in
      *" $part "*)
        case $part in *tmp) continue ;; esac
        inside "$SUBVOLUME" "$part" && [ -z "$(ls -A "$SUBVOLUME/$part")" ] && continue
        ;;
      esac
      refuse "the subvolume $path in it would not be in a snapshot: make it a directory, or mount it from elsewhere"
    done
  } || exit 4
}

# Subvolumes move between folders of one mount only; `mv` would copy them otherwise.
check_place() {
  command -v btrfs >/dev/null || refuse "btrfs is not installed here"
  mkdir -p "$BASE" || refuse "cannot make $BASE"
  [ "$(findmnt -n -o TARGET -T "$BASE")" = "$(findmnt -n -o TARGET -T "${SUBVOLUME%/*}/")" ] &&
    [ "$(findmnt -n -o TARGET -T "$SUBVOLUME/")" != "$SUBVOLUME" ] ||
    refuse "$SUBVOLUME and $BASE must be in one mounted btrfs, and neither a mount point"
}

keep() {
  mkdir -p "$1" && printf '%s\n' "$KEY" >"$1/key" && sync "$1/key" || refuse "cannot write $1"
}

forget() {
  # systemd-nspawn leaves a lock beside a root.
  rm -f "$1/.#root.lck" "$1/key" "$1/whole" "$1/host_key" "$1/said" "$1/of" "$1/done"
  [ ! -e "$1" ] || rmdir "$1"
}

backup_is_there() {
  [ -e "$BASE/backup-$MARK/root" ] && [ "$(shown "$BASE/backup-$MARK/root" UUID)" = "$UUID" ]
}

# A machine of its own: id, name and keys that nobody else has.
own_identity() {
  inside "$1" etc && inside "$1" etc/ssh || refuse "etc/ssh of the host is no directory without symbolic links"
  command -v ssh-keygen >/dev/null || refuse "ssh-keygen is not installed here"
  rm -f "$1/etc/machine-id" "$1/etc/hostname" || return 1
  tr -d - </proc/sys/kernel/random/uuid >"$1/etc/machine-id" && chmod 444 "$1/etc/machine-id" || return 1
  printf '%s\n' "$NAME" >"$1/etc/hostname" && chmod 644 "$1/etc/hostname" || return 1
  if inside "$1" var/lib/dbus && [ -e "$1/var/lib/dbus/machine-id" ]; then
    rm -f "$1/var/lib/dbus/machine-id" && ln -s /etc/machine-id "$1/var/lib/dbus/machine-id" || return 1
  fi
  if inside "$1" var/lib/systemd; then rm -f "$1/var/lib/systemd/random-seed"; fi
  kinds=
  for kind in ed25519 ecdsa rsa; do
    if [ -e "$1/etc/ssh/ssh_host_${kind}_key" ]; then kinds="$kinds $kind"; fi
  done
  rm -f "$1"/etc/ssh/ssh_host_*
  first=
  for kind in ${kinds:-ed25519}; do
    ssh-keygen -q -t "$kind" -N '' -C '' -f "$1/etc/ssh/ssh_host_${kind}_key" </dev/null >&2 || return 1
    chmod 644 "$1/etc/ssh/ssh_host_${kind}_key.pub"
    : "${first:=$1/etc/ssh/ssh_host_${kind}_key.pub}"
  done
  # Root of a user namespace is somebody else here.
  chown --reference="$1/etc" "$1/etc/machine-id" "$1/etc/hostname" "$1"/etc/ssh/ssh_host_* || return 1
  cut -d ' ' -f 1,2 "$first" >"$2"
}

# The identity of $1 for $2.
take_identity() {
  for root in "$1" "$2"; do
    inside "$root" etc && inside "$root" etc/ssh || fail "etc/ssh in $root is no directory without symbolic links"
  done
  rm -f "$2/etc/machine-id" "$2/etc/hostname" "$2"/etc/ssh/ssh_host_*
  for file in "$1/etc/machine-id" "$1/etc/hostname"; do
    [ ! -f "$file" ] || cp -a "$file" "$2/etc/" || return 1
  done
  for file in "$1"/etc/ssh/ssh_host_*; do
    cp -a "$file" "$2/etc/ssh/" || return 1
  done
}

# Marks $1 as done and starts the host, which a disk without room for the mark must not keep down.
end_with_host() {
  [ -e "$1/done" ] || { true >"$1/done" && sync -f "$1"; }
  marked=$?
  user "$START" 9>&- || fail "the command that starts it has failed"
  [ $marked = 0 ] || fail "the host is back, but $1/done cannot be written"
}

case $OP in
find | verify | list) ;;
*)
  check_place
  alone "$BASE/lock"
  ;;
esac

case $OP in
find)
  here=$BASE/backup-$MARK
  if [ -e "$here/root" ] && [ -e "$here/whole" ]; then echo "uuid $(shown "$here/root" UUID)"; fi
  ;;
backup)
  here=$BASE/backup-$MARK
  is_subvolume "$SUBVOLUME" || refuse "$SUBVOLUME is no btrfs subvolume"
  if [ ! -e "$here/root" ] || [ ! -e "$here/whole" ]; then
    check_nested
    drop "$here/root" || refuse "cannot delete $here/root"
    keep "$here"
    if ! btrfs subvolume snapshot -r "$SUBVOLUME" "$here/root" >&2; then
      forget "$here"
      refuse "the snapshot could not be made"
    fi
    # What is made while services are held still is whole only when they were to the end.
    [ "$FROZEN" = yes ] || true >"$here/whole" || refuse "cannot write $here"
  fi
  echo "uuid $(shown "$here/root" UUID)"
  ;;
discard)
  here=$BASE/backup-$MARK
  if [ -e "$here" ] && [ ! -e "$here/whole" ]; then drop "$here/root" && forget "$here" || fail "cannot delete $here"; fi
  ;;
confirm)
  [ -e "$BASE/backup-$MARK/root" ] || refuse "there is no such backup"
  true >"$BASE/backup-$MARK/whole" || refuse "cannot write $BASE/backup-$MARK"
  ;;
verify)
  root=$BASE/backup-$MARK/root
  is_subvolume "$root" || refuse "the backup does not exist"
  [ "$(shown "$root" UUID)" = "$UUID" ] || refuse "another subvolume stands in place of the backup"
  case $(shown "$root" Flags) in *readonly*) ;; *) refuse "the backup can be written to" ;; esac
  inside "$root" etc && inside "$root" usr || refuse "the backup holds no system"
  ;;
restore)
  here=$BASE/restore-$BY
  backup_is_there || refuse "the backup does not exist"
  if [ ! -e "$here/done" ]; then
    mkdir -p "$here" && printf '%s\n' "$MARK" >"$here/of" || refuse "cannot write $here"
    if [ ! -e "$here/old" ]; then
      if [ ! -e "$here/root" ]; then
        btrfs subvolume snapshot "$BASE/backup-$MARK/root" "$here/root" >&2 || refuse "cannot copy the backup"
      fi
      plain "$here/root" || refuse "cannot make the backup ready"
      user "$STOP" || fail "the command that stops it has failed"
      if [ -e "$SUBVOLUME" ]; then
        mv -T "$SUBVOLUME" "$here/old" || fail "cannot move $SUBVOLUME aside"
      else
        mkdir "$here/old"
      fi
    fi
    [ ! -e "$here/root" ] || mv -T "$here/root" "$SUBVOLUME" || fail "cannot put the backup in its place"
  fi
  end_with_host "$here"
  drop "$here/old" || fail "what was replaced could not be deleted: $here/old"
  ;;
delete)
  here=$BASE/backup-$MARK
  [ -e "$here" ] || exit 0
  [ ! -e "$here/root" ] || backup_is_there || refuse "another subvolume stands in place of the backup"
  drop "$here/root" && forget "$here" || fail "cannot delete $here"
  for made in "$BASE"/restore-*; do
    if [ -e "$made/of" ] && [ ! -e "$made/old" ] && [ "$(cat "$made/of")" = "$MARK" ]; then
      drop "$made/root" && forget "$made" || fail "cannot delete $made"
    fi
  done
  ;;
clone)
  here=$BASE/clone-$BY
  if [ ! -e "$here/root" ]; then
    backup_is_there || refuse "the backup does not exist"
    keep "$here"
    drop "$here/new" || refuse "cannot delete $here/new"
    btrfs subvolume snapshot "$BASE/backup-$MARK/root" "$here/new" >&2 && plain "$here/new" ||
      refuse "cannot copy the backup"
    own_identity "$here/new" "$here/host_key" || refuse "the clone could not be given an identity of its own"
    sync -f "$here"
    mv -T "$here/new" "$here/root" || refuse "cannot name the clone"
  fi
  (eval "timeout -k 10 $LIMIT $START_CLONE") </dev/null >"$here/said" 9>&- ||
    fail "the command that starts a clone has failed"
  echo "address $(sed '/^[[:space:]]*$/d' "$here/said" | tail -n 1)"
  echo "host_key $(cat "$here/host_key")"
  ;;
destroy)
  here=$BASE/clone-$MARK
  [ -e "$here" ] || exit 0
  if [ -e "$here/root" ]; then user "$STOP_CLONE" || fail "the command that stops a clone has failed"; fi
  drop "$here/root" && drop "$here/new" && forget "$here" || fail "cannot delete $here"
  ;;
promote)
  from=$BASE/clone-$MARK
  here=$BASE/original-$BY
  if [ ! -e "$here/done" ]; then
    if [ ! -e "$here/root" ]; then
      is_subvolume "$from/root" || refuse "there is no such clone"
      is_subvolume "$SUBVOLUME" || refuse "$SUBVOLUME is no btrfs subvolume"
      user "$STOP_CLONE" || fail "the command that stops a clone has failed"
      user "$STOP" || fail "the command that stops it has failed"
      take_identity "$SUBVOLUME" "$from/root" || fail "the clone could not be given the identity of its host"
      keep "$here"
      sync -f "$here"
      mv -T "$SUBVOLUME" "$here/root" || fail "cannot move $SUBVOLUME aside"
    fi
    [ ! -e "$from/root" ] || mv -T "$from/root" "$SUBVOLUME" || fail "cannot put the clone in its place"
    forget "$from"
  fi
  end_with_host "$here"
  ;;
release)
  here=$BASE/original-$MARK
  [ -e "$here" ] || exit 0
  drop "$here/root" && forget "$here" || fail "cannot delete $here"
  ;;
list)
  for here in "$BASE"/backup-* "$BASE"/clone-* "$BASE"/original-*; do
    [ -e "$here/key" ] || continue
    read -r key <"$here/key"
    name=${here##*/}
    case $name in
    backup-*) if [ -e "$here/root" ]; then echo "backup ${name#*-}:$(shown "$here/root" UUID) $key"; fi ;;
    # Also one that was not finished: it is to be destroyed.
    clone-*) echo "clone ${name#*-} $key" ;;
    original-*) if [ -e "$here/root" ]; then echo "original ${name#*-} $key"; fi ;;
    esac
  done
  ;;
esac
