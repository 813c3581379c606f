# A sweeper files anew without voiding the claim first.
# file: src/engine.rs
# model: replace_versus_refile replace_against_refile
# pass: plain
/fn handle\(/,/^    }/ s/ && self\.void\(node, claim\)//
