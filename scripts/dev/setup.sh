# shellcheck shell=bash
# Finds what the build, the servers and the checks need, and installs what is missing.

MIN_RUST=1.94
MIN_JAVA=17
MIN_POSTGRES=15
SETUP_LOG=$DEV_HOME/setup.log
JAVA=
PG_BIN=

setup() {
  [[ $(uname -s) == Linux ]] || die "this script knows Linux only (here: $(uname -s)); a container or a VM will do"
  ensure_home
  check_rust
  find_java || true
  find_postgres || true
  local packages
  mapfile -t packages < <(missing_packages)
  if [[ ${#packages[@]} -gt 0 ]]; then
    with_lock "$DEV_HOME/.setup.lock" install_packages "${packages[@]}"
    find_java || die "no JDK $MIN_JAVA or newer, and Debian's package brought none: install one, or name it in JAVA_HOME"
    find_postgres || die "no PostgreSQL $MIN_POSTGRES or newer, and Debian's package brought none: install one"
    mapfile -t packages < <(missing_packages)
    [[ ${#packages[@]} -eq 0 ]] || die "still missing after the installation: ${packages[*]} (see $SETUP_LOG)"
  fi
  [[ -d $KAFKA_LIB ]] || with_lock "$DEV_HOME/.setup.lock" fetch_kafka
}

# The toolchain is the developer's own choice: this script names the cure and installs none.
check_rust() {
  command -v rustc >/dev/null || die "no Rust found: install Rust $MIN_RUST or newer with rustup, and put ~/.cargo/bin on the PATH"
  local version
  version=$(rustc --version | cut -d' ' -f2)
  at_least "$version" "$MIN_RUST" || die "Rust $version is too old, $MIN_RUST is needed: rustup update stable"
}

# True if version $1 (as 1.95.0 or 17) is not below $2.
at_least() {
  [[ $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$2" ]]
}

# Sets JAVA to the first Java runtime that is new enough.
find_java() {
  local candidate version
  for candidate in "${JAVA_HOME:-/none}/bin/java" "$(command -v java || true)" /usr/lib/jvm/*/bin/java; do
    [[ -x $candidate ]] || continue
    version=$("$candidate" -version 2>&1 | sed -n 's/.*version "\([0-9.]*\).*/\1/p' | head -n 1)
    if at_least "${version:-0}" "$MIN_JAVA"; then
      JAVA=$candidate
      return
    fi
  done
  return 1
}

# Sets PG_BIN to the folder with initdb and postgres: version 15, which production is promised on, before newer ones.
find_postgres() {
  local candidate version
  local on_path
  on_path=$(dirname "$(command -v initdb || echo /none/initdb)")
  for candidate in "/usr/lib/postgresql/$MIN_POSTGRES/bin" /usr/lib/postgresql/*/bin "$on_path"; do
    [[ -x $candidate/initdb && -x $candidate/postgres && -x $candidate/psql ]] || continue
    version=$("$candidate/postgres" --version | sed -n 's/.* \([0-9][0-9.]*\).*/\1/p')
    if at_least "${version:-0}" "$MIN_POSTGRES"; then
      PG_BIN=$candidate
      return
    fi
  done
  return 1
}

# Prints the Debian package of everything that is not there, one a line.
missing_packages() {
  local tool
  for tool in clang cmake make g++ pkg-config shellcheck valgrind; do
    command -v "$tool" >/dev/null || say "$tool"
  done
  compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null || compgen -G '/usr/lib*/libclang*.so*' >/dev/null ||
    [[ -n ${LIBCLANG_PATH:-} ]] || say libclang-dev
  has_header zlib.h || say zlib1g-dev
  has_header openssl/ssl.h || say libssl-dev
  [[ -d $KAFKA_LIB ]] || command -v mvn >/dev/null || say maven
  [[ -n $PG_BIN ]] || say postgresql
  [[ -n $JAVA ]] || say openjdk-$MIN_JAVA-jre-headless
}

has_header() {
  [[ -e /usr/include/$1 || -e /usr/local/include/$1 ]] || compgen -G "/usr/include/*-linux-gnu/$1" >/dev/null
}

install_packages() { # PACKAGE...
  say "missing: $*"
  command -v apt-get >/dev/null ||
    die "this system has no apt-get: install the equivalents of these Debian packages, then run this again: $*"
  local as_root=()
  if [[ $EUID -ne 0 ]]; then
    command -v sudo >/dev/null || die "to install them, run as root: apt-get install $*"
    as_root=(sudo)
  fi
  say "installing them with apt-get (output in $SETUP_LOG)"
  # RUNLEVEL=1 keeps Debian from starting a PostgreSQL of its own.
  as_root+=(env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1)
  "${as_root[@]}" apt-get update >"$SETUP_LOG" 2>&1 || warn "apt-get update failed: going on with the old lists"
  local package packages=()
  for package in "$@"; do
    # Releases after Debian 12 have a newer JDK under another name.
    if [[ $package == openjdk-* ]] && ! apt-cache show "$package" >/dev/null 2>&1; then
      package=default-jre-headless
    fi
    packages+=("$package")
  done
  if ! "${as_root[@]}" apt-get install -y --no-install-recommends "${packages[@]}" >>"$SETUP_LOG" 2>&1; then
    tail -n 20 "$SETUP_LOG" >&2
    die "apt-get could not install: ${packages[*]} (above: why). Without a network, install them by hand first"
  fi
}

# Fetches the broker and its command-line tools. The folder appears at once, complete or not at all.
fetch_kafka() {
  [[ ! -d $KAFKA_LIB ]] || return 0
  say "missing: Kafka $KAFKA_VERSION; fetching it with Maven"
  local partial=$KAFKA_LIB.partial
  rm -rf "$partial"
  mkdir -p "$partial"
  if ! timeout 900 mvn -q -B -Dstyle.color=never -f "$SCRIPTS/kafka/pom.xml" -Dkafka.version="$KAFKA_VERSION" \
    dependency:copy-dependencies -DoutputDirectory="$partial" >>"$SETUP_LOG" 2>&1 </dev/null; then
    tail -n 20 "$SETUP_LOG" >&2
    die "Maven could not fetch Kafka (above: why). Without a network, copy its jars to $KAFKA_LIB"
  fi
  chmod -R a+rX "$partial"
  mv "$partial" "$KAFKA_LIB"
}
