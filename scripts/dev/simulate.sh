# shellcheck shell=bash
# The simulator as a command: one test of its own binary, told by the environment what to run.

simulate() { # [--seeds N] [--from S] [--kind KIND] [--mutant NAMES]
  local seeds=1000 from=0 kind='' mutant=''
  while [[ $# -gt 0 ]]; do
    [[ $# -ge 2 ]] || die "simulate: $1 needs a value (see ./dev help)"
    case $1 in
      --seeds) seeds=$2 ;;
      --from) from=$2 ;;
      --kind) kind=$2 ;;
      --mutant) mutant=$2 ;;
      *) die "simulate: unknown option $1 (see ./dev help)" ;;
    esac
    shift 2
  done
  [[ $seeds =~ ^[1-9][0-9]*$ && $from =~ ^[0-9]+$ ]] || die "simulate: seeds are numbers, at least one"
  cd "$CHECKOUT" || exit
  # The whole shape, so that nothing is compiled twice; no server is needed.
  cargo test "${SHAPE[@]}" --test simulation --no-run || exit
  exec env MILLPOND_SIMULATE_SEEDS="$seeds" MILLPOND_SIMULATE_FROM="$from" MILLPOND_SIMULATE_KIND="$kind" \
    MILLPOND_SIMULATE_MUTANT="$mutant" \
    cargo test --quiet "${SHAPE[@]}" --test simulation -- --exact --nocapture command::simulate_as_told
}
