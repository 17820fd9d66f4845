#!/bin/sh
if [ "$1" = --list ]; then cat <<'EOF'
{}
EOF
fi
