#!/usr/bin/env bash
# Keeps what fuzzing found: the smallest set of inputs, of the kept corpus and the found ones, that reaches all that they reach.
#
#   fuzz/keep.sh [TARGET ...]       commit the change of fuzz/corpus afterwards
set -euo pipefail
cd "$(dirname "$0")/.."

targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(cache store log_line snapshot)
export RUSTFLAGS="--cfg fleeting_tiny"

for target in "${targets[@]}"; do
  found="fuzz/target/found/$target" kept="fuzz/corpus/$target"
  mkdir -p "$found" "$kept"
  cp -n "$kept"/* "$found"/ 2>/dev/null || true
  cargo +nightly fuzz cmin "$target" "$found"
  rm -rf "$kept"
  cp -r "$found" "$kept"
  echo "$target: $(find "$kept" -type f | wc -l) inputs, $(du -sb "$kept" | cut -f 1) bytes"
done
