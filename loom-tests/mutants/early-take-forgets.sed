# A sweeper that took a pile early files nothing anew.
# file: src/engine.rs
# model: replace_versus_refile replace_against_early_take
# model: replace_versus_refile insert_against_early_take
# model: shorten_versus_refile shorten_against_early_take
# pass: plain
/fn handle\(/,/^    }/ s/self\.cover\(node, now, guard\);//
