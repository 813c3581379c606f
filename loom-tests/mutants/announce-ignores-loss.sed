# An announcement counts although another thread made it.
# file: src/map/table.rs
# model: announce_growth grow_against_grow_announced
# pass: plain
/pub fn announce\(/,/^    }/ s/\.is_ok\(\)/.is_ok() || true/
