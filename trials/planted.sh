#!/usr/bin/env bash
# Plants locks, waits and other faults in a copy of the sources, one at a time, and expects the freezing of threads to find them in `fleeting Cache`.
# `planted.sh [NAME ...]`: only these. Prints a line each and `caught N of M`; fails unless all are caught.
#
# A plant is a sed script (planted/NAME.sed) whose first lines say what it does, in which file, and within how many
# freezes in which kind of operation what must be complained of.
set -euo pipefail
cd "$(dirname "$0")"
here=$PWD
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir "$tree/main"
cp -r ../Cargo.toml ../src "$tree/main/"
mkdir "$tree/main/trials"
cp -r Cargo.toml Cargo.lock src "$tree/main/trials/"
# The manifest of the workspace names members that are not copied.
sed -i '/^\[workspace\]/,$d' "$tree/main/Cargo.toml"

names=("$@")
if [ $# -eq 0 ]; then
    for script in planted/*.sed; do
        names+=("$(basename "$script" .sed)")
    done
fi

export RUSTFLAGS="--cap-lints allow" CARGO_TARGET_DIR="$here/target/planted"
caught=0
for name in "${names[@]}"; do
    script=$here/planted/$name.sed
    file=$(sed -n 's/^# file: //p' "$script")
    kind=$(sed -n 's/^# kind: //p' "$script")
    freezes=$(sed -n 's/^# freezes: //p' "$script")
    expect=$(sed -n 's/^# expect: //p' "$script")
    options=(--only Cache --kind "$kind" --freezes "$freezes" --blocked 1 --limit 1000)
    sed -E -f "$script" "../$file" >"$tree/main/$file"
    cd "$tree/main/trials"
    if cmp -s "$here/../$file" "$tree/main/$file"; then
        result="changes nothing"
    elif ! cargo build --quiet --release --locked --bin freeze >"$tree/log" 2>&1; then
        result="does not compile"
        tail -n 30 "$tree/log"
    elif "$CARGO_TARGET_DIR/release/freeze" "${options[@]}" >"$tree/log" 2>&1; then
        result=MISSED
    elif grep -q "^FAILED .*$expect" "$tree/log"; then
        caught=$((caught + 1))
        result="caught after $(awk '/^fleeting Cache/ { print $3 }' "$tree/log") freezes: $(grep -m1 "$expect" "$tree/log" | sed 's/^FAILED fleeting Cache: //')"
    else
        result="failed otherwise"
        cat "$tree/log"
    fi
    cd "$here"
    cp "../$file" "$tree/main/$file"
    printf '%-16s %s\n' "$name" "$result"
done
echo "caught $caught of ${#names[@]}"
[ "$caught" -eq "${#names[@]}" ]
