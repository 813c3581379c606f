# The tag is set after the header was published.
# file: src/map/mod.rs
# model: publish_entry find_against_two_changes
# pass: plain
/fn publish<'g>/,/^    }/ {
    /set_tag/d
    s/let header = seat\.header;/let (header, tag) = (seat.header, Tags::tag(node.hash()));/
    s/Ok\(node\.publish\(guard\)\)/{ let new = node.publish(guard); seat.head.set_tag(slot, tag); Ok(new) }/
}
