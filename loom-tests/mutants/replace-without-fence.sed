# No fence between the publication and the look at the old claim.
# file: src/engine.rs
# model: replace_versus_refile replace_against_refile
# pass: plain
/fn after_replacement/,/^    }/ s/^        update_fence\(Ordering::SeqCst\);//
