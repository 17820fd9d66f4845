#!/bin/sh
if [ "$1" = --list ]; then cat <<'EOF'
{"web": {"hosts": ["a"], "vars": {"v": "script"}}, "_meta": {"hostvars": {"a": {"w": "script"}}}}
EOF
fi
