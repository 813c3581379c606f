# The old slot is given back before the header moves on.
# file: src/map/mod.rs
# model: publish_entry find_against_two_changes
# pass: plain
/pub fn put</,/^    }/ {
    /seat\.line\.vacate\(slot\);/d
    s/let new = self\.publish\(seat, node, 1 << slot, guard\)\?;/seat.line.vacate(slot); let new = self.publish(seat, node, 1 << slot, guard)?;/
}
