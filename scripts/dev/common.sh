# shellcheck shell=bash
# Messages, locks and the home folder.

say() { printf '%s\n' "$*"; }
warn() { printf 'dev: %s\n' "$*" >&2; }
die() {
  warn "$*"
  exit 1
}

# Makes the home folder, and refuses one that somebody else could have laid out for us (its default for root lies in a
# folder that everyone may write to).
ensure_home() {
  mkdir -p "$DEV_HOME/run" "$CARGO_TARGET_DIR"
  [[ -O $DEV_HOME ]] || die "$DEV_HOME belongs to another user: name a folder of your own in MILLPOND_DEV_HOME"
}

# Runs a function while holding a lock, so that two runs of this script do not install or start the same thing twice.
# The functions run in a subshell; its descriptor 9 holds the lock, and servers started there must not inherit it.
with_lock() { # FILE FUNCTION ARGS...
  local file=$1
  shift
  (
    if ! flock -n 9; then
      warn "waiting for another ./dev"
      flock 9
    fi
    "$@"
  ) 9>>"$file"
}

# Prints seconds since $1 (a value of EPOCHREALTIME) with one decimal.
seconds_since() {
  local now=$EPOCHREALTIME
  local tenths=$(((${now//[!0-9]/} - ${1//[!0-9]/}) / 100000))
  printf '%d.%d s' $((tenths / 10)) $((tenths % 10))
}
