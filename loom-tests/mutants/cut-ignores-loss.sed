# A removal takes the node although its CAS lost.
# file: src/map/mod.rs
# model: publish_entry remove_against_remove
# pass: plain
/pub fn cut</,/^    }/ s/if !head\.advance(.*) \{$/if !head.advance\1 \&\& false {/
