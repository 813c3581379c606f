# A renaming whose source was deleted leaves its copy.
# file: src/store.rs
# model: rename_session rename_against_delete
# model: rename_session rename_against_rename
# pass: plain
/pub fn rename/,/^    }/ s/core\.engine\.remove_node\(moved, &guard\);/let _ = moved;/
