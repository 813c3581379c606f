# A removal of many counts although its CAS lost.
# file: src/map/bulk.rs
# model: publish_entry cut_all_against_remove
# model: publish_entry cut_all_against_cut_all
# pass: plain
/fn cut_here</,/^    }/ s/if !done \{/if !done \&\& false {/
