# The last reference is given up without acquire.
# file: src/map/record.rs
# model: drop_session release_against_clone_against_drop
# pass: plain
/unsafe fn release/,/^    }/ s/fence\(Ordering::Acquire\);//
