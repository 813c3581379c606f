# A landing wakes nobody.
# file: src/loading.rs
# model: land_flight load_against_load
# model: land_flight load_against_panic
# model: land_flight panic_against_panic
# pass: plain
s/self\.wake\.notify_all\(\);//
