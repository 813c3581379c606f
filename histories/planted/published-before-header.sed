# A replacement is published in the old one's slot, which the header vouches for, before the CAS of the header.
# file: src/map/mod.rs
/pub fn put</,/^    }/ s/let new = self\.publish\(seat, node, 1 << slot, guard\)\?;/seat.line().vacate(slot); seat.line().claim(slot, node.pointer().as_ptr()); let new = self.publish(seat, node, 1 << slot, guard)?;/
