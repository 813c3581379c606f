//! `SessionData` as `Bytes` (feature `bytes`).
#![cfg(feature = "bytes")]

mod common;

use bytes::Bytes;
use common::{manual_store, seconds};

/// Catches a conversion that copies.
#[test]
fn the_bytes_stay_where_they_are() {
    let (store, _) = manual_store();
    store.save_for("token", [7_u8; 1_000], seconds(60));
    let data = store.find("token").expect("live");
    let place = data.as_ptr();
    let bytes = Bytes::from(data);
    assert_eq!((bytes.as_ptr(), bytes.len()), (place, 1_000));
    assert_eq!(bytes.slice(10..).as_ptr(), bytes[10..].as_ptr());
}

/// Catches bytes that do not keep the session's memory: a sanitizer sees it too.
#[test]
fn the_bytes_outlive_session_and_store() {
    let (store, _) = manual_store();
    store.save_for("token", "data", seconds(60));
    let bytes = Bytes::from(store.find("token").expect("live"));
    store.delete("token");
    drop(store);
    fleeting::release_thread_memory();
    assert_eq!(bytes, "data");
}

/// Catches an empty session that is refused.
#[test]
fn no_data_is_no_bytes() {
    let (store, _) = manual_store();
    store.save_for("token", "", seconds(60));
    assert!(Bytes::from(store.find("token").expect("live")).is_empty());
}
