#!/usr/bin/env bash
# Makes everything the server needs inside this folder: .venv, the pages, the translations. Does only what has changed.
#   scripts/setup.sh          for running
#   scripts/setup.sh --test   also the tools the tests need
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh

lock=requirements.lock
for_tests=false
if [ "${1:-}" = --test ]; then
  for_tests=true
  lock=requirements-dev.lock
fi

mkdir -p build
log=build/setup.log
: >"$log"
quietly() { # quietly WHAT COMMAND...: output goes to the log and is shown when the command fails
  local what=$1
  shift
  "$@" >>"$log" 2>&1 || {
    tail -n 25 "$log" >&2
    fail "$what 失败 · failed" "完整日志 · full log: $log"
  }
}

make_venv() {
  # A virtual environment knows its absolute place; after the folder was moved or Python replaced it is made anew.
  if [ -x .venv/bin/python ] && grep -qF "$PWD/.venv" .venv/bin/activate && .venv/bin/python -S -c '' 2>/dev/null; then
    return
  fi
  local python
  python=$(find_python) || fail "需要 Python 3.11 或更新 · Python ≥ 3.11 is needed" "scripts/install-system.sh"
  step "正在建立 Python 环境 · Making the Python environment"
  rm -rf .venv build/stamps/python*
  quietly "python -m venv" "$python" -m venv .venv
}

install_python() {
  local name=python value
  $for_tests && name=python-test
  value=$(sha256sum <"$lock")
  fresh "$name" "$value" && return
  # The locks agree, so a complete test environment already holds what running needs.
  if ! $for_tests && fresh python-test "$(sha256sum <requirements-dev.lock)"; then return; fi
  step "正在安装 Python 依赖（第一次约 1–2 分钟）· Installing Python dependencies (1–2 minutes the first time)"
  .venv/bin/python -m pip install --disable-pip-version-check --no-input --progress-bar off --require-hashes -r "$lock" 2>&1 |
    tee -a "$log" | sed -un 's/^Collecting \([A-Za-z0-9_.-]*\).*/  · \1/p' || {
    tail -n 15 "$log" >&2
    fail "Python 依赖安装失败 · Python dependencies could not be installed" "请检查网络后重试 · check the network and try again; $log"
  }
  rm -f build/stamps/package
  stamp "$name" "$value"
}

install_package() {
  local value
  value=$(fingerprint pyproject.toml server/__init__.py)
  [ -x .venv/bin/xiangtu ] && fresh package "$value" && return
  quietly "pip install -e ." .venv/bin/python -m pip install --disable-pip-version-check --no-input --no-deps --no-build-isolation -e .
  stamp package "$value"
}

build_pages() {
  local ui=server/web/ui modules value
  [ -f $ui/package.json ] || return 0
  value=$(fingerprint $ui)
  [ -d server/web/static/dist ] && fresh ui "$value" && return
  if [ "$(node_major)" -lt 20 ]; then
    fail "需要 Node.js 20 或更新 · Node.js ≥ 20 is needed to build the pages" "scripts/install-system.sh"
  fi
  modules=$(fingerprint $ui/package.json $ui/package-lock.json)
  if ! [ -d $ui/node_modules ] || ! fresh modules "$modules"; then
    step "正在下载页面所需的组件（第一次约 1 分钟）· Fetching what the pages need (1 minute the first time)"
    quietly "npm ci" npm --prefix $ui ci --no-audit --no-fund --loglevel=error
    stamp modules "$modules"
  fi
  step "正在构建页面 · Building the pages"
  quietly "npm run build" npm --prefix $ui run build --silent
  stamp ui "$value"
}

compile_translations() {
  local folder po
  for folder in server/translations server/web/translations; do
    for po in "$folder"/*/LC_MESSAGES/*.po; do
      if [ -e "$po" ] && [ "$po" -nt "${po%.po}.mo" ]; then
        quietly "pybabel compile" .venv/bin/pybabel compile -d "$folder"
        # Catalogues that are up to date keep their time; without this they would look stale for ever.
        touch "$folder"/*/LC_MESSAGES/*.mo
        break
      fi
    done
  done
}

make_venv
install_python
install_package
build_pages
compile_translations
