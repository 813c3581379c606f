# A renaming whose source was deleted removes whatever the new token holds by then.
# file: src/store.rs
# model: rename_session rename_against_delete_against_save
# pass: plain
/pub fn rename/,/^    }/ s/core\.engine\.remove_node\(moved, &guard\);/let _ = (moved, core.remove(new, \&guard));/
