# A flight that lands wakes nobody.
# file: src/loading.rs
s/self\.wake\.notify_all\(\);//
