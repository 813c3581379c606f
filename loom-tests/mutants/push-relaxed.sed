# A record is put down without release.
# file: src/expiry/pile.rs
# model: file_versus_take file_against_take
# pass: plain
s/place\.compare_exchange\(FREE, record, Ordering::Release/place.compare_exchange(FREE, record, Ordering::Relaxed/
