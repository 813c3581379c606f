# What moves into a spill is read without a second look at the header.
# file: src/map/mod.rs
# model: publish_entry insert_against_insert_spilling
# model: publish_entry insert_against_insert_against_remove
# pass: plain
/fn publish_spilling</,/^    }/ s/seat\.head\.load\(Ordering::Relaxed\) != header/false/
