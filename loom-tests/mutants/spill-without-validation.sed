# A spill is read without a second look at the header.
# file: src/map/mod.rs
# model: recycle_slot find_against_drain_of_a_spill
# pass: plain
/^fn locate_spilled</,/^}/ s/head\.load\(Ordering::Relaxed\) != header/false/
