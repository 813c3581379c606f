# A bucket overflows by a header that has moved.
# file: src/map/mod.rs
# model: publish_entry insert_against_insert_spilling
# model: publish_entry insert_against_insert_against_remove
# pass: plain
/fn publish_spill\(/,/^    }/ s/seat\.head\(\)\.advance\(seat\.header, header\)/seat.head().advance(seat.head().load(Ordering::Acquire), header)/
