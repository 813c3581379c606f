# No fence between a claim that is taken over and the look at the deadline.
# file: src/engine.rs
# model: shorten_versus_refile shorten_against_replace
# model: replace_versus_refile replace_against_touch_against_refile
# pass: plain
/fn after_replacement/,/^    }/ s/^            update_fence\(Ordering::SeqCst\);//
