# What the playbooks of applications share, behind what all playbooks share. An application lives in FOLDER and belongs
# to the owner of that folder: its tools run as the owner, since what they load from there is the owner's to change and
# must not get root by it, and what they write must stay the owner's.

# What is installed is read by others than the owner: services have users of their own.
umask 022

# Sets `owner` and `home`; leaves where the tools cannot run as the owner.
find_owner() {
    case ${FOLDER:-} in
        /*) ;;
        *) leave 4 no-folder "${FOLDER:-nothing} is not the absolute path of a folder" ;;
    esac
    [ -d "$FOLDER" ] || leave 4 no-folder "there is no folder $FOLDER"
    # Where the owner may not go is no place for a tool to start in.
    cd / || leave 4 no-folder 'cannot go to /'
    owner=$(stat -c %U -- "$FOLDER")
    home=$(getent passwd -- "$owner" 2>/dev/null | cut -d : -f 6)
    if [ "$owner" != "$(id -un)" ]; then
        [ "$(id -u)" = 0 ] || leave 4 not-owner "$FOLDER belongs to $owner; this runs as $(id -un)"
        [ -n "$home" ] || leave 4 no-owner "$FOLDER belongs to no user of this host"
        command -v runuser >/dev/null || leave 4 no-runuser "there is no runuser on this host to run tools as $owner"
    fi
}

as_owner() {
    if [ "$owner" = "$(id -un)" ]; then
        "$@"
    else
        runuser -u "$owner" -- env "HOME=$home" "USER=$owner" "LOGNAME=$owner" "$@"
    fi
}

# Sets `stage`, a folder of the owner's that is removed at the end.
make_stage() {
    stage=$(as_owner mktemp -d /tmp/switchback.XXXXXX) || leave 4 no-space 'cannot make a temporary folder'
    trap 'rm -rf -- "$work"; as_owner rm -rf -- "$stage"' EXIT
}

# check_names PATTERN NAME[=VERSION]...: what is no name or version here would mean something else to a tool.
check_names() {
    allowed=$1
    shift
    [ $# -gt 0 ] || leave 4 no-packages 'no package is named'
    for spec in "$@"; do
        printf '%s\n' "${spec%%=*}" | grep -qxE "$allowed" || leave 4 invalid-package "${spec%%=*} is not the name of a package"
        case $spec in
            *=*[!A-Za-z0-9.+!_-]* | *=) leave 4 invalid-version "$spec names no version" ;;
        esac
    done
}

# What a tool calls errors in its output, else its last words.
last_words() {
    { grep -E '^(ERROR|Error|npm (ERR!|error))' "$1" | grep -v -E 'complete log of this run|^npm [a-zA-Z!]+ +at ' || grep -v '^[[:space:]]*$' "$1" | tail -n 8; } | awk '!seen[$0]++' | head -n 8 | one_line
}

# --- services ---------------------------------------------------------------------------------------------------

report_services() {
    active_services >"$work/services"
    fact units "$(sed -n 's/^boot //p' "$work/services" | words)"
    fact manual_units "$(sed -n 's/^manual //p' "$work/services" | words)"
    fact failed_units "$(failed_services)"
    fact boot "$(boot_identity)"
}

# Leaves unless the services of before (UNITS_BEFORE, MANUAL_BEFORE, FAILED_BEFORE, BOOT_BEFORE) are well.
check_services() {
    has_systemd || return 0
    required=${UNITS_BEFORE:-}
    # What somebody started by hand does not come back by itself after a reboot.
    [ "${BOOT_BEFORE:-}" != "$(boot_identity)" ] || required="$required ${MANUAL_BEFORE:-}"
    # shellcheck disable=SC2086 # names of units hold no blanks
    await_services $required
    for unit in $(failed_services); do
        case " ${FAILED_BEFORE-$unit} " in
            *" $unit "*) ;;
            *) leave 1 service-failed "$unit has failed, and had not before" ;;
        esac
    done
}
