
# --- one file replaced by another --------------------------------------------------------------------------------

# From the playbook: FILE (where it is), SHA256 (of the fixed one), SOURCE (a URL or a path on this host), UNIT (what
# uses it; may be empty), and RESTART_NEVER from policy.

check_parameters() {
    case ${FILE:-} in
        /*/) leave 4 invalid-parameter "file: $FILE ends with a slash" ;;
        /*) ;;
        *) leave 4 invalid-parameter "file: ${FILE:-nothing} is no absolute path" ;;
    esac
    case ${SHA256:-} in *[!0-9a-f]*) leave 4 invalid-parameter 'sha256: 64 hexadecimal digits in lower case' ;; esac
    [ ${#SHA256} = 64 ] || leave 4 invalid-parameter 'sha256: 64 hexadecimal digits in lower case'
    case ${SOURCE:-} in
        https://?* | http://?* | /?*) ;;
        *) leave 4 invalid-parameter "source: ${SOURCE:-nothing} is neither a URL nor an absolute path" ;;
    esac
    case ${UNIT:-} in *[!A-Za-z0-9:_.@\\-]* | -*) leave 4 invalid-parameter "unit: $UNIT names no unit" ;; esac
}

# The sum of a file; nothing if there is none. (From standard input, because sha256sum marks strange names.)
sum_of() {
    [ ! -f "$1" ] || sha256sum <"$1" | cut -d ' ' -f 1
}

owner_of() {
    stat -c '%u:%g %a' -- "$1"
}

# Where the old file is kept: no name that a class path with a pattern or a watched folder would take.
kept_as() {
    printf '%s.before-%s' "$FILE" "$(printf '%s' "$1" | cut -c 1-12)"
}

# Processes that still have the file $1 open, a line each.
users_of() {
    inode=$(stat -c %d:%i -- "$1" 2>/dev/null) || return 0
    find -L /proc/[0-9]*/fd -maxdepth 1 -inum "${inode#*:}" 2>/dev/null | while read -r fd; do
        # An inode number alone can be that of a file on another file system.
        [ "$(stat -L -c %d:%i -- "$fd" 2>/dev/null)" = "$inode" ] || continue
        pid=${fd#/proc/}
        pid=${pid%%/*}
        echo "$(tr -d '\n' <"/proc/$pid/comm" 2>/dev/null)($pid)"
    done | sort -u
}

can_fetch() {
    command -v curl >/dev/null || command -v wget >/dev/null || leave 4 no-downloader 'there is neither curl nor wget on this host'
}

# fetch --head URL, fetch --output FILE URL
fetch() {
    if command -v curl >/dev/null; then
        curl --fail --silent --show-error --location --proto '=http,https' --retry 2 --connect-timeout 20 --max-time 900 "$@"
    else
        case $1 in
            --head) wget -q --spider -T 20 "$2" ;;
            --output) wget -q -T 60 -O "$2" "$3" ;;
        esac
    fi
}
