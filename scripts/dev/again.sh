# shellcheck shell=bash
# What becomes of tests that failed: a second run, alone, of those that are timed against real servers.

# Binaries whose tests share two cores and two servers with one another.
SHARED_SERVERS='tests/(e2e|faults|sink|judge)/main.rs'
# What the oracle says when money is wrong: never a matter of the machine's load.
OBJECTION='the oracle objects'

# Prints `BINARY NAME` of each test that failed.
failed_tests() { # LOG
  sed 's/\x1b\[[0-9;]*m//g' "$1" | awk '
    $1 == "Running" { binary = $2 == "unittests" ? $3 : $2 }
    $1 == "Doc-tests" { binary = "doc" }
    /^test .* \.\.\. FAILED$/ { print binary, $2 }'
}

# Says whether every binary that was started came to its end: one that died has failed tests that it did not name.
all_ended() { # LOG
  sed 's/\x1b\[[0-9;]*m//g' "$1" | awk '
    $1 == "Running" || $1 == "Doc-tests" { begun++ }
    /^test result:/ { ended++ }
    END { exit begun != ended }'
}

# Runs what failed once more, one test at a time. Succeeds if all of it may be tried again and passes now.
run_again() { # COMMAND OF CARGO TEST...
  local failed=() line log
  mapfile -t failed < <(failed_tests "$TEST_LOG")
  [[ ${#failed[@]} -gt 0 && ${#failed[@]} -le 8 ]] || return 1
  for line in "${failed[@]}"; do
    [[ ${line% *} =~ $SHARED_SERVERS ]] || return 1
  done
  all_ended "$TEST_LOG" || return 1
  if grep -q "$OBJECTION" "$TEST_LOG"; then
    warn "no second run: the oracle objects"
    return 1
  fi
  log=$(mktemp "$RUN_DIR/again.XXXXXX")
  printf '\n== once more, alone: %s\n' "${failed[*]##* }"
  if ! bounded "$@" -- --exact --test-threads 1 "${failed[@]##* }" 2>&1 | tee "$log"; then
    printf '\n-- again\n' >>"$TEST_LOG"
    cat "$log" >>"$TEST_LOG"
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
  # shellcheck disable=SC2034
  AGAIN=("${failed[@]##* }")
}

# Shows of each failure its first words and its last ones (a test that shows a log ends with the log's end), after
# everything else.
show_failures() {
  sed 's/\x1b\[[0-9;]*m//g' "$TEST_LOG" | awk -v first=3 -v last=6 '
    function close_failure(  i) {
      if (failing && lines > first + last) print "  [...]"
      for (i = lines - last + 1; failing && i <= lines; i++) if (i > first) print "  " kept[i]
      failing = 0
    }
    /^thread .* panicked at / { close_failure(); print; failing = 1; lines = 0; next }
    /^stack backtrace:|^note: run with|^test |^failures:/ { close_failure() }
    failing {
      kept[++lines] = substr($0, 1, 400)
      if (lines <= first) print "  " kept[lines]
    }
    END { close_failure() }'
}
