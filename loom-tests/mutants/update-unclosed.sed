# The old deadline is copied without being closed.
# file: src/engine.rs
# model: touch_versus_update update_against_touch
# pass: plain
/^    fn settle\(/,/^    }/ s/predecessor\.meta\(\)\.close_deadline\(deadline\)/true/
