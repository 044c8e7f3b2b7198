#!/usr/bin/env bash
# Installs the system packages Xiangtu needs and this machine lacks (Debian, Ubuntu and their relatives).
#   scripts/install-system.sh          what running needs
#   scripts/install-system.sh --test   also what the tests need
# Prints every package with its reason. Needs root or sudo only when something is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh

OLDEST_POSTGRES=15
for_tests=false
[ "${1:-}" = --test ] && for_tests=true

packages=()
reasons=()
need() { # need PACKAGE REASON
  packages+=("$1")
  reasons+=("$2")
}

# --- what is there: files and commands, so that software from elsewhere counts too ---------------------------------
have_postgis() {
  [ -n "${DATABASE_URL:-}" ] || [ -n "${XIANGTU_PG_BIN:-}" ] && return 0
  local control major
  for control in /usr/share/postgresql/*/extension/postgis.control; do
    major=${control#/usr/share/postgresql/}
    major=${major%%/*}
    [ -e "$control" ] && [ -x "/usr/lib/postgresql/$major/bin/initdb" ] && [ "$major" -ge $OLDEST_POSTGRES ] &&
      ls "/usr/lib/postgresql/$major/lib/"postgis-*.so >/dev/null 2>&1 && return 0
  done
  command -v initdb >/dev/null && command -v pg_config >/dev/null &&
    [ -e "$(pg_config --sharedir)/extension/postgis.control" ]
}
have_cjk_font() {
  compgen -G '/usr/share/fonts/opentype/noto/*CJK*' >/dev/null ||
    compgen -G '/usr/share/fonts/truetype/wqy/*' >/dev/null ||
    { command -v fc-list >/dev/null && [ -n "$(fc-list :lang=zh file 2>/dev/null | head -n 1)" ]; }
}
have_any() {
  local name
  for name in "$@"; do command -v "$name" >/dev/null 2>&1 && return 0; done
  return 1
}
have_venv() {
  [ -x .venv/bin/python ] || "$1" -S -c 'import ensurepip, venv' 2>/dev/null
}

python=$(find_python || true)
missing_postgis=false
have_postgis || missing_postgis=true
missing_node=false
if [ "$(node_major)" -lt 20 ] || ! have_any npm; then missing_node=true; fi
$for_tests && java_package=default-jdk-headless java_command=javac || { java_package=default-jre-headless java_command=java; }
have_any $java_command || need $java_package "Java：检查表单（ODK Validate） · checks forms (ODK Validate)"
have_cjk_font || need fonts-noto-cjk "中文字体：报表和地图 · Chinese fonts for reports and maps"
[ -z "$python" ] || have_venv "$python" || need "$(basename "$(readlink -f "$python")")-venv" "Python 虚拟环境 · Python's virtual environments"
if $for_tests; then
  have_any chromium chromium-browser google-chrome || need chromium "浏览器：页面测试 · a browser for tests of pages"
  have_any soffice libreoffice || need libreoffice-calc-nogui "检查导出的 CSV 能在 Calc 中打开 · checks that Calc opens our CSV"
fi

if [ ${#packages[@]} -eq 0 ] && ! $missing_postgis && ! $missing_node && [ -n "$python" ]; then
  exit 0
fi

# --- another kind of system: say what is needed and leave ----------------------------------------------------------
if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  say "这不是 Debian/Ubuntu 系统，请自行安装下列软件 · Not Debian or Ubuntu; please install by other means:"
  [ -n "$python" ] || say "  Python ≥ 3.11 (venv)"
  $missing_node && say "  Node.js ≥ 20 (npm)                 构建页面 · builds the pages"
  $missing_postgis && say "  PostgreSQL ≥ $OLDEST_POSTGRES, PostGIS ≥ 3.3        数据库 · the database (initdb in PATH, or XIANGTU_PG_BIN, or DATABASE_URL)"
  for i in "${!packages[@]}"; do say "  ${packages[$i]}    ${reasons[$i]}"; done
  exit 1
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    as_root=(sudo)
  else
    as_root=(false)
  fi
fi
root_or_explain() {
  [ "${as_root[0]:-}" = false ] || return 0
  fail "需要管理员权限来安装系统软件 · Installing system packages needs root or sudo" \
    "请以 root 运行 · As root, run:  scripts/install-system.sh$($for_tests && printf ' --test')"
}

# --- package lists, then the choices that depend on what this release offers --------------------------------------
# Another program may be installing at this moment; dpkg's lock is waited for by apt itself, the lists' lock here.
update_lists() {
  local try output
  step "正在更新软件包目录 · Updating the package lists"
  for try in $(seq 30); do
    if output=$("${as_root[@]}" apt-get update -q -o DPkg::Lock::Timeout=300 2>&1); then return 0; fi
    case $output in *"Could not get lock"* | *"Unable to lock"*) say "  等待其他安装程序 · waiting for another installer ($try/30)" && sleep 10 ;; *) break ;; esac
  done
  say "$output" | tail -n 5
  say "  目录更新不完整，继续尝试 · the lists are incomplete; going on with what there is"
}
candidate() { LC_ALL=C apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: \([0-9].*\)/\1/p'; }
root_or_explain
update_lists

if [ -z "$python" ]; then
  for version in 3.13 3.12 3.11; do
    if [ -n "$(candidate "python$version")" ]; then
      need "python$version" "Python" && need "python$version-venv" "Python 虚拟环境 · Python's virtual environments"
      python=python$version
      break
    fi
  done
  [ -n "$python" ] || fail "需要 Python 3.11 或更新，此系统的软件源里没有 · Python ≥ 3.11 is needed; this release does not offer it" \
    "请升级系统（Debian 12、Ubuntu 24.04 或更新），或安装后用 PYTHON=/path/python3.11 指明 · Upgrade, or install it and name it with PYTHON="
fi
if $missing_node; then
  version=$(candidate nodejs)
  version=${version#*:}
  if [ "${version%%.*}" -ge 20 ] 2>/dev/null; then
    need nodejs "Node.js：构建页面 · builds the pages"
    need npm "Node 的包管理器 · Node's package manager"
  else
    fail "需要 Node.js 20 或更新（含 npm），此系统的软件源只有 ${version:-（无）} · Node.js ≥ 20 with npm is needed; this release offers ${version:-none}" \
      "请从 nodejs.org 安装 20 或更新版本后重试 · Install version 20 or newer from nodejs.org and try again" \
      "也可安装现成的 wheel（pip install xiangtu-*.whl），它不需要 Node · Or install a ready-made wheel, which needs no Node"
  fi
fi
if $missing_postgis; then
  newest=$(apt-cache search --names-only '^postgresql-[0-9]+-postgis-3$' | cut -d' ' -f1 | sort -V | tail -n 1)
  major=${newest#postgresql-}
  major=${major%%-*}
  if [ "${major:-0}" -lt $OLDEST_POSTGRES ]; then
    fail "此系统的软件源里没有 PostgreSQL ≥ $OLDEST_POSTGRES 的 PostGIS（最新：${newest:-无}） · This release offers no PostGIS for PostgreSQL ≥ $OLDEST_POSTGRES (newest: ${newest:-none})" \
      "请升级系统（Debian 12、Ubuntu 24.04 或更新），或设置 DATABASE_URL 使用别处的数据库 · Upgrade, or set DATABASE_URL to use a database elsewhere"
  fi
  need "$newest" "数据库与空间扩展 · the database and its spatial extension"
fi

# A name of Debian's that this release calls otherwise.
for i in "${!packages[@]}"; do
  if [ "${packages[$i]}" = chromium ] && [ -z "$(candidate chromium)" ]; then packages[i]=chromium-browser; fi
done

step "将安装以下系统软件 · These system packages will be installed"
for i in "${!packages[@]}"; do printf '  %-28s %s\n' "${packages[$i]}" "${reasons[$i]}"; done

install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 "$@" |
    sed -un 's/^\(Get\|Setting up\|Unpacking\)[: ]\(.*\)/  · \1 \2/p'
}

# Debian makes and starts a cluster "main" with a new PostgreSQL. Xiangtu has its own, so none is made; the setting is
# put back afterwards, because it is not ours.
conf=/etc/postgresql-common/createcluster.conf
clusters() { pg_lsclusters -h 2>/dev/null | cut -d' ' -f1,2 | sort || true; }
restore_conf() {
  "${as_root[@]}" sh -c "[ ! -e $conf.xiangtu-kept ] || mv -f $conf.xiangtu-kept $conf"
}
if $missing_postgis; then
  install postgresql-common
  before=$(clusters)
  trap restore_conf EXIT
  restore_conf
  "${as_root[@]}" sh -c "cp -p $conf $conf.xiangtu-kept && printf '\ncreate_main_cluster = false\n' >>$conf"
fi
install "${packages[@]}"
if $missing_postgis; then
  restore_conf
  trap - EXIT
  comm -13 <(printf '%s\n' "$before") <(clusters) | while read -r version name; do
    [ -n "$name" ] || continue
    say "  停用系统自带的数据库实例 · stopping the system's own cluster $version/$name"
    "${as_root[@]}" pg_ctlcluster "$version" "$name" stop 2>/dev/null || true
    "${as_root[@]}" sh -c "printf 'manual\n' >/etc/postgresql/$version/$name/start.conf"
  done
fi
say "✓ 系统软件已就绪 · system packages are ready"
