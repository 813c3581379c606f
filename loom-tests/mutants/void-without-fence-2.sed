# No fence between the voiding of a claim and the next look at the deadline.
# file: src/engine.rs
# model: shorten_versus_refile shorten_persistent_against_refile
# pass: plain
/fn void/,/^    }/ s/update_fence\(Ordering::SeqCst\);//
