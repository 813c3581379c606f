# A load puts its value over what came meanwhile.
# file: src/cache.rs
# model: land_flight load_against_insert
# pass: plain
s/core\.put\(entry, &guard, \|is_live\| !is_live\)/core.put(entry, \&guard, |_| true)/
