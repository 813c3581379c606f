# A touch that moves the deadline forward files nothing.
# file: src/engine.rs
# model: shorten_versus_refile shorten_against_shorten_with_relief
# model: shorten_versus_refile shorten_against_early_take
# pass: plain
/pub fn set_deadline/,/^    }/ s/if to < from\.time\(\) \|\|/if/
