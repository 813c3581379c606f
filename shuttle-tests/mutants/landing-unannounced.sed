# A flight that lands wakes nobody.
# file: src/loading.rs
s/self\.flight\.wake\.notify_all\(\);//
