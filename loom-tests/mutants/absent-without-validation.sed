# Absent is answered without a second look at the header.
# file: src/map/mod.rs
# model: recycle_slot find_against_reuse
# pass: plain
/^fn locate</,/^}/ s/is_valid\(\)\.then_some\(Place::Absent\)/Some(Place::Absent)/
