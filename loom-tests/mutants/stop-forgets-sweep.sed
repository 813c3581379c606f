# A stop waits for the thread only, and not for a sweep by a thread that goes on.
# file: src/janitor.rs
# model: stop_janitor one_leaves
# pass: plain
s/!is_swept && \(is_empty/(is_empty/
