# shellcheck shell=bash
# Fuzzing: builds the targets of fuzz/ and runs each for a while, on what earlier runs kept and on the seeds of the
# checkout. A crash fails the run and leaves its input.

# What `cargo fuzz build --sanitizer none` asks the compiler for. Stable Rust has no sanitizers, and safe code has little for
# them to find; coverage works. Asked for by hand, since cargo-fuzz itself takes longer to build than all targets.
FUZZ_FLAGS="--cfg fuzzing -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks -Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
FUZZ_OUTPUT=$DEV_HOME/fuzz-target
# What earlier runs found worth keeping, and what crashed, per target.
FUZZ_CORPUS=$DEV_HOME/fuzz-corpus
FUZZ_CRASHES=$DEV_HOME/fuzz-crashes
# No input may take longer or need more: an order has at most 64 KiB.
FUZZ_LIMITS=(-timeout=10 -rss_limit_mb=1024 -max_len=70000)

fuzz() { # [--seconds N] [TARGET]
  local seconds=120 targets=()
  while [[ $# -gt 0 ]]; do
    case $1 in
      --seconds)
        [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "fuzz: --seconds needs a whole number (see ./dev help)"
        seconds=$2
        shift
        ;;
      -*) die "fuzz: unknown option $1 (see ./dev help)" ;;
      *) targets+=("$1") ;;
    esac
    shift
  done
  cd "$CHECKOUT/fuzz" || exit
  local known
  mapfile -t known < <(sed -n 's/^name = "\(.*\)"/\1/p' Cargo.toml | tail -n +2)
  [[ ${#targets[@]} -gt 0 ]] || targets=("${known[@]}")
  ensure_home
  local target host failed=() bins=()
  for target in "${targets[@]}"; do
    [[ " ${known[*]} " == *" $target "* ]] || die "fuzz: no target $target; there are: ${known[*]}"
    bins+=(--bin "$target")
  done
  host=$(rustc -vV | sed -n 's/^host: //p')
  # Named, so that the flags are not for build scripts and macros.
  RUSTFLAGS=$FUZZ_FLAGS cargo build --release --locked --target "$host" --target-dir "$FUZZ_OUTPUT" "${bins[@]}" || exit
  local marks running=0
  marks=$(mktemp -d)
  # Two at a time: each keeps one core busy.
  for target in "${targets[@]}"; do
    if ((running == 2)); then
      wait -n || true
      running=1
    fi
    { fuzz_target "$target" "$FUZZ_OUTPUT/$host/release/$target" "$seconds" || touch "$marks/$target"; } &
    running=$((running + 1))
  done
  wait
  mapfile -t failed < <(ls "$marks")
  rm -rf "$marks"
  [[ ${#failed[@]} -eq 0 ]] || die "fuzz: failed: ${failed[*]}"
}

# Runs one target and says what it did.
fuzz_target() { # TARGET BINARY SECONDS
  local target=$1 binary=$2 seconds=$3 status=0 log
  local corpus=$FUZZ_CORPUS/$target crashes=$FUZZ_CRASHES/$target
  mkdir -p "$corpus" "$crashes"
  log=$(mktemp)
  "$binary" "${FUZZ_LIMITS[@]}" -max_total_time="$seconds" -print_final_stats=1 -artifact_prefix="$crashes/" \
    "$corpus" "$CHECKOUT/fuzz/corpus/$target" >"$log" 2>&1 || status=$?
  if [[ $status -ne 0 ]]; then
    tail -n 40 "$log"
    local input
    input=$(sed -n 's/^.*Test unit written to //p' "$log" | tail -1)
    warn "fuzz $target: failed on ${input:-an input that was not written}; once more: $binary $input"
    rm -f "$log"
    return 1
  fi
  local runs new peak coverage
  runs=$(fuzz_figure "$log" number_of_executed_units)
  new=$(fuzz_figure "$log" new_units_added)
  peak=$(fuzz_figure "$log" peak_rss_mb)
  coverage=$(sed -n 's/^.* cov: \([0-9]*\) .*$/\1/p' "$log" | tail -1)
  say "fuzz $target: $runs runs in $seconds s, coverage $coverage, $new new inputs," \
    "$(find "$corpus" -type f | wc -l) kept, $peak MB"
  rm -f "$log"
}

fuzz_figure() { # LOG NAME
  sed -n "s/^stat::$2: *//p" "$1" | tail -1
}
