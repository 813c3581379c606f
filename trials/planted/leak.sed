# What was removed is never freed.
# file: src/map/node.rs
# kind: Replace
# freezes: 5
# expect: values were not dropped
s/unsafe \{ epoch::retire_soon\(pointer, release::<N>, self\.guard\) \}/let _ = (epoch::retire_soon::<N>, pointer, release::<N> as unsafe fn(*mut N));/
