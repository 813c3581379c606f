# A chunk is published without release.
# file: src/expiry/pile.rs
# model: publish_chunk push_against_push
# pass: plain
s/head\.compare_exchange\(top, chunk, Ordering::Release/head.compare_exchange(top, chunk, Ordering::Relaxed/
