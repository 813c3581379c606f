# Who loses the race for an expired entry tells the callback too.
# file: src/engine.rs
/fn cut<'g>/,/^    }/ s/self\.left\(unlinked, cause\);/if cause == RemovalCause::Expired { self.counters.add_entries(1); self.counters.add_entries(-1); if let Some(listener) = \&self.listener { listener(node, cause); } } self.left(unlinked, cause);/
