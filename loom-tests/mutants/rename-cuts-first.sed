# A renaming removes the old session before it puts the new one.
# file: src/store.rs
# model: rename_session find_against_rename
# model: rename_session find_against_rename_to_another
# pass: plain
/pub fn rename/,/^    }/ {
    s/let moved = match core\.put/let is_cut = core.engine.remove_node(source, \&guard); let moved = match core.put/
    s/core\.engine\.is_live\(source, &guard\) && core\.engine\.remove_node\(source, &guard\)/is_cut/
}
