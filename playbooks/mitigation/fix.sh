# Changes the setting and records what was before, or takes the recorded change back. May run again.
need_root
check_parameters
make_work

change() {
    if [ -e "$record" ]; then
        [ "$(current)" = "$VALUE" ] || leave 1 changed-since "$NAME is recorded here, and $KEY is $(current)"
        return 0
    fi
    # The record first: a change that nobody remembers could not be taken back.
    mkdir -p -- "${record%/*}" || leave 4 not-writable "${record%/*} cannot be made"
    if [ -n "${FILE:-}" ]; then
        line=$(settings | head -n 1)
        number=${line%% *}
        { echo "${number:-0}"; [ -z "$number" ] || sed -n "${number}p" "$FILE"; } >"$work/record"
        replace "$record" "$work/record"
        text="$KEY$SEPARATOR$VALUE" number=${number:-$IF_ABSENT} awk '
            BEGIN { text = ENVIRON["text"]; number = ENVIRON["number"]; if (number == "begin") print text }
            NR == number { match($0, /^[ \t]*/); print substr($0, 1, RLENGTH) text; next }
            { print }
            END { if (number == "end") print text }' "$FILE" >"$work/new" || leave 4 not-changed "$FILE cannot be read"
        replace "$FILE" "$work/new"
    else
        current >"$work/record"
        replace "$record" "$work/record"
        echo "$KEY = $VALUE" >"$work/dropin"
        replace "$dropin" "$work/dropin"
        sysctl -q -w -- "$KEY=$VALUE" || leave 1 not-changed "$KEY cannot be set to $VALUE"
    fi
}

take_back() {
    if [ ! -e "$record" ]; then return 0; fi
    if [ -n "${FILE:-}" ]; then
        now=$(settings | head -n 1)
        number=${now%% *}
        if [ -n "$number" ] && [ "${now#* }" = "$VALUE" ]; then
            # Line 1 of the record is 0 where the setting was absent; else line 2 is what stood there.
            old=$(sed -n 2p "$record") was=$(sed -n 1p "$record") number=$number awk '
                NR == ENVIRON["number"] { if (ENVIRON["was"] != "0") print ENVIRON["old"]; next }
                { print }' "$FILE" >"$work/new" || leave 4 not-changed "$FILE cannot be read"
            replace "$FILE" "$work/new"
        fi
    else
        rm -f -- "$dropin"
        sysctl -q -w -- "$KEY=$(cat "$record")" || leave 1 not-changed "$KEY cannot be set to $(cat "$record")"
    fi
    rm -f -- "$record"
}

before=$(state_digest)
case $DO in
    change) change ;;
    take_back) take_back ;;
esac
fact changed "$([ "$(state_digest)" = "$before" ] && echo 0 || echo 1)"
exit 0
