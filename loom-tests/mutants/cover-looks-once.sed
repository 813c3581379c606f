# No second look at the deadline.
# file: src/engine.rs
# model: shorten_versus_refile shorten_against_insert
# pass: plain
/fn cover\(/,/^    }/ s/if node\.meta\(\)\.deadline\(\)\.time\(\) >= deadline/if true/
