# A spill counts as published although its CAS lost.
# file: src/map/mod.rs
# model: publish_entry replace_against_remove_in_a_spill
# pass: plain
/fn publish_spill\(/,/^    }/ s/seat\.head\.advance\(seat\.header, header\)/{ seat.head.advance(seat.header, header); true }/
