# A deadline that is now has not come.
# file: src/clock.rs
/pub fn has_come_at/,/^    }/ s/deadline <= /deadline < /g
