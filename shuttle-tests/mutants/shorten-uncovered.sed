# A touch that shortens the deadline files no record.
# file: src/engine.rs
/pub fn set_deadline/,/^    }/ s/if to < from\.time\(\) \|\|/if false \&\& to < from.time() ||/
