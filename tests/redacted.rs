//! Secrets in logs: what prints under `Debug` shows neither token nor data, of a session or of a cache.
//!
//! Not here: `Op`, which derives `Debug` and prints a value as the value's own type does.

mod common;

use std::fmt::Debug;

use common::{manual_cache, manual_store, seconds, wall_start};
use fleeting::{Cache, MemStore};

/// As text, as numbers, in hexadecimal; plainly and prettily.
fn assert_redacted(value: &impl Debug) {
    for text in [format!("{value:?}"), format!("{value:#?}"), format!("{value:x?}"), format!("{value:02X?}")] {
        assert!(!text.is_empty());
        assert!(!text.contains("secret"), "{text}");
        assert!(!text.replace([' ', '\n'], "").contains("115,101,99"), "{text}: as numbers");
        assert!(!text.to_lowercase().replace([' ', '\n', ','], "").contains("736563"), "{text}: in hexadecimal");
    }
}

/// Catches a derived `Debug` on what holds a session, or knows one.
#[test]
fn sessions_print_redacted() {
    let (store, _) = manual_store();
    let expiry = wall_start() + seconds(60);
    store.save("secret-token", "secret-data", expiry);
    let (data, version) = store.find_versioned("secret-token").expect("live");
    assert_redacted(&store.all());
    assert_redacted(&store.find_with_expiry("secret-token"));
    assert_redacted(&(data, version));
    assert_redacted(&store);
    assert_redacted(&store.downgrade());
    assert_redacted(&store.stats());
    assert_redacted(&store.create("secret-token", "secret-data", expiry));
    assert_redacted(&store.compare_and_save("secret-other", version, "secret-data", expiry));
    assert_redacted(&store.try_save("secret-token", vec![0; u32::MAX as usize + 1], expiry));
    let secret = "secret".to_string();
    assert_redacted(&MemStore::builder().on_removal(move |_, _, _| drop(secret.clone())));
}

/// Catches a cache, or a view of it, that prints what it holds.
#[test]
fn caches_print_redacted() {
    let (cache, _) = manual_cache::<String, String>();
    cache.insert("secret-key".into(), "secret-value".into());
    assert_redacted(&cache);
    assert_redacted(&cache.downgrade());
    assert_redacted(&cache.pin());
    let secret = "secret".to_string();
    assert_redacted(&Cache::<String, String>::builder().on_removal(move |_, _, _| drop(secret.clone())));
}

/// Catches `Bytes` of a session that print it (they are the `bytes` crate's own, and do): so whoever logs them is told here.
#[cfg(feature = "bytes")]
#[test]
fn bytes_are_not_redacted() {
    let (store, _) = manual_store();
    store.save("token", "secret-data", wall_start() + seconds(60));
    let bytes = bytes::Bytes::from(store.find("token").expect("live"));
    assert!(format!("{bytes:?}").contains("secret"), "the documentation says so");
}
