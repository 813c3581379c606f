# Who meets an entry that inherits its deadline waits for the one who put it there, and does not settle it.
# file: src/engine.rs
# kind: Update
# freezes: 1500
# expect: freezes blocked another thread
/fn settled_deadline/,/^    }/s/self\.settle\(node\.get\(\), guard\)/core::hint::spin_loop()/
