# A walk follows a frozen bucket into one half only.
# file: src/map/mod.rs
# model: promote_table visit_against_migration
# pass: plain
s/\(bucket \+ 1\) \* split/(bucket * split + 1)/
