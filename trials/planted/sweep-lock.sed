# One thread takes records at a time.
# file: src/engine/sweep.rs
# kind: Sweep
# freezes: 300
# expect: freezes blocked another thread
s/^pub\(super\) const CHUNKS: usize/static PLANTED: core::sync::atomic::AtomicBool = core::sync::atomic::AtomicBool::new(false);\n&/
s/^( +)let Some\(tick\) = self\.index\.take\(which, cursor, chunks, records, &guard\) else/\1while PLANTED.swap(true, core::sync::atomic::Ordering::Acquire) {\n\1    core::hint::spin_loop();\n\1}\n\1let taken = self.index.take(which, cursor, chunks, records, \&guard);\n\1PLANTED.store(false, core::sync::atomic::Ordering::Release);\n\1let Some(tick) = taken else/
