# A taker does not acquire a record that it finds at once.
# file: src/expiry/pile.rs
# model: file_versus_take file_against_take
# pass: real
s/place\.load\(Ordering::Acquire\)/place.load(Ordering::Relaxed)/
