#!/usr/bin/env bash
# Prints the kernel's name; with --brief without its release.
set -euo pipefail

if [[ "${1:-}" == "--brief" ]]; then
  uname -s
else
  uname -sr
fi
echo "OUTPUT: {\"name\": \"$(uname -s)\"}"
