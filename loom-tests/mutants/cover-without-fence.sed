# No fence between the claim and the second look at the deadline.
# file: src/engine.rs
# model: shorten_versus_refile shorten_against_insert
# pass: plain
/fn cover\(/,/^    }/ s/update_fence\(Ordering::SeqCst\);//
