# A renaming puts over a live session.
# file: src/store.rs
# model: rename_session rename_against_create
# model: rename_session rename_against_delete_against_save
# pass: plain
/pub fn rename/,/^    }/ {
    s/\|current\| current\.is_none\(\)/|_| true/
    s/_ => return false,/_ => None,/
}
