# A put whose bucket has no free slot waits for one.
# file: src/map/claim.rs
# test: lock_freedom
s/if seat\.table\.next\(guard\)\.is_some\(\) \|\| !patience\.wait\(\) \{/crate::sync::thread::yield_now();\n            if !patience.wait() \&\& false {/
