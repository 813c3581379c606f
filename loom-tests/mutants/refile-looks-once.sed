# A sweeper does not look again after it filed anew.
# file: src/engine.rs
# model: replace_versus_refile replace_against_refile
# pass: plain
/fn handle\(/,/^    }/ s/self\.cover\(node, now, guard\);/self.cover(node, now, guard); return removed;/
