#!/usr/bin/env bash
# Everything that must hold before a change is merged. Arguments go to pytest: scripts/test.sh tests/geo -k overlap
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
export PATH="$PWD/.venv/bin:$PATH"

failed=()
check() { # check NAME COMMAND...
  local name=$1
  shift
  step "$name"
  "$@" || failed+=("$name")
}

if [ $# -eq 0 ]; then
  check "ruff check" ruff check .
  check "ruff format" ruff format --check .
  check "mypy" mypy
  check "import-linter" lint-imports
fi
check "pytest" pytest "$@"

if [ ${#failed[@]} -gt 0 ]; then
  fail "未通过 · failed: ${failed[*]}"
fi
say "✓ 全部通过 · everything passed"
