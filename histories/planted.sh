#!/usr/bin/env bash
# Breaks the sources in several ways, one at a time and in a copy, and expects the histories to tell each within a minute.
# `planted.sh [NAME ...]`: only these. Prints what was found, and `found N of M`; fails unless all are.
#
# A break is a sed script that says in its first line what it breaks, and then in which file: those of `planted/`, and some of
# `../loom-tests/mutants` (SHARED below). One that changes nothing, or does not compile, is an error of the script.
# In the copy nothing is freed: a broken map may keep a pointer too long, and is to be told by its answers and not by a crash.
# A crash is no finding: what counts is a history, or a store that a sweep left something expired in.
set -euo pipefail
cd "$(dirname "$0")"
here=$PWD
# The copy is built offline.
cargo fetch --quiet --locked
SECONDS_EACH=60
SHARED=(absent-before-cut absent-without-validation expire-undecided no-freeze refile-looks-once update-unclosed)

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/main/histories"
cp -r ../Cargo.toml ../src "$tree/main/"
cp -r Cargo.toml Cargo.lock src "$tree/main/histories/"
# The manifest of the workspace names members that are not copied.
sed -i '/^\[workspace\]/,$d' "$tree/main/Cargo.toml"
export RUSTFLAGS="--cfg fleeting_hooked --cfg fleeting_tiny --cap-lints allow" CARGO_TARGET_DIR="$here/target/planted"

names=("$@")
if [ $# -eq 0 ]; then
    for script in planted/*.sed; do
        names+=("$(basename "$script" .sed)")
    done
    names+=("${SHARED[@]}")
fi

# Frees nothing that was published, in the copy.
unfree() {
    sed -i 's/unsafe { guard.defer_unchecked(arrive) }/let _ = (arrive, guard);/' "$tree/main/src/reclaim/shelf.rs"
    sed -i 's/unsafe { N::release(self.pointer) }/let _ = self.pointer;/' "$tree/main/src/map/node.rs"
    sed -i 's/unsafe { migrate::release_all(table) };/let _ = table;/' "$tree/main/src/map/mod.rs"
}

found=0
for name in "${names[@]}"; do
    script=$here/planted/$name.sed
    [ -e "$script" ] || script=$here/../loom-tests/mutants/$name.sed
    file=$(sed -n 's/^# file: //p' "$script")
    printf '\n== %s\n%s\n' "$name" "$(head -n 1 "$script")"
    sed -E -f "$script" "../$file" >"$tree/main/$file"
    unfree
    cd "$tree/main/histories"
    result=MISSED
    if sed -E -f "$script" "$here/../$file" | cmp -s - "$here/../$file"; then
        result="changes nothing"
    elif ! cargo build --release --quiet --offline >"$tree/log" 2>&1; then
        result="does not compile"
        tail -n 30 "$tree/log"
    else
        # The seed is fixed for the mix of operations; the schedule never is.
        code=0
        started=$(date +%s)
        timeout $((SECONDS_EACH + 60)) "$CARGO_TARGET_DIR/release/histories" --seconds "$SECONDS_EACH" --seed 1 >"$tree/log" 2>&1 || code=$?
        if [ "$code" -eq 1 ] && grep -qE 'NOT LINEARIZABLE|FORGOTTEN BY|TWO SESSIONS' "$tree/log"; then
            result="found in $(($(date +%s) - started)) s, after $(sed -n 's/^operations  *//p' "$tree/log") operations"
            found=$((found + 1))
            # What is printed of it: what is wrong, and the shrunk history.
            sed -nE '/NOT LINEARIZABLE|FORGOTTEN BY|TWO SESSIONS/,/The last calls/ { /The last calls/d; p }' "$tree/log" | cut -c 1-300
            sed -n '/The shrunk history/,/^$/p' "$tree/log" | cut -c 1-200
        elif [ "$code" -ne 0 ]; then
            result="no finding, but exit code $code: $(tail -n 1 "$tree/log" | cut -c 1-100)"
        fi
    fi
    cd "$here"
    cp "../$file" "$tree/main/$file"
    echo "$name: $result"
done
echo
echo "found $found of ${#names[@]}"
[ "$found" -eq "${#names[@]}" ]
