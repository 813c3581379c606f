# A taker reads the chain, and then empties the inbox.
# file: src/reclaim/inbox.rs
# model: hand_back push_against_take
# pass: rmw
/pub fn take/,/^    }/ s/self\.top\.swap\(ptr::null_mut\(\), Ordering::Acquire\)/{ let top = self.top.load(Ordering::Acquire); self.top.store(ptr::null_mut(), Ordering::Relaxed); top }/
