#!/usr/bin/env bash
# Runs cargo-mutants on a copy of the tree. `.cargo/mutants.sh [ARGUMENTS OF cargo mutants ...]`, such as `--file src/engine.rs`,
# `--shard 1/20`, `--re 'Engine<N>::void'`, `--list`.
#
# A copy at one place, because then a mutant is built incrementally (2 s of CPU time; 21 s anew). In the copy, lib.rs loses the second
# declaration of each module (that of checked builds), which would make cargo-mutants find each mutant twice.
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1-} in
    # As the runner of test binaries (see below): bounds the CPU time, so that a busy machine does not make a timeout.
    --runner)
        shift
        ulimit -t 12
        exec "$@"
        ;;
esac

copy=$PWD/target/mutants-tree
mkdir -p "$copy"
for item in .cargo benches examples src tests; do
    rm -rf "${copy:?}/$item"
    cp -r "$item" "$copy/"
done
ln -sfn "$PWD/fuzz" "$copy/fuzz" # its corpus is read by a test
cp ./*.toml ./*.md Cargo.lock "$copy/"
# From the marker of a checked build to the end of the line after it.
sed -i '/^#\[cfg(any(loom, shuttle, fleeting_hooked))\]$/,/^pub mod/d' "$copy/src/lib.rs"

export CARGO_TARGET_DIR=$PWD/target/mutants-builds
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="$PWD/.cargo/mutants.sh --runner"
export FLEETING_FAIL_FAST=1 PROPTEST_CASES=20 PROPTEST_RNG_SEED=1
exec cargo mutants --in-place --dir "$copy" --output "${MUTANTS_OUT:-$PWD/target}" "$@"
