#!/bin/sh
if [ "$1" = --list ]; then cat <<'EOF'
{"web": {"hosts": ["a", "b"], "vars": {"v": 1}}, "db": {"children": ["pg"]}, "pg": ["c"], "_meta": {"hostvars": {"a": {"x": {"y": [1]}}, "ghost": {"x": 1}}}}
EOF
fi
