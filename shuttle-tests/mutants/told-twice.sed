# The callback is told of an entry that has expired twice.
# file: src/engine/operation.rs
s/for Left \{ node, cause \} in left \{/for Left { node, cause } in left { if cause == RemovalCause::Expired { (self.listener)(node.node(), cause); }/
