# A stop on the janitor's own thread waits for it.
# file: src/janitor.rs
# model: stop_janitor stop_against_stop_by_a_callback
# model: stop_janitor drop_against_drop_by_a_callback
# pass: plain
s/if self\.id\(\) == thread::current\(\)\.id\(\)/if false/
