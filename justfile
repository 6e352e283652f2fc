# Every command that a contributor needs. Each recipe also works without just: see CONTRIBUTING.md.

# Lists the recipes.
[private]
default:
    @{{ just_executable() }} --list --unsorted

# Install the Rust toolchain, the tools and the packages of the tests
setup:
    scripts/setup

# Run the demo; rebuild and restart it after each change
dev *ARGS:
    @command -v watchexec >/dev/null || { echo "Missing: watchexec. \`just setup\` installs it. Without it: cargo run --package mcp-registry -- demo"; exit 1; }
    watchexec --restart --stop-signal SIGTERM --debounce 300ms \
        --watch Cargo.toml --watch crates --watch migrations --watch templates --watch static/src \
        --exts rs,toml,html,css,js,svg \
        -- cargo run --package mcp-registry -- demo {{ ARGS }}

# Run all tests; arguments go to ./test
test *ARGS:
    ./test {{ ARGS }}

# Run the Rust tests whose names contain NAMES (all without)
test-fast *NAMES:
    cargo build --workspace --bins --tests
    cargo nextest run --workspace {{ NAMES }}

# Check formatting, lints, words, and links of the docs
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    scripts/check_words
    scripts/check_docs

# Run everything that must pass before a merge
ci:
    bash .ci/run

# Write generated files again (tables in docs/, openapi/registry.json); review the diff
bless:
    cargo build --workspace --bins --tests
    MCP_REGISTRY_TEST_UPDATE=1 cargo nextest run --workspace -E 'package(registry-tests) and test(/(^|::)documents?::/)'
    git status --short docs openapi

# Measure the gateway endpoint against a bare actix server; `just bench` is the short form
bench *ARGS="--quick":
    benches/run {{ ARGS }}

# Build target/release/mcp-registry with both layers of the pages
release:
    cd static && npm ci --ignore-scripts --no-audit --no-fund && npm run build
    UI_REQUIRE_DIST=1 cargo build --locked --release --package mcp-registry
