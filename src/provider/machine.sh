set -u
# Files are made with `true >`: a redirection of `:`, a special builtin, that fails ends the shell, whatever follows.
umask 077
LC_ALL=C
export LC_ALL
# A connection that is gone must not end what goes on here.
trap '' PIPE HUP

# Nothing was changed.
refuse() {
  printf '%s\n' "$*" >&2
  exit 4
}

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# One call at a time: what an earlier one has left running here holds the lock. A watch waits for it.
alone() {
  command -v flock >/dev/null || refuse "flock is not installed here"
  { true >>"$1"; } 2>/dev/null || refuse "cannot write $1"
  exec 9>>"$1"
  [ -z "${LOCK_WAIT:-}" ] || flock -w "$LOCK_WAIT" 9
  flock -n 9 || fail "an earlier call for this host still runs here"
}

# A command of the user's own, quoted words: ended when it takes too long. What it prints is talk.
user() {
  eval "timeout -k 10 $LIMIT $1" </dev/null >&2
}
