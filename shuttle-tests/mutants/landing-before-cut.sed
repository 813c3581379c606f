# A flight says that it has landed, and is never taken from the map.
# file: src/loading.rs
/fn cut/,/^    }/ s/if seat\.node\(\)\.is_none\(\) \|\|.*/if seat.node().is_some() {/
