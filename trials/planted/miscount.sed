# Removals are not counted.
# file: src/engine.rs
# kind: Remove
# freezes: 5
# expect: iteration saw
s/self\.counters\.add_entries\(-1\);//
