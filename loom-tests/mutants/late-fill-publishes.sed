# A late helper publishes a destination anew.
# file: src/map/bucket.rs
# model: migrate_bucket late_help_against_remove
# pass: plain
/pub fn fill\(&self, header/,/^    }/ s/self\.header\.compare_exchange.*$/{ self.header.store(header.0, Ordering::Release); true }/
