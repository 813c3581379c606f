# No fence between the voiding of a claim and the next look at the map.
# file: src/engine.rs
# model: replace_versus_refile replace_persistent_against_refile
# pass: plain
/fn void/,/^    }/ s/update_fence\(Ordering::SeqCst\);//
