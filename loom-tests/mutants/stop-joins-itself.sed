# A stop on a janitor's thread waits for it.
# file: src/janitor.rs
# model: stop_janitor stop_against_stop_by_a_callback
# model: stop_janitor drop_against_drop_by_a_callback
# pass: plain
s/JANITOR\.try_with\(.*\)\.unwrap_or\(false\)/true/
