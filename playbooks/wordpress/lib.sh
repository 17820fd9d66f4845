# What the scripts of wordpress share. FOLDER is the folder of WordPress; WP and PHP are the programs wp-cli and php.

find_application() {
    find_owner
    WP=$(command -v -- "${WP:-wp}") || leave 4 no-wp-cli 'there is no wp-cli on this host: the label wordpress_cli names it'
    PHP=$(command -v -- "${PHP:-php}") || leave 4 no-php 'there is no php on this host'
    wp_cli core is-installed >"$work/said" 2>&1 || leave 4 no-wordpress "wp core is-installed in $FOLDER: $(last_words "$work/said")"
}

wp_cli() {
    if [ "$owner" = root ]; then
        as_owner "$WP" "--path=$FOLDER" --no-color --allow-root "$@"
    else
        as_owner "$WP" "--path=$FOLDER" --no-color "$@"
    fi
}

# A line `KIND NAME VERSION STATUS OFFERED` for each part, `-` for what there is not. Themes and plugins run
# code: what lists them must say nothing else, so that only lines of this form count.
parts() {
    version=$(wp_cli core version --skip-plugins --skip-themes 2>/dev/null) || return 1
    printf 'core wordpress %s active -\n' "$version"
    for kind in plugin theme; do
        wp_cli "$kind" list --fields=name,version,status,update_version --format=csv --skip-plugins --skip-themes 2>/dev/null |
            tr -d '\r"' | awk -F , -v kind="$kind" '
                NR == 1 && $0 != "name,version,status,update_version" { exit 1 }
                NR > 1 && NF == 4 && $3 != "dropin" && $1 ~ /^[A-Za-z0-9._-]+$/ && ($2 $3 $4) !~ /[^A-Za-z0-9.+_-]/ { print kind, $1, $2 == "" ? "-" : $2, $3, $4 == "" ? "-" : $4 }' || return 1
    done
}

list_parts() {
    parts >"$work/parts" || leave 4 no-wordpress "wp-cli cannot list what is in $FOLDER"
}

# Digest of all parts, their versions and what is active.
packages_digest() {
    parts | cut -d ' ' -f 1-4 | sort | sha256sum | cut -d ' ' -f 1
}

# Whether version $1 is at least $2, by PHP's own order, which is WordPress' too.
at_least() {
    # shellcheck disable=SC2016 # a text of PHP
    "$PHP" -n -r 'exit(version_compare($argv[1], $argv[2], ">=") ? 0 : 1);' -- "$1" "$2"
}

# The part that a finding of this name is about: `KIND NAME VERSION STATUS OFFERED`, nothing if there is none.
part_of() {
    case $1 in
        wordpress | WordPress | core) head -n 1 "$work/parts" ;;
        *) awk -v name="$1" '$1 != "core" && $2 == name' "$work/parts" ;;
    esac
}

# The least version of the core that is offered and at least $1 (any where there is none).
core_offer() {
    wp_cli core check-update --fields=version --format=csv --skip-plugins --skip-themes 2>/dev/null | tr -d '\r"' | grep -E '^[0-9][0-9A-Za-z.-]*$' |
        while read -r offered; do
            if [ -z "$1" ] || at_least "$offered" "$1"; then echo "$offered"; fi
        done >"$work/offers"
    best=
    while read -r offered; do
        if [ -z "$best" ] || at_least "$best" "$offered"; then best=$offered; fi
    done <"$work/offers"
    printf '%s' "$best"
}

# Sets `targets`, lines `KIND NAME OLD NEW` in $work/targets, to what is still to be updated; leaves if that is impossible.
find_targets() {
    list_parts
    : >"$work/targets"
    for spec in "$@"; do
        name=${spec%%=*}
        wanted=
        case $spec in *=*) wanted=${spec#*=} ;; esac
        found=$(part_of "$name")
        [ -n "$found" ] || leave 4 not-installed "there is no plugin or theme $name in $FOLDER"
        [ "$(printf '%s\n' "$found" | wc -l)" -eq 1 ] || leave 4 ambiguous-package "$name is a plugin and a theme in $FOLDER"
        # shellcheck disable=SC2086 # five words
        set_part $found
        if [ -n "$wanted" ] && at_least "$version" "$wanted"; then continue; fi
        case $status in must-use) leave 4 must-use "$name is a must-use plugin: a person must" ;; esac
        [ "$kind" != core ] || offered=$(core_offer "$wanted")
        [ "$offered" != - ] || offered=
        if [ -z "$wanted" ] && [ -z "$offered" ]; then continue; fi
        if [ -z "$offered" ] || { [ -n "$wanted" ] && ! at_least "$offered" "$wanted"; }; then
            leave 4 fix-not-offered "$name ${offered:-in no newer version} is offered, not $wanted"
        fi
        echo "$kind $slug $version $offered" >>"$work/targets"
    done
    # The core first: newer plugins may need it.
    sort -u -o "$work/targets" "$work/targets"
}

set_part() {
    kind=$1 slug=$2 version=$3 status=$4 offered=$5
}

# WordPress takes a source that does not answer for one that has nothing new.
need_source() {
    # shellcheck disable=SC2016 # a text of PHP
    wp_cli eval '$r = wp_remote_get("https://api.wordpress.org/core/version-check/1.7/", ["timeout" => 20]);
        if (is_wp_error($r)) { echo "Error: " . $r->get_error_message() . "\n"; exit(75); }
        $code = wp_remote_retrieve_response_code($r);
        if ($code !== 200) { echo "Error: api.wordpress.org answers with $code\n"; exit(75); }' \
        --skip-plugins --skip-themes >"$work/said" 2>&1 || leave 75 source-unreachable "$(last_words "$work/said")"
}
