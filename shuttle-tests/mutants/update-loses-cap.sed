# An update loses where the time to live ends.
# file: src/map/entry.rs
/fn inherit\(&self/,/^    }/ s/predecessor\.cap\(\)/0/
