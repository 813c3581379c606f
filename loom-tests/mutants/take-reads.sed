# A taker reads a place and does not mark it.
# file: src/expiry/pile.rs
# model: file_versus_take file_against_take
# pass: plain
s/place\.swap\(TAKEN, Ordering::Acquire\)/place.load(Ordering::Acquire)/
