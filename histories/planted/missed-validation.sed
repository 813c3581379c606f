# A node is judged without a second look at the header that vouched for its slot (but where the slot is plainly empty).
# file: src/map/mod.rs
/^fn locate</,/^}/ s/if !is_valid\(\)/if word.addr() < 2 \&\& !is_valid()/
