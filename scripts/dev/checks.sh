# shellcheck shell=bash
# Checks and tests, one step after the other, with a table of them at the end.

# The one cargo-deny that deny.toml was written for.
DENY_VERSION=0.20.2
DENY=$DEV_HOME/tools/cargo-deny-$DENY_VERSION/bin/cargo-deny
# Clippy, doc, test and demo share this profile and these features, so that RocksDB is compiled once.
SHAPE=(--release --workspace --features failpoints)
KEEP_GOING=no
FILTERS=()
STEPS=()
FAILED=()
TEST_LOG=
# Tests that failed beside others and passed alone.
AGAIN=()

# Lint, then all tests; with filters only the tests that match them.
check_all() {
  read_check_arguments "$@"
  begin_checks
  TEST_LOG=$(mktemp "$RUN_DIR/tests.XXXXXX")
  touch "$RUN_DIR/tests.began"
  trap 'rm -f "$TEST_LOG"' EXIT
  [[ ${#FILTERS[@]} -gt 0 ]] || lint_steps
  step tests run_tests
  [[ ${#FILTERS[@]} -gt 0 ]] || step fuzz run_fuzz
  summarise
}

lint() {
  read_check_arguments "$@"
  [[ ${#FILTERS[@]} -eq 0 ]] || die "lint takes no names, only --keep-going"
  begin_checks
  lint_steps
  summarise
}

lint_steps() {
  step fmt bounded cargo fmt --all --check
  step clippy bounded cargo clippy "${SHAPE[@]}" --all-targets -- -D warnings
  step deny check_dependencies
  step doc bounded env RUSTDOCFLAGS=-Dwarnings cargo doc "${SHAPE[@]}" --no-deps
  step shellcheck check_shell
}

read_check_arguments() {
  local argument
  for argument in "$@"; do
    case $argument in
      --keep-going) KEEP_GOING=yes ;;
      -*) die "unknown option $argument (see ./dev help)" ;;
      *) FILTERS+=("$argument") ;;
    esac
  done
}

begin_checks() {
  cd "$CHECKOUT" || exit
  BEGAN=$EPOCHREALTIME
  DEADLINE=$((SECONDS + ${MILLPOND_TEST_LIMIT_S:-4500}))
  local tool
  for tool in fmt clippy; do
    cargo "$tool" --version >/dev/null 2>&1 || die "cargo $tool is missing: rustup component add rustfmt clippy"
  done
}

# Runs a command, but not past the deadline of the whole run. On a terminal it stays in the foreground, so that
# Ctrl-C reaches it.
bounded() {
  local foreground=()
  [[ ! -t 0 ]] || foreground=(--foreground)
  local left=$((DEADLINE - SECONDS)) status=0
  ((left > 0)) || left=1
  timeout "${foreground[@]}" --kill-after=20 "$left" "$@" || status=$?
  [[ $status -ne 124 ]] || warn "out of time (MILLPOND_TEST_LIMIT_S)"
  return "$status"
}

# Runs one step under a heading, and notes how long it took and how it ended.
step() { # NAME COMMAND...
  local name=$1 began=$EPOCHREALTIME result=ok
  shift
  printf '\n== %s\n' "$name"
  "$@" || result=FAILED
  STEPS+=("$(printf '%-11s %-8s %s' "$name" "$result" "$(seconds_since "$began")")")
  [[ $result == FAILED ]] || return 0
  FAILED+=("$name")
  [[ $KEEP_GOING == yes ]] || summarise
}

# Prints the table and ends the script: 0 if every step passed, 1 if not.
summarise() {
  printf '\n== summary\n'
  printf '%s\n' "${STEPS[@]}"
  if [[ -s $TEST_LOG ]]; then
    count_tests
    show_figures
  fi
  [[ ${#AGAIN[@]} -eq 0 ]] || printf 'FAILED beside others and passed alone: %s\n' "${AGAIN[*]}"
  if [[ ${#FAILED[@]} -gt 0 ]]; then
    [[ ! -s $TEST_LOG ]] || show_failures
    printf 'FAILED: %s (after %s)\n' "${FAILED[*]}" "$(seconds_since "$BEGAN")"
    exit 1
  fi
  printf 'PASSED (%s)\n' "$(seconds_since "$BEGAN")"
  exit 0
}

run_tests() {
  local variables=() status=0 options=()
  mapfile -t variables <"$ENV_FILE"
  [[ $KEEP_GOING == no ]] || options+=(--no-fail-fast)
  # The output goes through a pipe, which would cost it its colours.
  [[ ! -t 1 ]] || variables+=("CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-always}")
  # Most of them wait for a server or a timeout most of the time.
  variables+=("RUST_TEST_THREADS=${RUST_TEST_THREADS:-2}")
  local run=(env "${variables[@]}" cargo test "${SHAPE[@]}" "${options[@]}")
  bounded "${run[@]}" -- "${FILTERS[@]}" 2>&1 | tee "$TEST_LOG" || status=$?
  if [[ $status -eq 0 ]] && ! grep -Eq '(^|[^0-9])[1-9][0-9]* passed' "$TEST_LOG"; then
    warn "no test ran"
    status=1
  fi
  [[ $status -ne 0 ]] || return 0
  # Without --keep-going the binaries behind the first that failed have not run.
  [[ $KEEP_GOING == no ]] || ! run_again "${run[@]}" || return 0
  show_server_logs
  return "$status"
}

# In a shell of its own, which its failure ends.
run_fuzz() {
  (fuzz --seconds "${MILLPOND_TEST_FUZZ_S:-120}")
}

# Adds up the closing lines of the test binaries.
count_tests() {
  sed 's/\x1b\[[0-9;]*m//g' "$TEST_LOG" | awk '
    /^test result:/ {
      for (i = 2; i <= NF; i++) {
        if ($i ~ /^passed/) passed += $(i - 1)
        if ($i ~ /^failed/) failed += $(i - 1)
        if ($i ~ /^ignored/) skipped += $(i - 1)
      }
    }
    END { printf "tests: %d passed, %d failed, %d skipped\n", passed, failed, skipped }'
}

# Shows what the tests of this run measured.
show_figures() {
  local folder=$CARGO_TARGET_DIR/tmp/figures
  [[ -d $folder ]] || return 0
  find "$folder" -type f -newer "$RUN_DIR/tests.began" -print0 | sort -z |
    while IFS= read -r -d '' file; do printf '%s: %s\n' "${file##*/}" "$(<"$file")"; done
}

# Which crates may be used, by whom, and under which licence. Known vulnerabilities as well, where their database can
# be fetched: without it, that check alone is skipped, and says so.
check_dependencies() {
  install_cargo_deny || return 1
  bounded "$DENY" check bans licenses sources || return 1
  local output
  if ! output=$(timeout 60 "$DENY" fetch db 2>&1); then
    say "advisories SKIPPED: their database cannot be fetched: $(grep -m 1 -o 'fatal: .*' <<<"$output" || echo "no answer")"
    return 0
  fi
  bounded "$DENY" check advisories
}

install_cargo_deny() {
  [[ ! -x $DENY ]] || return 0
  with_lock "$DEV_HOME/.setup.lock" build_cargo_deny
}

# Unoptimised and without debug information: it runs for a second and would compile for many minutes.
build_cargo_deny() {
  [[ ! -x $DENY ]] || return 0
  say "missing: cargo-deny $DENY_VERSION; building it (once)"
  local build=$DEV_HOME/tools/build
  if ! CARGO_TARGET_DIR=$build CARGO_PROFILE_DEV_DEBUG=0 bounded cargo install --quiet --locked --debug \
    --version "=$DENY_VERSION" --root "${DENY%/bin/*}" cargo-deny; then
    rm -rf "$build"
    warn "cargo-deny could not be built; install it by hand: cargo install --root ${DENY%/bin/*} cargo-deny@$DENY_VERSION"
    return 1
  fi
  rm -rf "$build"
}

# Every script of the checkout, known by its ending or its first line.
check_shell() {
  local file first scripts=()
  while IFS= read -r -d '' file; do
    [[ -f $file ]] || continue
    first=
    [[ $file != *.* || $file == .ci/* ]] && { IFS= read -r first <"$file" || true; } 2>/dev/null
    [[ $file == *.sh || $first =~ ^#!.*[/\ ](ba)?sh ]] && scripts+=("$file")
  done < <(git ls-files -z --cached --others --exclude-standard)
  say "${#scripts[@]} scripts"
  bounded shellcheck -x "${scripts[@]}"
}
