#!/bin/sh
# Chromium and fonts for the page tests: used where installed, else brought by Debian's package manager as root.
# Elsewhere the page tests say in one sentence that they need Chromium, and fail.
set -eu
command -v chromium >/dev/null 2>&1 && exit 0
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
else
    echo "The page tests need Chromium: install it (Debian: apt-get install chromium fonts-dejavu-core)." >&2
fi
