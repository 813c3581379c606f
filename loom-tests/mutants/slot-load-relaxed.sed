# A slot is read without acquire.
# file: src/map/bucket.rs
# model: recycle_slot find_against_withdrawal
# pass: plain
/pub fn load\(&self, slot/,/^    }/ s/Ordering::Acquire\)/Ordering::Relaxed)/
