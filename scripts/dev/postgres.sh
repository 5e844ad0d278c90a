# shellcheck shell=bash
# One PostgreSQL cluster of this checkout.

POSTGRES_DATA=$POSTGRES_DIR/data

postgres_running() { running "$POSTGRES_DIR" "$POSTGRES_DATA"; }

postgres_start() {
  [[ -e $POSTGRES_DATA/PG_VERSION ]] || postgres_init
  forget_dead_postmaster
  server_folder "$POSTGRES_DIR/socket"
  local sockets=$POSTGRES_DIR/socket
  # A socket's path has to fit in 107 bytes; TCP alone will do where it does not.
  ((${#sockets} <= 85)) || sockets=
  # fsync stays on: the sink's tests measure and crash a database that keeps its promises.
  spawn "$POSTGRES_DIR" "$POSTGRES_DATA" "$PG_BIN/postgres" -D "$POSTGRES_DATA" -p "$POSTGRES_PORT" -k "$sockets" \
    -c listen_addresses=127.0.0.1 -c max_connections=200
}

# SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for every client to leave by itself.
postgres_stop() { stop "postgresql" "$POSTGRES_DIR" "$POSTGRES_DATA" INT; }

# Lays out a cluster beside its final place and moves it there when it is complete.
postgres_init() {
  local partial=$POSTGRES_DIR/data.partial
  rm -rf "$POSTGRES_DATA" "$partial"
  server_folder "$partial"
  (cd / && "${AS_SERVER[@]}" "$PG_BIN/initdb" --auth=trust -U millpond -E UTF8 --locale=C.UTF-8 -D "$partial") \
    >"$POSTGRES_DIR/initdb.log" 2>&1 ||
    die "initdb failed: $(tail -n 5 "$POSTGRES_DIR/initdb.log")"
  mv "$partial" "$POSTGRES_DATA"
}

# After kill -9 the lock files stay behind, and PostgreSQL refuses to start as long as a process with their pid is
# there, be it another one or a zombie. Only called when our server is not running.
forget_dead_postmaster() {
  rm -rf "$POSTGRES_DIR/socket"
  local pid
  pid=$(head -n 1 "$POSTGRES_DATA/postmaster.pid" 2>/dev/null) || return 0
  is_ours "$pid" "$POSTGRES_DATA" || rm -f "$POSTGRES_DATA/postmaster.pid"
}

postgres_answers() { [[ $(sql postgres 'SELECT 1' 2>/dev/null) == 1 ]]; }

sql() { # DATABASE STATEMENT
  PGCONNECT_TIMEOUT=3 "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$POSTGRES_PORT" -U millpond -d "$1" -c "$2"
}

create_database() {
  [[ $(sql postgres "SELECT 1 FROM pg_database WHERE datname = '$1'") == 1 ]] || sql postgres "CREATE DATABASE $1"
}
