# Shared by the scripts in this folder; source it from the repository's root.
# shellcheck shell=bash

say() { printf '%s\n' "$*"; }
step() { printf '\n▸ %s\n' "$*"; }
fail() {
  printf '\n✗ %s\n' "$1" >&2
  shift
  for line in "$@"; do printf '  %s\n' "$line" >&2; done
  exit 1
}

# The first Python that is new enough, on standard output.
find_python() {
  local candidate
  # The distribution's Python is built with profile-guided optimisation and serves a quarter more than one built by hand.
  for candidate in ${PYTHON:-} /usr/bin/python3 python3 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null 2>&1 &&
      "$candidate" -S -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return 0
    fi
  done
  return 1
}

# Node's major version, 0 without Node.
node_major() {
  local version
  version=$(node --version 2>/dev/null) || version=v0
  version=${version#v}
  printf '%s' "${version%%.*}"
}

# One checksum over files and folders, by name and content; folders that builds fill are left out.
fingerprint() {
  find "$@" \( -name node_modules -o -name dist -o -name __pycache__ \) -prune -o -type f -print0 2>/dev/null |
    LC_ALL=C sort -z | xargs -0 sha256sum 2>/dev/null | sha256sum | cut -d' ' -f1
}

# fresh NAME VALUE: whether the stamp NAME already says VALUE.
fresh() { [ "$(cat "build/stamps/$1" 2>/dev/null)" = "$2" ]; }
stamp() {
  mkdir -p build/stamps
  printf '%s\n' "$2" >"build/stamps/$1"
}
