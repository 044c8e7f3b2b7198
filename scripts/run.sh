#!/usr/bin/env bash
# From a fresh clone to a served login page; every later start does only what has changed.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install-system.sh
scripts/setup.sh
# The server replaces this shell: Ctrl-C reaches it directly and its exit status is the result.
exec .venv/bin/xiangtu serve --demo
