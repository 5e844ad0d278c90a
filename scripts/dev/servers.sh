# shellcheck shell=bash
# Both servers of this checkout together: ports, start, stop, and the file that tells the tests where they are.

KAFKA_PORT=
CONTROLLER_PORT=
POSTGRES_PORT=

up() {
  mkdir -p "$KAFKA_DIR" "$POSTGRES_DIR"
  with_lock "$RUN_DIR.lock" up_locked
  read_ports
}

up_locked() {
  local began=$EPOCHREALTIME kafka_pid='' postgres_pid=''
  choose_account
  kafka_pid=$(kafka_running) || true
  postgres_pid=$(postgres_running) || true
  with_lock "$DEV_HOME/.ports.lock" settle_ports "$kafka_pid" "$postgres_pid"
  read_ports
  # Both are started before either is waited for.
  [[ -n $postgres_pid ]] || postgres_start
  [[ -n $kafka_pid ]] || kafka_start
  await postgresql "$POSTGRES_DIR" "$POSTGRES_DATA" postgres_answers
  report postgresql "$POSTGRES_PORT" "$postgres_pid" "$(postgres_running)" "$began"
  await kafka "$KAFKA_DIR" "$KAFKA_MARKER" kafka_answers
  report kafka "$KAFKA_PORT" "$kafka_pid" "$(kafka_running)" "$began"
  write_env
}

report() { # NAME PORT PID_BEFORE PID BEGAN
  local state=running
  [[ -n $3 ]] || state="started in $(seconds_since "$5")"
  printf '%-10s  127.0.0.1:%s  %s (pid %s)\n' "$1" "$2" "$state" "$4"
}

down() {
  if [[ -d $RUN_DIR ]]; then
    with_lock "$RUN_DIR.lock" down_locked
  else
    say "nothing was started here"
  fi
}

down_locked() {
  kafka_stop
  postgres_stop
}

reset() {
  if [[ -d $RUN_DIR ]]; then
    with_lock "$RUN_DIR.lock" reset_locked
  else
    say "nothing to delete"
  fi
}

reset_locked() {
  down_locked
  rm -rf "$RUN_DIR"
  say "deleted $RUN_DIR"
}

read_ports() {
  # shellcheck source=/dev/null
  source "$RUN_DIR/ports"
}

# Keeps the ports of an earlier start; chooses them at the first one, and again when somebody else took one while our
# server was down. Called under a lock of all checkouts, so that two of them never choose the same.
settle_ports() { # KAFKA_PID POSTGRES_PID
  local listening known next
  listening=" $(listening_ports) "
  known=" $({ cat "$DEV_HOME"/run/*/ports 2>/dev/null || true; } | tr -cs '0-9' ' ') "
  # Below the range from which the system takes ports for outgoing connections, at a place of this checkout's own.
  next=$((21000 + 16#${CHECKOUT_ID:0:6} % 8000))
  [[ ! -e $RUN_DIR/ports ]] || read_ports
  [[ -n $1 ]] || settle_port KAFKA_PORT
  [[ -n $1 ]] || settle_port CONTROLLER_PORT
  [[ -n $2 ]] || settle_port POSTGRES_PORT
  printf '%s\n' "KAFKA_PORT=$KAFKA_PORT" "CONTROLLER_PORT=$CONTROLLER_PORT" "POSTGRES_PORT=$POSTGRES_PORT" >"$RUN_DIR/ports"
}

# Reads and advances settle_ports' variables.
settle_port() { # NAME
  local -n port=$1
  [[ -z $port || $listening == *" $port "* ]] || return 0
  while [[ $listening$known == *" $next "* ]]; do
    next=$((next + 1))
  done
  port=$next
  next=$((next + 1))
}

# Every TCP port of this host that someone listens on, on any address. The kernel's table has them in hexadecimal.
listening_ports() {
  local ports
  mapfile -t ports < <(awk '$4 == "0A" { n = split($2, part, ":"); print "0x" part[n] }' /proc/net/tcp*)
  printf '%d ' "${ports[@]:-0}"
}

# Written as a whole or not at all: tests of another terminal may be reading it.
write_env() {
  cat >"$ENV_FILE.new" <<ENV
MILLPOND_TEST_BROKERS=127.0.0.1:$KAFKA_PORT
MILLPOND_TEST_POSTGRES=postgres://millpond@127.0.0.1:$POSTGRES_PORT/postgres
MILLPOND_TEST_ACCOUNT=$SERVER_USER
MILLPOND_KAFKA_LIB=$KAFKA_LIB
MILLPOND_PG_BIN=$PG_BIN
MILLPOND_JAVA=$JAVA
ENV
  mv "$ENV_FILE.new" "$ENV_FILE"
}

show_server_logs() {
  show_log kafka "$KAFKA_DIR"
  show_log postgresql "$POSTGRES_DIR"
}
