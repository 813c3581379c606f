# A growth ends only when the owners of its strides have migrated them.
# file: src/map/migrate.rs
# test: lock_freedom
/let from = root\.growth\.verified/,/^    }/ s/migrate\(&root, bucket, guard\);/while !next.bucket((bucket + 1) * (next.len() \/ root.len()) - 1).0.load(Ordering::Acquire).is_ready() { crate::sync::thread::yield_now(); }/
