# A rename removes the old token before the new one is there.
# file: src/store.rs
/pub fn rename/,/^    }/ s/let moved = match core\.put/core.engine.remove_node(source, \&guard);\n            let moved = match core.put/
