# A batch is put on top of a closed yard.
# file: src/epoch/yard.rs
# model: bring_back bring_against_close
# pass: plain
/pub fn bring/,/^    }/ s/while head != closed\(\)/loop/
/pub fn bring/,/^    }/ s/^        Err\(batch\)$//
