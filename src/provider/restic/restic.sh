# Snapshots of ours bear a tag with their key: `switchback-key=` when they are whole, `switchback-half=` before.
# $RESTIC_REPOSITORY and $RESTIC_PASSWORD_FILE are restic's own. $PATHS and $EXCLUDES are quoted words.
command -v restic >/dev/null || refuse "restic is not installed here"
if [ -n "$ENVIRONMENT_FILE" ]; then
  [ -r "$ENVIRONMENT_FILE" ] || refuse "cannot read $ENVIRONMENT_FILE"
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in '' | '#'*) continue ;; esac
    # Never shown: it holds secrets.
    case ${line%%=*} in '' | "$line" | [0-9]* | *[!A-Za-z0-9_]*) refuse "a line of $ENVIRONMENT_FILE is not NAME=VALUE" ;; esac
    export "$line"
  done <"$ENVIRONMENT_FILE"
fi

state=${XDG_STATE_HOME:-}
if [ -z "$state" ]; then
  if [ "$(id -u)" = 0 ]; then state=/var/lib; else state=$HOME/.local/state; fi
fi
state=$state/switchback
mkdir -p "$state" || refuse "cannot make $state"
# What calls that were killed have left.
find "$state" -maxdepth 1 -name 'restic-*' -mtime +1 -exec rm -rf {} +
work=$(mktemp -d "$state/restic-XXXXXX") || refuse "cannot write $state"
trap 'rm -rf "$work"' EXIT

# restic, again while another host has locked the repository.
patient() {
  for pause in 2 5 10 20 30 60 60 0; do
    timeout -k 30 "$LIMIT" restic "$@" </dev/null 2>"$work/said"
    code=$?
    if [ $code = 0 ] || [ $pause = 0 ] || ! grep -q 'already locked' "$work/said"; then break; fi
    # Takes away locks whose owners are gone, and no others.
    restic unlock >/dev/null 2>&1
    sleep $pause
  done
  if [ $code != 0 ]; then tail -n 3 "$work/said" >&2; fi
  return $code
}

# The snapshots of this host with this tag. Quotes inside JSON texts are escaped: none looks like this.
with_tag() {
  patient snapshots --json --no-lock --host "$NAME" --tag "$1" >"$work/found" || return 1
  grep -o '"id":"[0-9a-f]\{64\}"' "$work/found" | cut -d '"' -f 4
}

# A snapshot of what is there now, with this tag. Never what this program itself keeps on the host.
snap() {
  repository=
  case $RESTIC_REPOSITORY in /*) repository=--exclude=$RESTIC_REPOSITORY ;; esac
  eval "patient backup --quiet --one-file-system --host \"\$NAME\" --tag \"\$1\" --exclude=\"\$state\" \
    --exclude=/var/lib/switchback \${repository:+\"\$repository\"} $EXCLUDES -- $PATHS" >&2
}

forget_tag() {
  for id in $(with_tag "$1"); do patient forget --quiet "$id" >&2; done
}

case $OP in
backup)
  alone "$state/restic.lock"
  whole=$(with_tag "switchback-key=$KEY") || refuse "the repository cannot be read"
  if [ -z "$whole" ]; then
    eval "set -- $PATHS"
    for path; do
      [ -e "$path" ] || [ -L "$path" ] || refuse "there is no $path here"
    done
    code=1
    # A file that vanished while it was read is not there the next time.
    for _ in 1 2 3; do
      forget_tag "switchback-half=$KEY"
      snap "switchback-half=$KEY"
      code=$?
      [ $code = 3 ] || break
    done
    if [ $code != 0 ]; then
      forget_tag "switchback-half=$KEY"
      refuse "restic ended with code $code"
    fi
    half=$(with_tag "switchback-half=$KEY") && [ -n "$half" ] || refuse "the snapshot is not in the repository"
    patient tag --set "switchback-key=$KEY" "$half" >&2 || refuse "the snapshot could not be tagged"
    whole=$(with_tag "switchback-key=$KEY") || refuse "the repository cannot be read"
  fi
  echo "id $(printf '%s\n' "$whole" | head -n 1)"
  ;;
verify)
  patient check --quiet --no-lock --read-data-subset="$SUBSET" >&2 || refuse "the repository is not whole"
  ;;
restore)
  alone "$state/restic.lock"
  # Nothing is touched before all of the backup has been read.
  stage=$work/stage
  patient restore --quiet "$ID" --target "$stage" >&2 || refuse "the backup could not be read"
  # What has come since, by the very rules by which the backup was made: what those leave out must stay.
  tag=switchback-now=$MARK
  forget_tag "$tag"
  snap "$tag"
  code=$?
  now=$(with_tag "$tag" | head -n 1)
  # With none of the paths left there is nothing to compare.
  if [ -n "$now" ]; then
    patient diff --json "$ID" "$now" >"$work/changes"
    code=$?
    forget_tag "$tag"
    [ $code = 0 ] || refuse "the backup could not be compared"
  else
    true >"$work/changes" || refuse "cannot write $work"
    eval "set -- $PATHS"
    for path; do [ ! -e "$path" ] || refuse "what is there now could not be read: restic ended with code $code"; done
  fi
  eval "set -- $PATHS"
  # A line is one JSON object. A name that is not plain once its usual escapes are taken away is left alone.
  sed -n -e 's/^{"message_type":"change","path":"\(.*\)","modifier":"+"}$/\1/' -e 't path' -e 'b' -e ':path' -e 'h' \
    -e 's/\\u003c//g; s/\\u003e//g; s/\\u0026//g; s/\\"//g' -e '/\\/d' -e 'g' \
    -e 's/\\u003c/</g; s/\\u003e/>/g; s/\\u0026/\&/g; s/\\"/"/g' -e 'p' "$work/changes" | sort -r |
    while IFS= read -r gone; do
      for path; do
        case $gone in
        "${path%/}"/*/) rmdir "$gone" 2>/dev/null ;;
        "${path%/}"/*) rm -f "$gone" ;;
        esac
      done
    done
  # One file after the other by renaming: what runs goes on with the old one, and none is ever half there.
  # shellcheck disable=SC2016
  put='
    stage=$1 bad=0
    shift
    for from; do
      to=${from#"$stage"}
      to=${to:-/}
      if [ -L "$from" ]; then
        [ -L "$to" ] && [ "$(readlink "$from")" = "$(readlink "$to")" ] && continue
      elif [ -d "$from" ]; then
        if [ -L "$to" ] || [ ! -d "$to" ]; then rm -f "$to" && mkdir "$to" || bad=1; fi
        continue
      elif [ -f "$from" ] && [ -f "$to" ] && [ ! -L "$to" ]; then
        [ "$(stat -c "%a %u %g %Y" "$from")" = "$(stat -c "%a %u %g %Y" "$to")" ] && cmp -s "$from" "$to" && continue
      fi
      if [ -d "$to" ] && [ ! -L "$to" ]; then rm -rf --one-file-system "$to"; fi
      mv -fT "$from" "$to" || bad=1
    done
    exit $bad'
  # shellcheck disable=SC2016
  like='
    stage=$1 bad=0
    shift
    for from; do
      to=${from#"$stage"}
      to=${to:-/}
      [ "$(stat -c "%a %u %g" "$from")" = "$(stat -c "%a %u %g" "$to")" ] && continue
      chown --reference="$from" "$to" && chmod --reference="$from" "$to" || bad=1
    done
    exit $bad'
  code=0
  for path; do
    path=${path%/}
    if [ ! -e "$stage$path" ] && [ ! -L "$stage$path" ]; then continue; fi
    mkdir -p "${path%/*}/" || code=1
    find "$stage$path" -exec sh -c "$put" sh "$stage" {} + || code=1
    find "$stage$path" -depth -type d -exec sh -c "$like" sh "$stage" {} + || code=1
  done
  [ $code = 0 ] || fail "not all files could be put back"
  sync
  if [ -n "$AFTER" ]; then user "$AFTER" || fail "the command after the restore has failed"; fi
  ;;
delete)
  alone "$state/restic.lock"
  patient forget --quiet --prune "$ID" >&2 || fail "the backup could not be deleted"
  ;;
list)
  patient snapshots --json --no-lock --host "$NAME" || refuse "the repository cannot be read"
  ;;
esac
