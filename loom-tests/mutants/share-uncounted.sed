# A handle takes no reference.
# file: src/map/record.rs
# model: drop_session find_against_remove
# pass: plain
/pub fn new\(record: Ref/,/^    }/ s/raise\(&record\.references\);//
