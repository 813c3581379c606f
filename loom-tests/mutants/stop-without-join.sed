# A stop does not wait for the thread.
# file: src/janitor.rs
# model: stop_janitor stop_against_stop
# model: stop_janitor stop_against_work
# model: stop_janitor drop_against_sweep
# pass: plain
s/let _ = handle\.join\(\);/drop(handle);/
