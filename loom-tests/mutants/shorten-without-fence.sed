# No fence between the deadline and the look at the claim.
# file: src/engine.rs
# model: shorten_versus_refile shorten_against_refile
# pass: plain
/pub fn set_deadline/,/^    }/ s/update_fence\(Ordering::SeqCst\);//
