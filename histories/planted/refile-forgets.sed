# A sweeper that meets a live entry voids its claim, and does not file it anew.
# file: src/engine.rs
/fn handle\(/,/^    }/ s/self\.cover\(node, now, guard\);//
