# A handle that was found takes no reference.
# file: src/map/record.rs
# model: drop_session find_against_save_against_take
# pass: plain
/pub fn new\(record: Ref/,/^    }/ s/raise\(&record\.references\);//
