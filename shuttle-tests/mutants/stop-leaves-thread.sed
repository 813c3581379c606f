# Stopping does not wait for the janitor's thread.
# file: src/janitor.rs
s/let _ = handle\.join\(\);/drop(handle);/
