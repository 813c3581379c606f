# What was removed is never freed.
# file: src/map/node.rs
# kind: Replace
# freezes: 5
# expect: values were not dropped
s/unsafe \{ retire\(pointer, release, self\.guard\) \}/let _ = (retire, pointer, release::<N> as unsafe fn(*mut N));/
