# An expiry cuts without deciding on the deadline first.
# file: src/engine.rs
# model: touch_versus_sweep touch_against_sweep
# pass: plain
/fn decide_expiry/,/^    }/ s/is_due && node\.meta\(\)\.change_deadline\(deadline, DEAD\)/is_due/
