#!/usr/bin/env bash
# Installs what the tests need beyond npm: Debian packages, only those that are missing. Safe to run again.
set -euo pipefail

declare -A needs=([cc]=build-essential [chromium]=chromium [promtool]=prometheus [docker-compose]=docker-compose
  [systemd-analyze]=systemd [zsh]=zsh [fish]=fish)
missing=()
for command in "${!needs[@]}"; do
  command -v "$command" >/dev/null 2>&1 || missing+=("${needs[$command]}")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: everything is here"
  exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
  echo "setup: not a Debian system; please install: ${missing[*]}" >&2
  exit 0
fi
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
echo "setup: installing ${missing[*]}"
# The packages' own services must not start: only their programs are wanted.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
