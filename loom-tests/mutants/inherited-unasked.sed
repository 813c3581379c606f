# A deadline is inherited though it has come.
# file: src/engine.rs
# model: touch_versus_update update_against_late_touch
# pass: plain
/^    fn settle\(/,/^    }/ s/self\.has_come_contained\(deadline\.time\(\)\)/false/
