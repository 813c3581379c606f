# A hint is published without release.
# file: src/expiry/pile.rs
# model: publish_hint file_against_hint
# pass: plain
s/self\.pile\.compare_exchange\(old, new, Ordering::Release/self.pile.compare_exchange(old, new, Ordering::Relaxed/
