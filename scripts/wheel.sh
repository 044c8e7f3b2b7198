#!/usr/bin/env bash
# Builds dist/xiangtu-*.whl with pages and translations inside, so that installing it needs no Node.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh

rm -rf build/wheel dist/xiangtu-*
.venv/bin/python -m build --wheel --no-isolation --outdir dist .
wheel=$(ls dist/xiangtu-*.whl)
if [ -f server/web/ui/package.json ]; then
  .venv/bin/python -m zipfile -l "$wheel" | grep -q 'server/web/static/dist/' ||
    fail "wheel 里没有构建好的页面 · the wheel lacks the built pages"
fi
say "✓ $wheel"
