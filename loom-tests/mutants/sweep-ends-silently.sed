# The end of a sweep wakes nobody.
# file: src/janitor.rs
# model: stop_janitor one_leaves
# pass: plain
/self\.lock\(\)\.at_work = None;/,/^    }/ s/self\.changed\.notify_all\(\);//
