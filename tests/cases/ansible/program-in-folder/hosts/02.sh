#!/bin/sh
if [ "$1" = --list ]; then cat <<'EOF'
{"web": {"hosts": ["b"]}, "prod": {"children": ["web"]}, "_meta": {"hostvars": {"a": {"y": 2}, "b": {"x": 3}}}}
EOF
fi
