# A time to live begins after the end of what it replaces.
# file: src/engine.rs
# test: expiry
/pub fn write</,/^    }/ s/&& makes_nodes/\&\& makes_nodes \&\& false/
