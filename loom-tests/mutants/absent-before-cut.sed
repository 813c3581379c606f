# A find answers by the clock alone.
# file: src/engine.rs
# model: touch_versus_sweep find_of_expired_against_replace
# pass: plain
/fn find_again</,/^    }/ s/self\.expire\(node, .*$/return None;/
