# A taker does not acquire the record.
# file: src/expiry/pile.rs
# model: file_versus_take file_against_take
# pass: real
s/place\.swap\(TAKEN, Ordering::Acquire\)/place.swap(TAKEN, Ordering::Relaxed)/
