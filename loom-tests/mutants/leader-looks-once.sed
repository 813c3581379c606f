# A leader does not look again.
# file: src/cache.rs
# model: land_flight load_against_load
# model: land_flight nested_load_against_load
# pass: plain
s/if let Some\(value\) = self\.peek\(&key\)/if let Some(value) = self.peek(\&key).filter(|_| false)/
