# What was removed is never freed.
# file: src/map/node.rs
# kind: Replace
# freezes: 5
# expect: values were not dropped
s/unsafe \{ reclaim::retire\(self\.pointer\.as_ptr\(\), bytes, kind, release::<N>\) \}/let _ = (bytes, kind, release::<N> as unsafe fn(*mut N));/
