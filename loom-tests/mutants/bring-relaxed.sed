# A batch is brought without release.
# file: src/epoch/yard.rs
# model: bring_back bring_against_close
# pass: plain
/pub fn bring/,/^    }/ s/Ordering::Release/Ordering::Relaxed/
