# A sweeper that took a pile early files anew without voiding the claim first.
# file: src/engine.rs
# model: replace_versus_refile replace_against_early_take
# model: replace_versus_refile replace_against_touch_against_refile
# pass: plain
/fn handle\(/,/^    }/ s/ && self\.void\(node, claim\)//
