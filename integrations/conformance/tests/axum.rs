//! Real HTTP through axum and tower-sessions' layer: the examples of `fleeting-tower-sessions`, and what happens between two tabs.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::routing::{get, post};
use fleeting::ManualClock;
use fleeting_session_conformance::{Browser, scenarios};
use fleeting_sessions::Sessions;
use fleeting_tower_sessions::{FleetingCache, FleetingStore};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::Barrier;
use tower_sessions::session::Id;
use tower_sessions::{CachingSessionStore, Expiry, Session, SessionManagerLayer};

#[allow(dead_code, reason = "an example's main is not called here")]
#[path = "../../tower-sessions/examples/axum_counter.rs"]
mod counter;
#[allow(dead_code, reason = "an example's main is not called here")]
#[path = "../../tower-sessions/examples/axum_login.rs"]
mod login;

/// A server on loopback, until it is dropped.
struct Server {
    address: SocketAddr,
    _runtime: Runtime,
}

impl Server {
    fn start(app: Router) -> Server {
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("an address");
        runtime.spawn(axum::serve(listener, app).into_future());
        Server { address, _runtime: runtime }
    }

    fn browser(&self) -> Browser {
        Browser::new(self.address)
    }
}

/// The login example, by a clock of the test's.
fn login_server() -> (Server, FleetingStore, ManualClock) {
    let clock = ManualClock::new();
    let sessions = Sessions::builder().clock(clock.clone()).build().expect("a store");
    let store = FleetingStore::from(sessions);
    let server = Server::start(login::routes(store.clone()).layer(login::layer(store.clone())));
    (server, store, clock)
}

/// Lets time pass for the store. The layer reads the system's wall clock, so the store's wall clock is set to it again.
fn pass(clock: &ManualClock, time: Duration) {
    clock.advance(time);
    clock.set_system_time(SystemTime::now());
}

/// Catches a store that the counter example does not work with, and cookies that are mixed up.
#[test]
fn the_counter_counts_for_each_browser() {
    let store = FleetingStore::default();
    let server = Server::start(counter::app(store.clone()));
    let (mut one, mut other) = (server.browser(), server.browser());
    for count in 0..3 {
        assert_eq!(one.get("/"), (200, format!("Visits before this one: {count}")));
    }
    assert_eq!(other.get("/"), (200, "Visits before this one: 0".to_owned()));
    assert_eq!(store.sessions().len(), 2);
}

/// Catches a login that keeps the id of before, or a former id that still works.
#[test]
fn login_renews_the_id() {
    let (server, store, _) = login_server();
    let mut browser = server.browser();
    assert_eq!(browser.get("/me").0, 401);
    assert_eq!(browser.cookie(), None, "nobody asked for a session");
    browser.post("/login", "user=ferris");
    let mut former = browser.clone();
    assert_eq!(browser.get("/me"), (200, "ferris".to_owned()));
    browser.post("/login", "user=corro");
    assert_ne!(browser.cookie(), former.cookie());
    assert_eq!(former.get("/me").0, 401, "the former id is dead");
    assert_eq!(browser.get("/me"), (200, "corro".to_owned()));
    assert_eq!((store.sessions().len(), store.sessions().tombstones()), (1, 1));
}

/// Catches an operator's logout that misses a session, or hits another user's.
#[test]
fn logout_everywhere_ends_all_sessions_of_one_user() {
    let (server, store, _) = login_server();
    scenarios::logout_everywhere(server.address);
    assert_eq!(store.sessions().len(), 1);
}

/// Catches an expiry that does not slide, or slides without a request.
#[test]
fn the_expiry_slides_with_each_request() {
    let (server, store, clock) = login_server();
    let mut browser = server.browser();
    browser.post("/login", "user=ferris");
    for _ in 0..5 {
        pass(&clock, Duration::from_secs(50 * 60));
        assert_eq!(browser.get("/me").0, 200);
    }
    pass(&clock, Duration::from_secs(61 * 60));
    assert_eq!(browser.get("/me").0, 401, "an hour and a minute without a request");
    store.sessions().sweep();
    assert!(store.sessions().is_empty());
}

/// A request that has read its session, waits until the test goes on, and then writes.
fn slow(gate: Arc<Barrier>) -> axum::routing::MethodRouter {
    post(|session: Session| async move {
        let user: Option<String> = session.get("user").await.expect("loaded");
        gate.wait().await; // it has been read
        gate.wait().await; // the test has done what it wanted to
        session.insert("note", "late").await.expect("inserted");
        user.unwrap_or_default()
    })
}

/// Catches a save that begins before a logout, ends after it, and undoes it.
#[test]
fn a_request_that_ends_after_the_logout_does_not_undo_it() {
    let store = FleetingStore::default();
    let gate = Arc::new(Barrier::new(2));
    let routes = login::routes(store.clone()).route("/slow", slow(gate.clone()));
    let server = Server::start(routes.layer(login::layer(store.clone())));
    let waiting = Runtime::new().expect("a runtime");
    let mut tab = server.browser();
    tab.post("/login", "user=ferris");
    let mut other = tab.clone();
    let late = thread::spawn(move || {
        let answer = other.post("/slow", "");
        (answer, other)
    });
    waiting.block_on(gate.wait());
    assert_eq!(tab.post("/logout", "").0, 200);
    waiting.block_on(gate.wait());
    let (answer, mut other) = late.join().expect("the slow request ends");
    assert_eq!(answer, (200, "ferris".to_owned()), "the late request itself is not at fault");
    assert_eq!(other.get("/me").0, 401, "logged out in the other tab, too");
    assert_eq!((store.sessions().len(), store.sessions().refused()), (0, 1));
}

/// A session that has rights until they are revoked.
fn rights(gate: Arc<Barrier>) -> Router {
    let admit = post(|session: Session| async move {
        session.insert("user", "ferris").await.expect("inserted");
        session.insert("is_admin", true).await.expect("inserted");
    });
    let revoke = post(|session: Session| async move { drop(session.remove_value("is_admin").await.expect("removed")) });
    let is_admin = get(|session: Session| async move {
        session.get_value("is_admin").await.expect("loaded").is_some().to_string()
    });
    let twice = post(|session: Session| async move {
        session.insert("first", 1).await.expect("inserted");
        session.save().await.expect("saved in between");
        session.insert("second", 2).await.expect("inserted");
    });
    let routes = Router::new().route("/admit", admit).route("/revoke", revoke).route("/admin", is_admin);
    routes.route("/twice", twice).route("/slow", slow(gate))
}

/// What the README says of requests that cross. Catches a strict store in which a stale save puts rights back, or
/// fails otherwise than by status 500; and a default that is not as documented.
#[test]
fn a_stale_save_wins_unless_it_is_refused() {
    let strict = FleetingStore::default().refuse_stale_saves();
    for (store, status, is_admin) in [(FleetingStore::default(), 200, "true"), (strict, 500, "false")] {
        let gate = Arc::new(Barrier::new(2));
        let layer = SessionManagerLayer::new(store.clone()).with_secure(false);
        let server = Server::start(rights(gate.clone()).layer(layer));
        let waiting = Runtime::new().expect("a runtime");
        let mut tab = server.browser();
        tab.post("/admit", "");
        assert_eq!(tab.get("/admin"), (200, "true".to_owned()));
        let mut other = tab.clone();
        let late = thread::spawn(move || other.post("/slow", "").0);
        waiting.block_on(gate.wait());
        assert_eq!(tab.post("/revoke", "").0, 200);
        assert_eq!(tab.get("/admin"), (200, "false".to_owned()));
        waiting.block_on(gate.wait());
        assert_eq!(late.join().expect("the slow request ends"), status);
        assert_eq!(tab.get("/admin"), (200, is_admin.to_owned()));
        assert_eq!(store.sessions().refused(), u64::from(status == 500));
        // Who begins after that is not disturbed, however often it saves.
        assert_eq!((tab.post("/twice", "").0, tab.post("/revoke", "").0), (200, 200));
        assert_eq!(tab.get("/admin"), (200, "false".to_owned()));
    }
}

/// Catches a store by which an attacker can choose a victim's id: tower-sessions clears, and so saves, whatever id a cookie names.
#[test]
fn a_cookie_that_was_made_up_makes_no_session() {
    let store = FleetingStore::default();
    let clear = post(|session: Session| async move { session.clear().await });
    let routes = login::routes(store.clone()).route("/clear", clear);
    let server = Server::start(routes.layer(login::layer(store.clone())));
    let id = Id::default();
    let mut browser = server.browser().with_cookie("id", &id.to_string());
    assert_eq!(browser.post("/clear", "").0, 200);
    assert!(store.sessions().load(&id).is_none() && store.sessions().is_empty());
}

/// tower-sessions' own suite asks these of its layer, over each store; here, over real HTTP. Catches a store that does not work under some use
/// of a session.
#[test]
fn a_session_does_what_its_layer_promises() {
    let day = Expiry::OnInactivity(time::Duration::days(1));
    let routes = Router::new()
        .route("/nothing", get(|_: Session| async { "nothing" }))
        .route("/insert", get(|session: Session| async move { session.insert("number", 42).await.expect("inserted") }))
        .route(
            "/number",
            get(|session: Session| async move { format!("{:?}", session.get_value("number").await.expect("read")) }),
        )
        .route(
            "/remove",
            get(|session: Session| async move { drop(session.remove_value("number").await.expect("removed")) }),
        )
        .route("/cycle", get(|session: Session| async move { session.cycle_id().await.expect("renewed") }))
        .route("/flush", get(|session: Session| async move { session.flush().await.expect("flushed") }))
        .route("/day", get(move |session: Session| async move { session.set_expiry(Some(day)) }))
        .route("/end", get(|session: Session| async move { session.set_expiry(Some(Expiry::OnSessionEnd)) }));
    let hour = Expiry::OnInactivity(time::Duration::hours(1));
    let layer = SessionManagerLayer::new(FleetingStore::default()).with_expiry(hour).with_domain("localhost");
    let server = Server::start(routes.layer(layer));

    let mut browser = server.browser();
    browser.get("/nothing");
    assert!(browser.set_cookies.is_empty(), "no session, no cookie");
    browser.get("/insert");
    let line = browser.set_cookies.concat();
    for part in ["id=", "HttpOnly", "SameSite=Strict", "Secure", "Path=/", "Domain=localhost", "Max-Age=3"] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert_eq!(browser.get("/number").1, "Some(Number(42))");
    let mut former = browser.clone();
    browser.get("/cycle");
    assert_ne!(browser.cookie(), former.cookie());
    assert_eq!((browser.get("/number").1, former.get("/number").1), ("Some(Number(42))".into(), "None".into()));
    browser.get("/day");
    assert!(browser.set_cookies.concat().contains("Max-Age=86"), "a day: {:?}", browser.set_cookies);
    browser.get("/end");
    assert!(
        !browser.set_cookies.concat().contains("Max-Age"),
        "until the browser is closed: {:?}",
        browser.set_cookies
    );
    assert_eq!(browser.get("/number").1, "Some(Number(42))");
    browser.get("/remove");
    assert_eq!(browser.get("/number").1, "None");
    browser.get("/flush");
    assert!(browser.set_cookies.concat().contains("Max-Age=0"), "the cookie is taken away: {:?}", browser.set_cookies);

    let bogus = Id::default().to_string();
    for cookie in [bogus.as_str(), "malformed"] {
        let mut browser = server.browser().with_cookie("id", cookie);
        assert_eq!(browser.get("/insert").0, 200);
        assert_ne!(browser.cookie(), Some(cookie), "a session under an id of the server's");
        assert_eq!(browser.get("/number").1, "Some(Number(42))");
    }
}

/// Catches a cache that loses what the store behind has, changes an id that the store has given, or keeps what was deleted.
#[test]
fn the_cache_works_before_another_store() {
    let (cache, behind) = (FleetingCache::default(), FleetingStore::default());
    let store = CachingSessionStore::new(cache.clone(), behind.clone());
    let layer = SessionManagerLayer::new(store).with_secure(false);
    let server = Server::start(login::routes(behind.clone()).layer(layer));
    let mut browser = server.browser();
    browser.post("/login", "user=ferris");
    assert_eq!((cache.sessions().len(), behind.sessions().len()), (1, 1));
    assert_eq!(browser.get("/me").0, 200);
    // Lost here, it comes again from behind.
    cache.sessions().clear();
    assert_eq!(browser.get("/me"), (200, "ferris".to_owned()));
    assert_eq!(cache.sessions().len(), 1);
    browser.post("/logout", "");
    assert_eq!((cache.sessions().len(), behind.sessions().len()), (0, 0));
}

/// Catches sessions that are mixed up, lost or left under many clients at once.
#[test]
fn ten_thousand_clients_are_kept_apart() {
    let (server, store, _) = login_server();
    scenarios::many_clients(server.address, || (store.sessions().len(), store.sessions().tombstones()));
}
