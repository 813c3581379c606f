#!/usr/bin/env bash
# All workloads with glibc's allocator, then with mimalloc: `benches/run.sh`, or `benches/run.sh --quick`; options go on to `all`.
# Results: benches/results/*.csv. Then `table` and `plot` make of them what is read. The full run takes most of an hour, and wants a quiet machine.
set -euo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-target}"

# A program for each, so that neither is built anew for the next run.
cargo build --release -p fleeting-benches --locked
cargo build --release -p fleeting-benches --locked --features mimalloc --target-dir "$target/mimalloc"

"$target/release/fleeting-benches" all "$@"
"$target/mimalloc/release/fleeting-benches" all "$@"
