#!/bin/sh
# Stands for wp-cli: says what it says, from files in the folder given by --path: `core`, and `plugin` and `theme` with lines
# NAME,VERSION,STATUS,OFFERED. The forms are those of wp-cli 2.10 (`wp core|plugin|theme`, --format=csv).
for word in "$@"; do
    case $word in
        --path=*) cd "${word#--path=}" || exit 1 ;;
        --version=*) version=${word#--version=} ;;
        --*) ;;
        *) words="${words-}${words:+ }$word" ;;
    esac
done
case $words in
    'core is-installed') [ -f core ] ;;
    'core version') cat core ;;
    'core check-update') printf 'version\n' && cat offered ;;
    'core verify-checksums')
        [ ! -f changed ] || { echo "Error: WordPress installation doesn't verify against checksums." >&2; exit 1; }
        echo 'Success: WordPress installation verifies against checksums.'
        ;;
    'core update')
        printf 'Updating to version %s (en_US)...\n' "$version" && echo "$version" >core
        [ ! -f breaks ] || touch changed
        ;;
    'core update-db') echo 'Success: WordPress database already at latest db version 57155.' ;;
    'plugin list' | 'theme list') printf 'name,version,status,update_version\n' && cat "${words% list}" ;;
    'plugin update '* | 'theme update '*)
        kind=${words%% *} slug=${words##* }
        if [ -f "offline" ]; then
            echo "Error: Download failed. cURL error 7: Failed to connect to downloads.wordpress.org port 443" && exit 1
        fi
        sed "s/^$slug,[^,]*,\([^,]*\),.*/$slug,$version,\1,/" "$kind" >new && mv new "$kind"
        [ ! -f deactivates ] || { sed "s/^$slug,\([^,]*\),active/$slug,\1,inactive/" "$kind" >new && mv new "$kind"; }
        printf '+---\n| name | old_version | new_version | status |\nSuccess: Updated 1 of 1 %ss.\n' "$kind"
        ;;
    'eval '*wp_remote_get*) [ ! -f unreachable ] || { echo 'Error: cURL error 6: Could not resolve host: api.wordpress.org'; exit 75; } ;;
    'eval '*) [ ! -f fatal ] && echo switchback-loads || { echo 'PHP Fatal error:  Uncaught Error' && exit 255; } ;;
    *) echo "Error: '$words' is not a registered wp command." >&2 && exit 1 ;;
esac
