# Who meets an entry whose expiry is decided waits for the decider to remove it.
# file: src/engine.rs
# test: lock_freedom
/fn expire\(/,/^    }/ s/if deadline\.time\(\) != DEAD \{/if deadline.time() == DEAD { crate::sync::thread::yield_now(); return false; }\n        {/
