# A pusher swaps its parcel in, and forgets what stood there.
# file: src/reclaim/inbox.rs
# model: hand_back push_against_take
# pass: plain
/pub fn push/,/^    }/ s/if self\.top\.compare_exchange\(.*\)\.is_ok\(\) \{/let _ = self.top.swap(mine, Ordering::AcqRel); if true {/
