# Two takers pop one chunk.
# file: src/expiry/pile.rs
# model: publish_chunk take_against_take
# pass: plain
s/sealed\(chunk\.next\), Ordering::AcqRel, Ordering::Relaxed\)\.is_err\(\)/sealed(chunk.next), Ordering::AcqRel, Ordering::Relaxed).is_err() \&\& false/
