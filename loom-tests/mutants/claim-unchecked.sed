# A slot is claimed by a store: two claimants get one.
# file: src/map/bucket.rs
# model: publish_entry insert_against_another
# model: publish_entry insert_against_insert_spilling
# pass: plain
/pub fn claim/,/^    }/ s/target\.compare_exchange\(.*\)\.is_ok\(\)/{ target.store(word, Ordering::Release); true }/
