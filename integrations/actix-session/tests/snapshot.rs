//! A restart of a store of actix-session.

use actix_session::storage::SessionStore;
use actix_web::cookie::time::Duration;
use fleeting_actix_session::{FleetingSessionStore, SessionState};

/// Catches a state that comes back otherwise, and a late update that brings a deleted session back after the
/// restart, under whatever key.
#[actix_web::test]
async fn a_restart_keeps_sessions_and_deletions() {
    let store = FleetingSessionStore::default();
    let state =
        SessionState::from([("user".to_owned(), "\"ferris\"".to_owned()), (String::new(), "[null]".to_owned())]);
    let live = store.save(state.clone(), &Duration::HOUR).await.expect("saved");
    let deleted = store.save(state.clone(), &Duration::HOUR).await.expect("saved");
    store.delete(&deleted).await.expect("deleted");
    let mut file = Vec::new();
    assert_eq!(store.sessions().snapshot().save_to(&mut file).expect("saved").records, 2);

    let restarted = FleetingSessionStore::default();
    let loaded = restarted.sessions().snapshot().max_age(std::time::Duration::from_secs(60)).load_from(&file[..]);
    let loaded = loaded.expect("whole");
    assert_eq!((loaded.sessions, loaded.tombstones), (1, 1));
    assert_eq!(restarted.load(&live).await.expect("loaded"), Some(state.clone()));
    let told = restarted.update(deleted, state, &Duration::HOUR).await.expect("answered");
    assert_eq!(restarted.load(&told).await.expect("loaded"), None);
    assert_eq!((restarted.sessions().len(), restarted.sessions().refused()), (1, 1));
}
