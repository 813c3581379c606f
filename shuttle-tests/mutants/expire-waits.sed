# Who meets an entry whose expiry is decided waits for the decider to remove it.
# file: src/engine.rs
# test: lock_freedom
/fn decide_expiry\(/,/^    }/ s/return true;/crate::sync::thread::yield_now();\n            return false;/
