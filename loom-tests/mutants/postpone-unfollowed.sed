# A hit that postponed the end of idle time does not look whether the time to live was changed meanwhile.
# file: src/cache/core.rs
# model: touch_versus_update touch_against_hit_under_idle_time
# pass: plain
/fn postpone/,/^    }/ s/entry\.cap\(\) != cap/false/
