# Who meets a frozen bucket waits for whoever froze it.
# file: src/map/migrate.rs
# test: lock_freedom
/^pub\(super\) fn migrate</,/^}/ s/let header = head\.freeze\(\);/while head.load(Ordering::Acquire).is_frozen() \&\& !(first..first + split).all(is_ready) { crate::sync::thread::yield_now(); }\n    let header = head.freeze();/
