# A write that was decided about one entry is done to its successor.
# file: src/engine.rs
# model: publish_entry remove_if_against_replace
# model: publish_entry compare_and_save_against_save
# model: publish_entry compare_and_save_against_compare_and_save
# model: publish_entry compare_and_save_against_delete
# pass: plain
s/Some\(\(about, change\)\) if is_same\(about, current\)/Some((about, change)) if is_same(about, current) || true/
