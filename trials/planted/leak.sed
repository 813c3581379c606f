# What was removed is never freed.
# file: src/map/node.rs
# kind: Replace
# freezes: 5
# expect: values were not dropped
s/unsafe \{ retire\(pointer\.cast\(\), release_erased::<N>, self\.guard\) \}/let _ = (retire, pointer, release_erased::<N> as unsafe fn(*mut ()));/
