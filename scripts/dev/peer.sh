# shellcheck shell=bash
# ./dev bench --peer kafka-streams: the same work for millpond and for the peer, in turn, on the same broker and input.

PEER_SOURCE=$CHECKOUT/benches/peers/kafka-streams
PEER_BUILD=$DEV_HOME/peer/$CHECKOUT_ID
# For a short-lived process on few cores: the collector with the least overhead, and a heap that does not grow.
PEER_TUNED_JVM=(-XX:+UseParallelGC -Xms512m -Xmx512m)
PEER_CONFIGS=(default tuned)

# Options of the bench, and what a round works on.
PEER_PARTS=drain
PEER_ROUNDS=3
PEER_ORDERS=2000000
PEER_USERS=100000
PEER_PARTITIONS=4
PEER_THREADS=2
PEER_ZIPF=0
PEER_SECONDS=30
PEER_RATES=5000
PEER_DIR=bench-data/peer
PEER_LOWEST=
# The peer's lowest latency where it keeps up; at rates where it does not with so many commits, the default is its lowest.
PEER_LOWEST_INTERVAL_MS=10
PEER_APP=
PEER_ROUND_DIR=
PEER_SEED=1000
PEER_SET=()
PEER_COMMAND=()
LOAD=()
LOAD_LINE=

peer_usage() {
  cat <<HELP
usage: ./dev bench --peer kafka-streams [OPTIONS]

  --parts LIST       of drain,restore,start,latency,kill, with commas        ($PEER_PARTS)
  --rounds N         every part of every system so many times, in turn       ($PEER_ROUNDS)
  --orders N --users N --partitions N --threads N --zipf Z                    the drain, which every round begins with
  --seconds N        measured by latency; kill waits a third of it            ($PEER_SECONDS)
  --rates LIST       orders per second of latency, with commas; kill takes the first  ($PEER_RATES)
  --configs LIST     of default,tuned, with commas; none measures millpond alone  (default,tuned)
  --dir DIR          results                                                  ($PEER_DIR)
  --set KEY=VALUE    a setting of Kafka Streams to try in \`tuned\`; may be repeated
HELP
}

peer_bench() {
  local peer=${1:-}
  [[ $peer == kafka-streams ]] || die "there is one peer: ./dev bench --peer kafka-streams"
  shift
  while [[ $# -gt 0 ]]; do
    case $1 in
      --parts) PEER_PARTS=${2:-} ;;
      --rounds) PEER_ROUNDS=${2:-} ;;
      --orders) PEER_ORDERS=${2:-} ;;
      --users) PEER_USERS=${2:-} ;;
      --partitions) PEER_PARTITIONS=${2:-} ;;
      --threads) PEER_THREADS=${2:-} ;;
      --zipf) PEER_ZIPF=${2:-} ;;
      --seconds) PEER_SECONDS=${2:-} ;;
      --rates) PEER_RATES=${2:-} ;;
      --dir) PEER_DIR=${2:-} ;;
      --configs)
        IFS=, read -ra PEER_CONFIGS <<<"${2:-}"
        case ${2:-} in
          none) PEER_CONFIGS=() ;;
          default | tuned | default,tuned | tuned,default) ;;
          *) die "--configs takes default, tuned, both with a comma, or none, not ${2:-}" ;;
        esac
        ;;
      --set) PEER_SET+=(--set "${2:-}") ;;
      *)
        peer_usage >&2
        exit 2
        ;;
    esac
    [[ $# -ge 2 ]] || die "$1 has no value"
    shift 2
  done
  local part parts
  IFS=, read -ra parts <<<"$PEER_PARTS"
  for part in "${parts[@]}"; do
    [[ ,drain,restore,start,latency,kill, == *",$part,"* ]] || die "there is no part called $part"
  done
  [[ $PEER_RATES =~ ^[0-9]+(,[0-9]+)*$ ]] || die "--rates takes orders per second with commas, not $PEER_RATES"
  peer_build
  mkdir -p "$PEER_DIR"
  PEER_DIR=$(cd "$PEER_DIR" && pwd)
  local results round
  results=$PEER_DIR/results-$(date +%s).jsonl
  for ((round = 1; round <= PEER_ROUNDS; round++)); do
    say "== round $round of $PEER_ROUNDS"
    peer_round >>"$results"
  done
  peer_java summary <"$results" | tee "${results%.jsonl}.txt"
  say "kept in $results"
}

# The modes that do not run Kafka Streams need no tuning.
peer_java() { "$JAVA" -cp "$PEER_BUILD/classes:$PEER_BUILD/lib/*" millpond.peer.Main "$@"; }

peer_build() {
  say "building the peer"
  mkdir -p "$PEER_BUILD"
  if ! timeout 900 mvn -q -B -Dstyle.color=never -f "$PEER_SOURCE/pom.xml" -Dkafka.version="$KAFKA_VERSION" \
    -Dpeer.build="$PEER_BUILD" package >"$PEER_BUILD.log" 2>&1 </dev/null; then
    tail -n 20 "$PEER_BUILD.log" >&2
    die "Maven could not build the peer (above: why)"
  fi
}

# One line of JSON per part and system goes to standard output, everything else to standard error.
peer_round() {
  PEER_ROUND_DIR=$(mktemp -d "$PEER_DIR/round.XXXXXX")
  local config system
  peer_drain_ours
  for config in "${PEER_CONFIGS[@]}"; do
    peer_drain_peer "$config"
  done
  peer_compare
  ! peer_wants restore || peer_restores
  if peer_wants start || peer_wants latency || peer_wants kill; then
    for system in millpond "${PEER_CONFIGS[@]}"; do
      peer_start "$system"
      ! peer_wants latency || peer_latencies "$system"
    done
    ! peer_wants kill || peer_kills
    peer_load --orders 100 --rate 0
    for system in millpond "${PEER_CONFIGS[@]}"; do
      peer_measure kill "$system" --rounds 0 >/dev/null
    done
    peer_compare
  fi
  peer_java forget --brokers "$(broker_address)" --prefix "$PEER_APP"
  rm -rf "$PEER_ROUND_DIR"
}

peer_wants() { [[ ,$PEER_PARTS, == *",$1,"* ]]; }

# The bench makes the topics and the input, lets the oracle judge millpond's run, and leaves everything in place.
peer_drain_ours() {
  local json folders
  warn "millpond drains"
  json=$(MILLPOND_KAFKA__BROKERS=$(broker_address) "$CARGO_TARGET_DIR/release/millpond-bench" drain \
    --dir "$PEER_ROUND_DIR" --orders "$PEER_ORDERS" --users "$PEER_USERS" --partitions "$PEER_PARTITIONS" \
    --threads "$PEER_THREADS" --zipf "$PEER_ZIPF" --broker-pid "$(kafka_running)") || die "millpond's drain failed"
  folders=("$PEER_ROUND_DIR"/bench-*)
  PEER_APP=${folders[0]##*/}
  json=$(tr -d '\n' <<<"$json")
  printf '{"part":"drain","system":"millpond",%s\n' "${json#\{}"
}

peer_drain_peer() { # CONFIG
  warn "kafka-streams $1 drains"
  peer_as "$1" "$CARGO_TARGET_DIR/release/millpond" topics init --execute >/dev/null 2>&1 ||
    die "the peer's topics could not be created"
  peer_command fund "$1"
  "${PEER_COMMAND[@]}" >&2
  peer_command drain "$1"
  "${PEER_COMMAND[@]}" --broker-pid "$(kafka_running)"
}

# Deletes and restores every system's state.
peer_restores() {
  local config json
  warn "all restore from nothing"
  json=$(MILLPOND_KAFKA__BROKERS=$(broker_address) "$CARGO_TARGET_DIR/release/millpond-bench" restore \
    --app-dir "$PEER_ROUND_DIR/$PEER_APP" --partitions "$PEER_PARTITIONS" --threads "$PEER_THREADS" \
    --dir "$PEER_ROUND_DIR/restore") || die "millpond's restore failed"
  json=$(tr -d '\n' <<<"$json")
  printf '{"part":"restore","system":"millpond",%s\n' "${json#\{}"
  for config in "${PEER_CONFIGS[@]}"; do
    peer_command restore "$config"
    "${PEER_COMMAND[@]}"
  done
}

# From warm state, and where that is wanted from none, to the first committed output. Orders wait in either case; from
# warm state also those that the other systems' measurements left.
peer_start() { # SYSTEM
  peer_load --orders 100 --rate 0
  peer_measure kill "$1" --rounds 0 --part start-warm
  peer_wants start || return 0
  rm -rf "${PEER_ROUND_DIR:?}/state-$1"
  [[ $1 != millpond ]] || rm -rf "${PEER_ROUND_DIR:?}/$PEER_APP/state"
  peer_load --orders 100 --rate 0
  peer_measure kill "$1" --rounds 0 --part start-from-nothing
}

# At every rate, with the commit settings of the drain and with those of each system for the lowest latency.
peer_latencies() { # SYSTEM
  local rate rates
  IFS=, read -ra rates <<<"$PEER_RATES"
  for rate in "${rates[@]}"; do
    peer_latency "$1" "$rate" "latency-$rate"
    PEER_LOWEST=1
    peer_latency "$1" "$rate" "lowest-latency-$rate"
    PEER_LOWEST=
  done
}

peer_latency() { # SYSTEM RATE PART
  warn "$1: $3"
  peer_load --orders 100 --rate 0
  peer_load_line "$2"
  peer_measure observe "$1" --seconds "$PEER_SECONDS" --load "$LOAD_LINE" --part "$3"
}

peer_kills() {
  local system after=$((PEER_SECONDS / 3)) static=()
  [[ " ${PEER_CONFIGS[*]} " != *" tuned "* ]] || static=(tuned-static)
  for system in millpond "${PEER_CONFIGS[@]}" "${static[@]}"; do
    # What the others were given meanwhile is taken in first.
    peer_load --orders 100 --rate 0
    peer_measure kill "${system%-static}" --rounds 0 >/dev/null
    warn "$system is killed"
    peer_load_line "${PEER_RATES%%,*}"
    peer_measure kill "$system" --rounds 1 --after-seconds "$after" --load "$LOAD_LINE"
  done
}

# Runs MODE on a system with the neutral observer around it.
peer_measure() { # MODE SYSTEM OPTIONS...
  local mode=$1 system=$2 environment=() topic
  shift 2
  if [[ $system == millpond ]]; then
    mapfile -t environment < <(peer_environment "$PEER_APP" "")
    [[ -z $PEER_LOWEST ]] || environment+=(MILLPOND_COMMIT__MODE=latency)
    PEER_COMMAND=(env "${environment[@]}" "$CARGO_TARGET_DIR/release/millpond" run --roles processor)
    topic=$PEER_APP.account.events
  else
    peer_command run "${system%-static}"
    [[ $system != *-static ]] || PEER_COMMAND+=(--static peer)
    topic=$PEER_APP.${system%-static}.account.events
    system=kafka-streams-$system
  fi
  peer_java "$mode" --brokers "$(broker_address)" --topic "$topic" --system "$system" \
    --log "$PEER_ROUND_DIR/$system.log" "$@" -- "${PEER_COMMAND[@]}" || die "$mode of $system failed: $PEER_ROUND_DIR/$system.log"
}

# Sets PEER_COMMAND: the peer in a mode that runs Kafka Streams.
peer_command() { # MODE CONFIG
  local jvm=() more=()
  [[ $2 != tuned ]] || jvm=("${PEER_TUNED_JVM[@]}") more=("${PEER_SET[@]}")
  [[ -z $PEER_LOWEST ]] || more+=(--set "commit.interval.ms=$PEER_LOWEST_INTERVAL_MS")
  PEER_COMMAND=("$JAVA" "${jvm[@]}" -cp "$PEER_BUILD/classes:$PEER_BUILD/lib/*" millpond.peer.Main "$1" --config "$2"
    --brokers "$(broker_address)" --app "$PEER_APP-$2" --namespace "$PEER_APP" --threads "$PEER_THREADS"
    --state "$PEER_ROUND_DIR/state-$2" --orders "$PEER_APP.order.events" --commands "$PEER_APP.account.commands"
    --accounts "$PEER_APP.$2.account.events" --deadletters "$PEER_APP.$2.deadletter.events"
    "${more[@]}")
}

# Prints millpond's settings, a line each, for an application that reads this round's input and writes to topics of
# its own.
peer_environment() { # APP INFIX
  printf '%s\n' "MILLPOND_APP__ID=$1" "MILLPOND_INSTANCE__ID=bench" "MILLPOND_THREADS=$PEER_THREADS" \
    "MILLPOND_KAFKA__BROKERS=$(broker_address)" "MILLPOND_STATE__DIR=$PEER_ROUND_DIR/$PEER_APP/state" \
    "MILLPOND_HTTP__LISTEN=127.0.0.1:0" "MILLPOND_TOPICS__ORDERS__NAME=$PEER_APP.order.events" \
    "MILLPOND_TOPICS__COMMANDS__NAME=$PEER_APP.account.commands" \
    "MILLPOND_TOPICS__ACCOUNTS__NAME=$PEER_APP$2.account.events" \
    "MILLPOND_TOPICS__DEADLETTER__NAME=$PEER_APP$2.deadletter.events"
  local topic
  for topic in ORDERS COMMANDS ACCOUNTS DEADLETTER; do
    printf '%s\n' "MILLPOND_TOPICS__${topic}__PARTITIONS=$PEER_PARTITIONS"
  done
}

# Runs a command of millpond as the peer's application.
peer_as() { # CONFIG COMMAND...
  local environment=() app=$PEER_APP-$1 infix=.$1
  shift
  mapfile -t environment < <(peer_environment "$app" "$infix")
  env "${environment[@]}" "$@"
}

# Sets LOAD: the command that writes orders that every system answers alike, whatever the interleaving; never the same
# ones twice.
peer_loader() {
  local environment=()
  PEER_SEED=$((PEER_SEED + 1))
  mapfile -t environment < <(peer_environment "$PEER_APP" "")
  LOAD=(env "${environment[@]}" "$CARGO_TARGET_DIR/release/millpond" --quiet load --skip-funding --users "$PEER_USERS"
    --seed "$PEER_SEED" --zipf "$PEER_ZIPF" --bad 0 --others 0 --duplicates 0 --short 0 --unknown-users 0)
}

peer_load() { # OPTIONS...
  peer_loader
  "${LOAD[@]}" "$@" >>"$PEER_ROUND_DIR/load.log" 2>&1 || die "the load failed: $PEER_ROUND_DIR/load.log"
}

# Sets LOAD_LINE: a shell line that writes orders at the rate until it is told to stop.
peer_load_line() { # RATE
  peer_loader
  printf -v LOAD_LINE '%q ' "${LOAD[@]}" --orders 100000000 --rate "$1"
}

# A fast wrong answer is void: the oracle judged millpond's outputs, and the peer's must be the same bytes.
peer_compare() {
  local config ours theirs
  if [[ ${#PEER_CONFIGS[@]} -eq 0 ]]; then
    peer_judge
    return
  fi
  ours=$(peer_digest "$PEER_APP.account.events")
  for config in "${PEER_CONFIGS[@]}"; do
    theirs=$(peer_digest "$PEER_APP.$config.account.events")
    [[ $ours == "$theirs" ]] || die "outputs of kafka-streams $config differ, the round is void:
millpond $ours
$config $theirs"
  done
  warn "outputs are the same bytes"
}

# Without a peer the oracle judges, after everything else again.
peer_judge() {
  local environment=()
  mapfile -t environment < <(peer_environment "$PEER_APP" "")
  env "${environment[@]}" "$CARGO_TARGET_DIR/release/millpond" verify --no-postgres >"$PEER_ROUND_DIR/verify.log" 2>&1 ||
    die "the oracle objects, the round is void: $(tail -n 20 "$PEER_ROUND_DIR/verify.log")"
  warn "the oracle has no objection"
}

peer_digest() { peer_java digest --brokers "$(broker_address)" --topic "$1"; }
