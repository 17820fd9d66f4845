
# --- one setting changed, and taken back -------------------------------------------------------------------------

# From the playbook: NAME (of this mitigation), DO (change or take_back), KEY, VALUE; FILE, SEPARATOR and IF_ABSENT
# (refuse, begin or end) for a key in a file, no FILE for a key of sysctl; UNIT to be reloaded, or empty.
# What was before is recorded in $record, so that it can be taken back by a later campaign, too.

check_parameters() {
    case ${NAME:-} in *[!A-Za-z0-9._-]* | .* | '') leave 4 invalid-parameter "name: letters, digits, . _ - only" ;; esac
    case ${DO:-} in change | take_back) ;; *) leave 4 invalid-parameter 'do: change or take_back' ;; esac
    case ${KEY:-} in *[[:space:]]* | '#'* | -* | '') leave 4 invalid-parameter "key: ${KEY:-nothing} names no setting" ;; esac
    case ${UNIT:-} in *[!A-Za-z0-9:_.@\\-]* | -*) leave 4 invalid-parameter "unit: $UNIT names no unit" ;; esac
    case ${IF_ABSENT:=refuse} in refuse | begin | end) ;; *) leave 4 invalid-parameter 'if_absent: refuse, begin or end' ;; esac
    case ${FILE:-} in
        '') case $KEY in *[!A-Za-z0-9._/-]* | */../*) leave 4 invalid-parameter "key: $KEY is no key of sysctl" ;; esac ;;
        /*) [ -n "${SEPARATOR:-}" ] || leave 4 invalid-parameter 'separator: what stands between key and value' ;;
        *) leave 4 invalid-parameter "file: $FILE is no absolute path" ;;
    esac
    [ -n "${VALUE:-}" ] || leave 4 invalid-parameter 'value: nothing'
    record=/var/lib/switchback/mitigations/$NAME
    # Where sysctl reads it again at the next boot.
    [ -n "${FILE:-}" ] && dropin= || dropin=/etc/sysctl.d/99-switchback-$NAME.conf
}

# Lines of the file that set the key, as `NUMBER VALUE`: not comments, and not other keys that begin alike. A separator
# of blanks stands for any blanks; around another one blanks may stand.
settings() {
    key=$KEY separator=$SEPARATOR awk '
        BEGIN { key = ENVIRON["key"]; separator = ENVIRON["separator"]; gsub(/[ \t]/, "", separator) }
        {
            line = $0
            sub(/\r$/, "", line)
            sub(/^[ \t]*/, "", line)
            if (index(line, key) != 1) next
            rest = substr(line, length(key) + 1)
            if (separator == "") { if (rest !~ /^[ \t]/) next }
            else {
                sub(/^[ \t]*/, "", rest)
                if (index(rest, separator) != 1) next
                rest = substr(rest, length(separator) + 1)
            }
            sub(/^[ \t]*/, "", rest)
            sub(/[ \t]*$/, "", rest)
            print NR, rest
        }' "$FILE"
}

# What the setting is now; nothing if it is not set. Of sysctl, blanks between several values are one each.
current() {
    if [ -n "${FILE:-}" ]; then
        settings | sed -n 's/^[0-9]* //p' | head -n 1
    else
        sysctl -n -- "$KEY" 2>/dev/null | tr -s '\t ' '  '
    fi
}

# Digest of what a mitigation touches, for a look whether a restored host is as it was.
state_digest() {
    {
        current
        for file in ${FILE:+"$FILE"} ${dropin:+"$dropin"} "$record"; do
            [ ! -f "$file" ] || sha256sum <"$file"
        done
    } | sha256sum | cut -d ' ' -f 1
}

# The file $2 becomes the content of $1, whole or not at all, with the owner and mode that $1 has.
replace() {
    beside=$(mktemp "${1%/*}/.switchback.XXXXXX") || leave 4 not-writable "no file can be made beside $1"
    if [ -e "$1" ]; then cp -a -- "$1" "$beside"; else chmod 644 "$beside"; fi
    if ! cat "$2" >"$beside" || ! durable "$beside" || ! mv -f -- "$beside" "$1"; then
        rm -f -- "$beside"
        leave 1 not-changed "$1 cannot be written"
    fi
    durable "${1%/*}"
}
