#!/bin/sh
case "$1" in
--list) echo '{"web": {"hosts": ["a", "b"]}, "old": ["c"]}' ;;
--host) [ "$2" = c ] || echo "{\"name\": \"$2\", \"n\": 1}" ;;
esac
