#!/usr/bin/env bash
# Explores every model, in three passes (see src/lib.rs). `run.sh plain`, `run.sh rmw`, `run.sh real`: one of them.
# Prints a line a model: its name, the bound of preemptions, executions, seconds.
set -euo pipefail
cd "$(dirname "$0")"

pass() {
    local name=$1 flags=$2
    shift 2
    echo "pass $name"
    # A target folder for each set of flags: else cargo builds everything anew.
    export RUSTFLAGS="--cfg loom $flags" CARGO_TARGET_DIR="target/$name"
    cargo test --quiet --locked --tests --no-run "$@"
    local log
    log=$(mktemp)
    if ! cargo test --quiet --locked --tests "$@" -- --nocapture >"$log" 2>&1; then
        cat "$log"
        rm "$log"
        echo "pass $name failed"
        exit 1
    fi
    grep -o 'model .*' "$log" | sort
    rm "$log"
}

passes=("$@")
if [ $# -eq 0 ]; then
    passes=(plain rmw real)
fi
for name in "${passes[@]}"; do
    case $name in
        plain) pass plain "" ;;
        rmw) pass rmw "--cfg loom_rmw_loads" ;;
        real) pass real "--cfg fleeting_real_epoch --cfg crossbeam_loom" --features real-epoch ;;
        *)
            echo "no such pass: $name (plain, rmw, real)" >&2
            exit 2
            ;;
    esac
done
