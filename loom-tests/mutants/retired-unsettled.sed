# The old entry is retired before the new one is settled.
# file: src/engine.rs
# model: touch_versus_update update_against_find
# pass: plain
/fn after_replacement/,/^    }/ s/if change == Change::PutInheriting/if false \&\& change == Change::PutInheriting/
