#!/usr/bin/env bash
# Breaks the sources in many ways, one at a time and in a copy, and expects the scenarios to fail each time.
# `planted.sh [NAME ...]`: only these. Prints who caught each, and `caught N of M`; fails unless all that should be caught are.
#
# A mutant is a sed script that says in its head what it breaks, and in which file: those of `../loom-tests/mutants` that break
# something even where all memory orderings are as strong as can be (SHARED below), and `mutants/` here for what no protocol's
# model covers: waits too (`# test: lock_freedom`, run first). One that changes nothing, or does not compile, is an error of the mutant.
set -euo pipefail
cd "$(dirname "$0")"
here=$PWD
# The copy is built offline.
cargo fetch --quiet --locked

# Not these: shuttle is sequentially consistent, so a weakened ordering or a missing fence changes nothing here. They are
# loom's: *-relaxed, *-without-fence*, and
SHARED=(
    absent-before-cut absent-without-validation claim-not-asked claim-unchecked cover-looks-once cut-ignores-loss
    expire-undecided header-before-tags header-without-version hint-leaks late-fill-publishes link-leaks no-freeze
    no-validation promote-retires-twice promote-unverified push-ignores-taken refile-looks-once rename-unlooked retired-unsettled
    share-uncounted spill-ignores-loss spill-retired-early spill-retired-twice tag-after-header take-ignores-loss take-reads
    update-unclosed vacate-before-publish visit-skips
)
TESTS=(caches expiry stores histories histories_store loads janitor)

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/main/shuttle-tests" "$tree/main/histories"
cp -r ../Cargo.toml ../src "$tree/main/"
cp -r Cargo.toml Cargo.lock src tests "$tree/main/shuttle-tests/"
cp -r ../histories/Cargo.toml ../histories/src "$tree/main/histories/"
# The manifest of the workspace names members that are not copied.
sed -i '/^\[workspace\]/,$d' "$tree/main/Cargo.toml"
export RUSTFLAGS="--cfg shuttle --cap-lints allow" CARGO_TARGET_DIR="$here/target/planted" RUST_BACKTRACE=0

names=("$@")
if [ $# -eq 0 ]; then
    names=("${SHARED[@]}")
    for script in mutants/*.sed; do
        names+=("$(basename "$script" .sed)")
    done
fi

caught=0
for name in "${names[@]}"; do
    script=$here/mutants/$name.sed
    [ -e "$script" ] || script=$here/../loom-tests/mutants/$name.sed
    file=$(sed -n 's/^# file: //p' "$script")
    sed -E -f "$script" "../$file" >"$tree/main/$file"
    cd "$tree/main/shuttle-tests"
    result=MISSED
    if cmp -s "$here/../$file" "$tree/main/$file"; then
        result="changes nothing"
    elif ! cargo test --quiet --offline --no-run --tests >"$tree/log" 2>&1; then
        result="does not compile"
        grep -m 3 -A 5 '^error' "$tree/log" || true
    else
        first=$(sed -n 's/^# test: //p' "$script")
        for test in $first "${TESTS[@]}"; do
            code=0
            timeout 180 cargo test --quiet --offline --test "$test" >"$tree/log" 2>&1 || code=$?
            [ "$code" -eq 0 ] && continue
            caught=$((caught + 1))
            # Which scenarios, and the first message; a crash or a timeout names none.
            scenarios=$(sed -n '/^failures:$/,$ s/^    \([a-z_]*\)$/\1/p' "$tree/log" | sort -u | tr '\n' ' ')
            message=$( (grep -A1 -m1 'panicked at' "$tree/log" || grep -m1 -o 'signal: .*' "$tree/log" || echo "exit code $code") |
                tail -n 1 | cut -c 1-70)
            result="caught by $test: $scenarios($message)"
            break
        done
    fi
    cd "$here"
    cp "../$file" "$tree/main/$file"
    printf '%-26s %s\n' "$name" "$result"
done
echo "caught $caught of ${#names[@]}"
[ "$caught" -eq "${#names[@]}" ]
