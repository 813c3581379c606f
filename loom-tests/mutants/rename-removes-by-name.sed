# A renaming removes whatever the old token holds by then.
# file: src/store.rs
# model: rename_session rename_against_save
# pass: plain
/pub fn rename/,/^    }/ s/core\.engine\.remove_node\(source, &guard\)/core.remove(old, \&guard).is_some()/
