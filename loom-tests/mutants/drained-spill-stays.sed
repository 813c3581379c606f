# The header still names the spill that was drained.
# file: src/map/mod.rs
# model: publish_entry remove_against_remove_in_a_spill
# model: recycle_slot find_against_drain_of_a_spill
# pass: plain
s/head\.advance\(header, header\.changed\(1 << slot, 0, None\)\)/head.advance(header, header.changed(1 << slot, 0, header.spill()))/
