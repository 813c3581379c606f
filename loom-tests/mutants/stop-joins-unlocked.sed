# A second stop does not wait for the first.
# file: src/janitor.rs
# model: stop_janitor stop_against_stop
# pass: plain
s/if let Some\(handle\) = handle\.take\(\) \{/let taken = handle.take(); drop(handle); if let Some(handle) = taken {/
