# A leader does not look again before it loads.
# file: src/cache.rs
/pub fn try_get_or_insert_with/,/^    }/ s/if let Some\(value\) = self\.peek\(&key\) \{/if let Some(value) = self.peek(\&key).filter(|_| false) {/
