# A reference is given up without release.
# file: src/map/record.rs
# model: drop_session drop_against_drop_against_drop
# pass: plain
s/references\.fetch_sub\(1, Ordering::Release\)/references.fetch_sub(1, Ordering::Relaxed)/
