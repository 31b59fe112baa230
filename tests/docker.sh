#!/usr/bin/env bash
# docker.sh COMMAND ARGS...: starts tests/compose.yaml, runs COMMAND with the servers' DSNs in its environment, stops them.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || { echo "usage: tests/docker.sh COMMAND ARGS..." >&2; exit 2; }
docker compose version >/dev/null 2>&1 || { echo "docker.sh: there is no 'docker compose' on this machine" >&2; exit 1; }

mkdir -p .servers/certificates
[ -e .servers/certificates/client.pem ] ||
  "${VENV:-.venv}/bin/python" -m trustme -d .servers/certificates -i localhost 127.0.0.1 ::1

compose() { docker compose -f tests/compose.yaml "$@"; }
trap 'compose down --volumes' EXIT
compose up --wait

ca=$PWD/.servers/certificates/client.pem  # the authority that trustme has made up
export POSTGRESQL_TEST_DSN=${POSTGRESQL_TEST_DSN:-postgresql://postgres:throw-away@localhost:54317/postgres}
export MYSQL_TEST_DSN=${MYSQL_TEST_DSN:-mysql://root:throw-away@localhost:54384/}
export MARIADB_TEST_DSN=${MARIADB_TEST_DSN:-mysql://root:throw-away@localhost:54311/}
export MONGODB_TEST_DSN=${MONGODB_TEST_DSN:-mongodb://root:throw-away@localhost:54270/}
export POSTGRESQL_TEST_CA=$ca MYSQL_TEST_CA=$ca MARIADB_TEST_CA=$ca MONGODB_TEST_CA=$ca
export SQLSERVER_TEST_DSN=${SQLSERVER_TEST_DSN:-mssql://sa:Throw-away1@localhost:54322/}
export ORACLE_TEST_DSN=${ORACLE_TEST_DSN:-oracle://system:rotators@localhost:54321/FREEPDB1}
"$@"
