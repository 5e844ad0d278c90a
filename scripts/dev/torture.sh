# shellcheck shell=bash
# Random scenarios with servers of their own, for as long as one wants; one test of the fault tests, told by the environment.

torture() { # [--minutes N] [--seed S] [--rounds N]
  local minutes=10 seed='' rounds=''
  while [[ $# -gt 0 ]]; do
    [[ $# -ge 2 ]] || die "torture: $1 needs a value (see ./dev help)"
    case $1 in
      --minutes) minutes=$2 ;;
      --seed) seed=$2 ;;
      --rounds) rounds=$2 ;;
      *) die "torture: unknown option $1 (see ./dev help)" ;;
    esac
    [[ $2 =~ ^[1-9][0-9]*$ ]] || die "torture: $1 is a number, at least 1"
    shift 2
  done
  local variables=()
  mapfile -t variables <"$ENV_FILE"
  variables+=("MILLPOND_TEST_TORTURE_MIN=$minutes")
  [[ -z $seed ]] || variables+=("MILLPOND_TEST_SEED=$seed")
  [[ -z $rounds ]] || variables+=("MILLPOND_TEST_TORTURE_ROUNDS=$rounds")
  cd "$CHECKOUT" || exit
  # The whole shape, so that nothing is compiled twice.
  cargo test "${SHAPE[@]}" --test faults --no-run || exit
  exec env "${variables[@]}" cargo test --quiet "${SHAPE[@]}" --test faults -- --exact --nocapture \
    torture::random_scenarios_leave_everything_exact
}
