# Who meets a bucket that is being migrated waits for it, and does not help.
# file: src/map/migrate.rs
# kind: Grow
# freezes: 1000
# expect: freezes blocked another thread
s/^( +)let header = head\.freeze\(\);/\1if head.load(Ordering::Acquire).is_frozen() {\n\1    while !(first..first + split).all(is_ready) {\n\1        core::hint::spin_loop();\n\1    }\n\1    return next;\n\1}\n&/
