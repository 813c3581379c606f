# A find follows a frozen bucket into a destination that is not ready.
# file: src/map/mod.rs
# model: freeze_bucket find_against_remove_against_migration
# model: freeze_bucket find_against_replace_against_migration
# pass: plain
s/next\.bucket\(next\.index\(hash\)\)\.0\.load\(Ordering::Relaxed\)\.is_ready\(\)/next.bucket(next.index(hash)).0.load(Ordering::Relaxed).is_ready() || true/
