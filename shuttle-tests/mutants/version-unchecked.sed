# A save by comparison takes any version.
# file: src/store.rs
/pub fn compare_and_save/,/^    }/ s/current\.version\(\) == expected\.0/(current.version() == expected.0 || true)/
