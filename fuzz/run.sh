#!/usr/bin/env bash
# Fuzzes each target, or those that are named, for a time box, from the corpus that is kept; prints what was run.
#
#   fuzz/run.sh [SECONDS] [TARGET ...]      60 seconds each unless told otherwise
#
# New inputs go to fuzz/target/found/TARGET, not into the kept corpus: see fuzz/keep.sh. A failing input is left in
# fuzz/artifacts/TARGET, and is run again by `cargo +nightly fuzz run TARGET fuzz/artifacts/TARGET/FILE`.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds="${1:-60}"
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(cache store log_line snapshot)

# Tiny tables. cargo-fuzz sets RUSTFLAGS itself, which a config file could not add to; the targets check that it arrived.
export RUSTFLAGS="--cfg fleeting_tiny"
cargo +nightly fuzz build

for target in "${targets[@]}"; do
  found="fuzz/target/found/$target" kept="fuzz/corpus/$target" log="fuzz/target/$target.log"
  mkdir -p "$found" "$kept"
  dictionary=()
  [ ! -e "fuzz/$target.dict" ] || dictionary=(-dict="fuzz/$target.dict")
  # An input that takes a minute is a hang, and 2 GiB are a leak.
  if ! cargo +nightly fuzz run "$target" "$found" "$kept" -- \
    -max_total_time="$seconds" -timeout=60 -rss_limit_mb=2048 -max_len=1024 -len_control=0 \
    -print_final_stats=1 "${dictionary[@]}" >"$log" 2>&1; then
    tail -n 60 "$log"
    echo "$target: FAILED"
    exit 1
  fi
  executions="$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
  echo "$target: $executions executions in $seconds s, corpus $(find "$kept" -type f | wc -l) kept + $(find "$found" -type f | wc -l) new," \
    "$(grep -oE 'cov: [0-9]+ ft: [0-9]+' "$log" | tail -n 1)"
done
