# Growth is helped under one lock.
# file: src/map/migrate.rs
# kind: Grow
# freezes: 300
# expect: freezes blocked another thread
s/^const STRIDE: usize/static PLANTED: core::sync::atomic::AtomicBool = core::sync::atomic::AtomicBool::new(false);\n&/
s/^( +)(self\.help_growth\(root, guard\);)/\1while PLANTED.swap(true, core::sync::atomic::Ordering::Acquire) {\n\1    core::hint::spin_loop();\n\1}\n\1\2\n\1PLANTED.store(false, core::sync::atomic::Ordering::Release);/
