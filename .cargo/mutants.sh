#!/usr/bin/env bash
# Runs cargo-mutants on a copy of the tree. `.cargo/mutants.sh [ARGUMENTS OF cargo mutants ...]`, such as `--file src/engine.rs`,
# `--re 'Engine<N>::void'`, `--list`. `--iterate` goes on where an earlier run ended. Results: target/mutants.out.
#
# Two passes: all mutants, by the unit tests and the property tests, which are quick to build and catch most; then those that are left, by all
# fast tests (tests/fast).
#
# A copy at one place, because then a mutant is built incrementally. In the copy, lib.rs loses the second declaration of each module (that of
# checked builds), which would make cargo-mutants find each mutant twice; gains the tests as a module of its own, so that there
# is one crate to build, of which little changes; and clock.rs loses the clock of other systems.
set -euo pipefail
cd "$(dirname "$0")/.."

# As the runner of test binaries (see below): bounds the CPU time, so that a busy machine does not make a timeout.
if [ "${1-}" = --runner ]; then
    shift
    ulimit -t "$FLEETING_CPU_SECONDS"
    exec "$@"
fi

copy=$PWD/target/mutants-tree
mkdir -p "$copy"
exec 9<"$copy"
flock --nonblock 9 || { echo "another run is at work in $copy" >&2; exit 1; }
fill() {
    # Without times: a mutant that was left there must look older.
    for item in .cargo benches examples src tests; do
        rm -rf "${copy:?}/$item"
        cp -r "$item" "$copy/"
    done
    ln -sfn "$PWD/fuzz" "$copy/fuzz" # its corpus is read by a test
    cp ./*.toml ./*.md Cargo.lock "$copy/"
    # cargo-mutants builds all targets of a package, whatever it runs.
    sed -i 's/^autobenches = false$/&\nautotests = false\nautoexamples = false/' "$copy/Cargo.toml"
    sed -i '/^#\[cfg(any(loom, shuttle, fleeting_hooked))\]$/,/^pub mod/d' "$copy/src/lib.rs"
    cat >>"$copy/src/lib.rs" <<'END'
#[cfg(test)]
extern crate self as fleeting;
#[cfg(test)]
#[path = "../tests/fast/mod.rs"]
mod fast;
END
    sed -i '/^#\[cfg(not(all(feature = "coarse-clock"/,/^}/d' "$copy/src/clock.rs"
}

export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="$PWD/.cargo/mutants.sh --runner"
export FLEETING_FAIL_FAST=1 PROPTEST_RNG_SEED=1
out=${MUTANTS_OUT:-$PWD/target}
mkdir -p "$out"
quick() {
    RUSTFLAGS="" CARGO_TARGET_DIR=$PWD/target/mutants-quick PROPTEST_CASES=8 FLEETING_CPU_SECONDS=4 \
        cargo mutants --in-place --dir "$copy" --output "$out" "$@"
}
all() {
    RUSTFLAGS="--cfg fleeting_fast_tests" CARGO_TARGET_DIR=$PWD/target/mutants-all PROPTEST_CASES=50 FLEETING_CPU_SECONDS=20 \
        cargo mutants --in-place --dir "$copy" --output "$out" "$@"
}

fill
case " $* " in *" --list "*) quick "$@" && exit ;; esac
status=0
quick "$@" || status=$?
# 2: some were missed, 3: some timed out. Anything else is a failure of the run itself.
case $status in 2 | 3) ;; *) exit $status ;; esac
fill
all --iterate "$@"
