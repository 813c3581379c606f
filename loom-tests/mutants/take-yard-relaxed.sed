# A batch is taken without acquire.
# file: src/epoch/yard.rs
# model: bring_back bring_against_close
# pass: plain
/fn swap/,/^    }/ s/Ordering::Acquire/Ordering::Relaxed/
