#!/usr/bin/env bash
# get-servers.sh [DIR] [mysql] [mariadb]: Debian's servers for the tests and the demo, each unpacked into DIR/NAME.
#
# Installs nothing, runs no maintainer script, touches no apt source, and needs no root (but where apt has no package
# lists yet: for `apt-get update`). What is there is kept. Debian has MySQL in its unstable suite only; it comes with the
# C library that it was built for. MariaDB is this release's own.
#
#   DIR            default: $ROTATORS_SERVERS, else ~/.cache/rotators/servers. The tests look there
#   DEBIAN_MIRROR  URI of a mirror; default: the one that this machine's apt is configured with
#   MYSQL_SUITE    default: sid
set -euo pipefail

# The reason is what a program under `said` complained about first.
fail() {
  local reason
  reason=$(sed -n 's/^[EW]: *//p' "${state:-/nowhere}/said" 2>/dev/null | sed -n 1p) || true
  echo "get-servers.sh: $*${reason:+ ($reason)}" >&2
  exit 1
}

dir=${1:-${ROTATORS_SERVERS:-${XDG_CACHE_HOME:-$HOME/.cache}/rotators/servers}}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- mysql mariadb

# One that cannot be had does not keep the other back.
if [ $# -gt 1 ]; then
  failed=0
  for name in "$@"; do "$0" "$dir" "$name" || failed=$?; done
  exit "$failed"
fi
name=$1

state=$(mktemp -d)
fresh=
trap 'rm -rf "$state" ${fresh:+"$fresh"}' EXIT
trap 'exit 130' INT TERM

# An offline machine is to know within seconds.
quick=(-qq -o Acquire::Retries=1 -o Acquire::http::Timeout=5 -o Acquire::https::Timeout=5 -o APT::Sandbox::User=root)

# said COMMAND…: runs it, and keeps what it says for `fail`.
said() { "$@" >"$state/said" 2>&1; }

debian_mirror() {
  # shellcheck disable=SC2016 # apt's placeholders
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null | sed -n 1p
}

# A throw-away apt that knows one suite, so that the machine's own is left alone.
only_suite() {
  local mirror=${DEBIAN_MIRROR:-$(debian_mirror)}
  if [ -z "$mirror" ]; then
    update
    mirror=$(debian_mirror)
  fi
  [ -n "$mirror" ] || fail "this machine's apt has no Debian source. Set DEBIAN_MIRROR to the URI of a mirror"
  mkdir -p "$state"/lists/partial "$state"/cache/archives/partial
  : >"$state/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $1 main" >"$state/sources.list"
  # Unstable's Release file expires after a week, and mirrors lag; its signature is checked all the same.
  cat >"$state/apt.conf" <<CONF
Dir::Etc::sourcelist "$state/sources.list"; Dir::Etc::sourceparts "-";
Dir::State "$state"; Dir::State::lists "$state/lists"; Dir::State::status "$state/status"; Dir::Cache "$state/cache";
APT::Architecture "$(dpkg --print-architecture)"; Debug::NoLocking "true"; pkgCacheGen::Essential "none";
Acquire::Languages "none"; Acquire::Check-Valid-Until "false"; Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
CONF
  APT_CONFIG=$state/apt.conf said apt-get update "${quick[@]}" -o APT::Update::Error-Mode=any ||
    fail "Debian's suite $1 cannot be read. Look at the network, or set DEBIAN_MIRROR or MYSQL_SUITE"
}

update() {
  [ "$(id -u)" = 0 ] || fail "apt has no package lists. Run once as root: apt-get update"
  said apt-get update "${quick[@]}" -o APT::Update::Error-Mode=any ||
    fail "apt-get update failed. Look at the network and at apt's sources"
}

# download PACKAGE…: into the current directory.
download() {
  said apt-get download "${quick[@]}" "$@" || fail "Debian's packages cannot be fetched. Look at the network, and try again"
}

# unpack DIR PATTERN…: what fits a pattern, out of the packages of the current directory.
unpack() {
  local into=$1 deb
  shift
  for deb in *.deb; do
    # tar fails where a package has nothing of a pattern; the server's --version decides.
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$into" --no-same-owner --wildcards "$@" 2>/dev/null || true
  done
  rm -rf "$into"/usr/share/mysql/mysql-test
  # One language: the directories of the others hold nothing but errmsg.sys.
  find "$into/usr/share/mysql" -mindepth 2 -name errmsg.sys -not -path '*/english/*' -delete
  find "$into" -depth -type d -empty -delete
}

get_mysql() {
  local into=$1 names libraries
  only_suite "${MYSQL_SUITE:-sid}"
  export APT_CONFIG=$state/apt.conf
  # All that it depends on, but for perl, which its scripts want, and what nothing but perl wants.
  names=$(apt-get install "${quick[@]}" --print-uris --no-install-recommends mysql-server-core | awk '{print $2}' | sed 's/_.*//' |
    grep -vE '^(perl|libperl|libgdbm|libdb5|libsasl2-modules-db|libtirpc-common|gcc-[0-9]+-base|openssl-provider-legacy|libc-gconv|libcrypt1|libbz2)') ||
    fail "suite ${MYSQL_SUITE:-sid} has no mysql-server-core that can be installed. Try again another day, or set MYSQL_SUITE"
  # shellcheck disable=SC2086 # a list
  download $names
  unset APT_CONFIG
  unpack "$into" './usr/lib/*' './usr/sbin/mysqld' './usr/share/mysql/*' './lib*'
  libraries=$(echo "$into"/usr/lib/*-linux-gnu)
  rm -rf "$libraries"/{gconv,engines-3,audit,perl,krb5,sasl2} "$into"/usr/lib/{sasl2,systemd,tmpfiles.d}
  rm -f "$into"/usr/lib/mysql/plugin/{mysqlx,group_replication,ha_mock,component_test,test_,libtest,telemetry,component_telemetry}*.so
  template "$into" "$libraries"/ld-linux-*.so.* --library-path "$libraries"
}

# A data directory to copy, because making one takes seconds. What is secret in it is left out.
template() {
  local into=$1 as_root=()
  shift
  [ "$(id -u)" != 0 ] || as_root=(--user=root)
  said "$@" "$into/usr/sbin/mysqld" --no-defaults --initialize-insecure --basedir="$into/usr" --datadir="$into/template" \
    --lc-messages-dir="$into/usr/share/mysql" --character-sets-dir="$into/usr/share/mysql/charsets" \
    --plugin-dir="$into/usr/lib/mysql/plugin" --innodb-redo-log-capacity=8M --innodb-buffer-pool-size=16M "${as_root[@]}" ||
    fail "the fetched MySQL cannot be initialised. Try again another day: Debian's unstable suite moves"
  rm -f "$into"/template/{auto.cnf,*.pem,*.dblwr}
}

get_mariadb() {
  local into=$1 names
  case $(apt-cache policy mariadb-server-core 2>/dev/null) in
    *'Candidate: '[0-9]*) ;;
    *) update ;;
  esac
  names=$(apt-get install "${quick[@]}" -s --no-install-recommends mariadb-server-core | awk '$1 == "Inst" {print $2}' |
    grep -vE '^(perl|libperl)') || fail "this release has no mariadb-server-core. Use Debian 12, or tests/compose.yaml"
  # mariadb-server has the plug-ins. What is installed already is named by no "Inst".
  # shellcheck disable=SC2046
  download $(printf '%s\n' mariadb-server-core mariadb-server $names | sort -u)
  unpack "$into" './usr/lib/*' './usr/sbin/mariadbd' './usr/share/mysql/*'
  rm -rf "$into"/usr/lib/{mysql/plugin/auth_pam_tool_dir,systemd,tmpfiles.d,sysusers.d}
  said env LD_LIBRARY_PATH="$(echo "$into"/usr/lib/*-linux-gnu)" "$into/usr/sbin/mariadbd" --no-defaults --version ||
    fail "the fetched MariaDB does not run here. Use tests/compose.yaml, or apt-get install mariadb-server-core"
}

case $name in
  mysql | mariadb) ;;
  *) fail "there is no recipe for '$name'. Ask for mysql or mariadb" ;;
esac
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
[ ! -e "$dir/$name/.done" ] || exit 0
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
  fail "$name comes out of Debian's packages, and this machine has no apt. Use tests/compose.yaml, or install the server"
fi
echo "Fetching $name …"
# Beside its place, then renamed: a copy is whole or not there.
fresh=$(mktemp -d "$dir/.$name.XXXXXX")
mkdir "$state/packages"
cd "$state/packages"
"get_$name" "$fresh"
chmod -R u=rwX,go=rX "$fresh"
touch "$fresh/.done"
[ -e "$dir/$name/.done" ] || rm -rf "${dir:?}/$name"
mv -T "$fresh" "$dir/$name" 2>/dev/null || [ -e "$dir/$name/.done" ] # another one was quicker
