# shellcheck shell=bash
# One Apache Kafka broker in KRaft combined mode.

KAFKA_MARKER=$KAFKA_DIR/server.properties

broker_address() { printf '127.0.0.1:%s' "$KAFKA_PORT"; }

kafka_running() { running "$KAFKA_DIR" "$KAFKA_MARKER"; }

kafka_start() {
  kafka_settings >"$KAFKA_DIR/server.properties"
  # A copy, since the servers' account may not be able to read the checkout.
  cp "$SCRIPTS/kafka/log4j2.properties" "$KAFKA_DIR/log4j2.properties"
  chmod a+r "$KAFKA_DIR"/*.properties
  [[ -e $KAFKA_DIR/data/meta.properties ]] || kafka_format
  spawn "$KAFKA_DIR" "$KAFKA_MARKER" "$JAVA" -Xms512m -Xmx1g -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -Xshare:auto \
    "-Dlog4j2.configurationFile=$KAFKA_DIR/log4j2.properties" -cp "$KAFKA_LIB/*" \
    kafka.Kafka "$KAFKA_DIR/server.properties"
}

kafka_stop() { stop "kafka" "$KAFKA_DIR" "$KAFKA_MARKER" TERM; }

# Few partitions for the internal topics, no wait before a first rebalance, expired transactions aborted within a
# second: tests start many groups and kill many producers.
kafka_settings() {
  cat <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:$CONTROLLER_PORT
listeners=PLAINTEXT://127.0.0.1:$KAFKA_PORT,CONTROLLER://127.0.0.1:$CONTROLLER_PORT
advertised.listeners=PLAINTEXT://127.0.0.1:$KAFKA_PORT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$KAFKA_DIR/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=6000
log.cleaner.dedupe.buffer.size=33554432
file.delete.delay.ms=1000
PROPERTIES
}

# Lays out an empty data folder. meta.properties is written last, so a folder without it was never finished.
kafka_format() {
  local id
  # A Kafka id is 16 random bytes in URL-safe base64 that do not start with a dash.
  id=M$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c2-22)
  rm -rf "$KAFKA_DIR/data"
  server_folder "$KAFKA_DIR/data"
  (cd / && "${AS_SERVER[@]}" "$JAVA" -Xshare:auto -XX:TieredStopAtLevel=1 -XX:+UseSerialGC \
    "-Dlog4j2.configurationFile=$KAFKA_DIR/log4j2.properties" -cp "$KAFKA_LIB/*" \
    kafka.tools.StorageTool format --standalone -t "$id" -c "$KAFKA_DIR/server.properties") >"$KAFKA_DIR/format.log" 2>&1 ||
    die "Kafka could not format its data folder: $(tail -n 5 "$KAFKA_DIR/format.log")"
}

# True once the broker serves clients: a Metadata request (version 4, no topics) is answered and names one broker. An
# open port is not enough, since the port opens before the broker may lead partitions.
kafka_answers() {
  local request='\x00\x00\x00\x14\x00\x03\x00\x04\x00\x00\x00\x01\x00\x05probe\x00\x00\x00\x00\x00'
  local reply
  # The answer starts with its size, the correlation id, the throttle time and the number of brokers, 4 bytes each.
  reply=$(
    exec 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$KAFKA_PORT" || exit 1
    # shellcheck disable=SC2059 # the bytes are the format
    printf "$request" >&3
    timeout 3 head -c 16 <&3 | od -An -v -tx1 | tr -d ' \n'
  ) || return 1
  [[ ${reply:8:8} == 00000001 && ${reply:24:8} == 00000001 ]]
}
