# A sweeper that takes the record of an entry whose time was extended does not file it anew.
# file: src/engine.rs
# kind: Sweep
# freezes: 5
# expect: a sweep after all deadlines left
/fn handle/,/^    }/s/self\.cover\(node, now, guard\);//
