# A landing wakes one of those who wait.
# file: src/loading.rs
# model: land_flight load_against_load_against_panic
# pass: plain
s/notify_all\(\)/notify_one()/
