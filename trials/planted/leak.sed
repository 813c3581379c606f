# What was removed is never freed.
# file: src/map/node.rs
# kind: Replace
# freezes: 5
# expect: values were not dropped
s/unsafe \{ epoch::retire\(self\.node\.pointer\(\)\.as_ptr\(\), release, self\.guard\) \}/let _ = release::<N>;/
