#!/bin/sh
# What the official image does with these variables: a new database has its user and its password.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --locale=C.UTF-8 -D "$PGDATA" -U "$POSTGRES_USER" --auth-host=scram-sha-256 --auth-local=trust --pwfile="$POSTGRES_PASSWORD_FILE"
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
  createdb -h /var/run/postgresql -U "$POSTGRES_USER" "$POSTGRES_DB"
  pg_ctl -D "$PGDATA" -m fast -w stop
fi
exec postgres -D "$PGDATA" -c listen_addresses='*'
