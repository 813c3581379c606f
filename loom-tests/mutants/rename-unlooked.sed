# A renaming does not look whether its source has expired since.
# file: src/store.rs
# model: rename_session rename_against_expiry
# pass: plain
/pub fn rename/,/^    }/ s/matches!\(looked, Ok\(true\)\) && //
