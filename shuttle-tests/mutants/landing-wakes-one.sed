# A flight that lands wakes one of those who wait.
# file: src/loading.rs
s/notify_all\(\)/notify_one()/
