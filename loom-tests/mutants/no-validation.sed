# A node is touched without a second look at the header.
# file: src/map/mod.rs
# model: recycle_slot find_against_withdrawal
# pass: plain
/^fn locate</,/^}/ s/if !is_valid\(\)/if false \&\& !is_valid()/
