# shellcheck shell=bash
# Servers as processes: the account they run as, starting, finding and stopping them.
#
# A pid file alone proves nothing, since pids are reused. Each server has a marker, a path of this checkout that stands
# on its command line; a process without it is not ours and is never signalled.

# Sets SERVER_USER, and AS_SERVER: the command prefix that gives up root. PostgreSQL refuses to run as root, and a
# test server has no need to.
choose_account() {
  SERVER_USER=$(id -un)
  AS_SERVER=()
  if [[ $EUID -eq 0 ]]; then
    SERVER_USER=nobody
    ! id postgres >/dev/null 2>&1 || SERVER_USER=postgres
    SERVER_USER=${MILLPOND_DEV_USER:-$SERVER_USER}
    AS_SERVER=(setpriv --reuid="$SERVER_USER" --regid="$(id -g "$SERVER_USER")" --init-groups --inh-caps=-all)
    chmod a+rx "$DEV_HOME" "$DEV_HOME/run" "$RUN_DIR" "$KAFKA_DIR" "$POSTGRES_DIR"
    "${AS_SERVER[@]}" test -x "$RUN_DIR" ||
      die "the account $SERVER_USER cannot enter $RUN_DIR: name an open folder in MILLPOND_DEV_HOME"
  fi
}

# Makes a folder that belongs to the servers' account and is closed to others.
server_folder() {
  mkdir -p "$1"
  chmod 700 "$1"
  [[ $EUID -ne 0 ]] || chown "$SERVER_USER" "$1"
}

# Starts a server in the background, its output in FOLDER/log and its pid in FOLDER/pid. Every program in the chain
# replaces the one before, so the pid written first is the server's own. Returns when that pid bears the marker.
spawn() { # FOLDER MARKER COMMAND...
  local folder=$1 marker=$2 pid
  shift 2
  [[ ! -e $folder/log ]] || mv -f "$folder/log" "$folder/log.previous"
  (
    echo "$BASHPID" >"$folder/pid"
    cd "$folder" || exit
    exec setsid "${AS_SERVER[@]}" "$@"
  ) </dev/null >"$folder/log" 2>&1 9>&- &
  pid=$!
  until is_ours "$pid" "$marker" || ! kill -0 "$pid" 2>/dev/null; do
    sleep 0.01
  done
}

# Prints the pid of the server of FOLDER, if it runs.
running() { # FOLDER MARKER
  local pid
  pid=$(cat "$1/pid" 2>/dev/null) || return 1
  is_ours "$pid" "$2" || return 1
  printf '%s\n' "$pid"
}

is_ours() { # PID MARKER
  [[ $1 =~ ^[0-9]+$ ]] || return 1
  local arguments
  mapfile -d '' -t arguments 2>/dev/null <"/proc/$1/cmdline" || return 1
  [[ " ${arguments[*]:-} " == *" $2 "* ]]
}

# Asks a server to stop, insists after 20 s, and returns when it is gone.
stop() { # NAME FOLDER MARKER SIGNAL
  local name=$1 folder=$2 marker=$3 pid began=$EPOCHREALTIME deadline=$((SECONDS + 20))
  if ! pid=$(running "$folder" "$marker"); then
    rm -f "$folder/pid"
    say "$name was not running"
    return
  fi
  kill "-$4" "$pid" 2>/dev/null || true
  while is_ours "$pid" "$marker"; do
    if ((SECONDS >= deadline)); then
      warn "$name (pid $pid) does not stop: killing it"
      kill -KILL "$pid" 2>/dev/null || true
      deadline=$((SECONDS + 20))
    fi
    sleep 0.05
  done
  rm -f "$folder/pid"
  say "$name stopped ($(seconds_since "$began"))"
}

# Waits until PROBE succeeds, and fails with the server's last lines when it ends or stays silent.
await() { # NAME FOLDER MARKER PROBE
  local deadline=$((SECONDS + 90))
  until "$4"; do
    if ! running "$2" "$3" >/dev/null; then
      show_log "$1" "$2"
      die "$1 ended while starting (above: its last lines; all of them: $2/log)"
    fi
    if ((SECONDS >= deadline)); then
      show_log "$1" "$2"
      die "$1 does not answer after 90 s (above: its last lines). Cure: ./dev down, then ./dev up"
    fi
    sleep 0.1
  done
}

show_log() { # NAME FOLDER
  [[ -s $2/log ]] || return 0
  printf -- '---- last lines of %s (%s)\n' "$1" "$2/log" >&2
  tail -n 30 "$2/log" >&2
}
