#!/usr/bin/env bash
# Weakens the protocols one at a time, in a copy of the sources, and expects the named model to fail each time.
# `mutants.sh [NAME ...]`: only these. Prints a table and `caught N of M`; fails unless all are caught.
#
# A mutant is a sed script (mutants/NAME.sed) whose first lines say what it breaks, in which file, and which models of
# which pass must see it, each by itself. One that changes nothing, or does not compile, is an error of the mutant.
set -euo pipefail
cd "$(dirname "$0")"
here=$PWD
# The copy is built offline.
cargo fetch --quiet --locked
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir "$tree/main"
cp -r ../Cargo.toml ../src "$tree/main/"
mkdir "$tree/main/loom-tests"
cp -r Cargo.toml Cargo.lock src tests "$tree/main/loom-tests/"
# The manifest of the workspace names members that are not copied.
sed -i '/^\[workspace\]/,$d' "$tree/main/Cargo.toml"

names=("$@")
if [ $# -eq 0 ]; then
    for script in mutants/*.sed; do
        names+=("$(basename "$script" .sed)")
    done
fi

caught=0 total=0
for name in "${names[@]}"; do
    script=$here/mutants/$name.sed
    file=$(sed -n 's/^# file: //p' "$script")
    pass=$(sed -n 's/^# pass: //p' "$script")
    flags=() features=()
    case $pass in
        plain) ;;
        rmw) flags=(--cfg loom_rmw_loads) ;;
        real)
            flags=(--cfg fleeting_real_epoch --cfg crossbeam_loom)
            features=(--features real-epoch)
            ;;
    esac
    export RUSTFLAGS="--cfg loom --cap-lints allow ${flags[*]}" CARGO_TARGET_DIR="$here/target/mutants-$pass"
    sed -E -f "$script" "../$file" >"$tree/main/$file"
    cd "$tree/main/loom-tests"
    while read -r test model; do
        total=$((total + 1))
        if cmp -s "$here/../$file" "$tree/main/$file"; then
            result="changes nothing"
        elif ! cargo test --quiet --offline --no-run --test "$test" "${features[@]}" >"$tree/log" 2>&1; then
            result="does not compile"
            tail -n 30 "$tree/log"
        elif timeout 120 cargo test --quiet --offline --test "$test" "${features[@]}" -- --exact "$model" >"$tree/log" 2>&1; then
            result="MISSED"
        else
            caught=$((caught + 1))
            # How: the first panic's message.
            result="caught: $(grep -A1 -m1 'panicked at' "$tree/log" | tail -n 1 | cut -c 1-70 || true)"
        fi
        printf '%-26s %-42s %s\n' "$name" "$model" "$result"
    done < <(sed -n 's/^# model: //p' "$script")
    cd "$here"
    cp "../$file" "$tree/main/$file"
done
echo "caught $caught of $total"
[ "$caught" -eq "$total" ]
