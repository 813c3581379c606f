# A stop waits for nothing.
# file: src/janitor.rs
# model: stop_janitor stop_against_stop
# model: stop_janitor stop_against_work
# model: stop_janitor drop_against_sweep
# model: stop_janitor one_leaves
# pass: plain
s/while !state\.has_left\(id\)/while false/
