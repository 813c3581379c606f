#!/usr/bin/env bash
# All workloads with glibc's allocator, then with mimalloc: `benches/run.sh`, or `benches/run.sh --quick`; options go on to `all`.
# Results: benches/results/*.csv. Then `table` and `plot` make of them what is read. The full run takes most of an hour, and wants a quiet machine.
set -euo pipefail
cd "$(dirname "$0")/.."
release="${CARGO_TARGET_DIR:-target}/release"

# The crates below are the same for both; only the last step is done twice.
cargo build --release -p fleeting-benches --locked --features mimalloc
cp "$release/fleeting-benches" "$release/fleeting-benches-mimalloc"
cargo build --release -p fleeting-benches --locked

"$release/fleeting-benches" all "$@"
"$release/fleeting-benches-mimalloc" all "$@"
