# A record that is taken early is not filed anew.
# file: src/engine.rs
/fn handle\(/,/^    }/ s/self\.cover\(node, now, guard\);/if node.meta().deadline().time() <= now { self.cover(node, now, guard); }/
