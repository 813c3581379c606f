//! Real HTTP through actix and actix-session's middleware: the examples of `fleeting-actix-session`, and what happens between two tabs.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use actix_session::config::CookieContentSecurity;
use actix_session::storage::{SessionStore, generate_session_key};
use actix_session::{Session, SessionExt, SessionMiddleware};
use actix_web::cookie::Key;
use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, Responder, guard, web};
use fleeting::ManualClock;
use fleeting_actix_session::FleetingSessionStore;
use fleeting_session_conformance::{Browser, scenarios};
use fleeting_sessions::Sessions;
use futures_executor::block_on;
use tokio::runtime::Runtime;
use tokio::sync::Barrier;

#[allow(dead_code, reason = "an example's main is not called here")]
#[path = "../../actix-session/examples/actix_counter.rs"]
mod counter;
#[allow(dead_code, reason = "an example's main is not called here")]
#[path = "../../actix-session/examples/actix_login.rs"]
mod login;

/// A server on loopback, until it is dropped.
struct Server {
    address: SocketAddr,
    handle: ServerHandle,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// The examples' routes and more, with sessions as the login example has them.
    fn start(
        store: FleetingSessionStore,
        security: CookieContentSecurity,
        more: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
    ) -> Server {
        let (started, starts) = mpsc::channel();
        let key = Key::generate();
        let run = move || {
            let server = HttpServer::new(move || {
                App::new()
                    .app_data(web::Data::new(store.clone()))
                    .wrap(login::sessions(store.clone(), key.clone(), security))
                    .configure(login::configure)
                    .configure(counter::configure)
                    .configure(more.clone())
            });
            let server = server.workers(2).disable_signals().bind(("127.0.0.1", 0)).expect("a free port");
            let address = server.addrs()[0];
            actix_web::rt::System::new().block_on(async move {
                let server = server.run();
                started.send((address, server.handle())).expect("the test waits for it");
                server.await.expect("served");
            });
        };
        let thread = thread::spawn(run);
        let (address, handle) = starts.recv().expect("it starts");
        Server { address, handle, thread: Some(thread) }
    }

    fn browser(&self) -> Browser {
        Browser::new(self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let stopped = self.handle.stop(false);
        block_on(stopped);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn login_server() -> (Server, FleetingSessionStore, ManualClock) {
    let clock = ManualClock::new();
    let sessions = Sessions::builder().clock(clock.clone()).build().expect("a store");
    let store = FleetingSessionStore::from(sessions);
    (Server::start(store.clone(), CookieContentSecurity::Signed, |_| ()), store, clock)
}

/// actix-session's acceptance suite is private to it. This asks what that does, in other words: cookies signed and encrypted, no session without
/// state, changes, renewal, purge, guards, and the cookie's age at each request. Catches a store that does not work under some use of a session.
#[test]
fn a_session_does_what_its_middleware_promises() {
    for security in [CookieContentSecurity::Signed, CookieContentSecurity::Private] {
        let more = |config: &mut web::ServiceConfig| {
            let is_user =
                |context: &guard::GuardContext| context.get_session().get::<String>("user").ok().flatten().is_some();
            let secret = web::scope("/users").guard(guard::fn_guard(is_user));
            config.service(secret.route("/secret", web::get().to(async || "for users")));
        };
        let store = FleetingSessionStore::default();
        let server = Server::start(store.clone(), security, more);
        let mut browser = server.browser();
        assert_eq!((browser.get("/me").0, browser.set_cookies.len()), (401, 0), "no state, no session, no cookie");
        assert_eq!(browser.get("/users/secret").0, 404);
        for count in 0..3 {
            assert_eq!(browser.get("/").1, format!("Visits before this one: {count}"));
            let line = browser.set_cookies.concat();
            for part in ["id=", "Max-Age=3600", "HttpOnly", "SameSite=Lax", "Path=/"] {
                assert!(line.contains(part), "{part} in {line}");
            }
        }
        let mut former = browser.clone();
        assert_eq!(browser.post("/login", "user=ferris").0, 200);
        assert_ne!(browser.cookie(), former.cookie());
        assert_eq!(browser.get("/me"), (200, "ferris".to_owned()));
        assert_eq!(browser.get("/users/secret"), (200, "for users".to_owned()));
        assert!(browser.set_cookies.concat().contains("Max-Age=3600"), "a request that changes nothing");
        assert_eq!(browser.get("/").1, "Visits before this one: 3", "the state came along");
        assert_eq!(former.get("/").1, "Visits before this one: 0", "the former key has nothing");
        let mut kept = browser.clone();
        browser.post("/logout", "");
        assert!(browser.set_cookies.concat().contains("Max-Age=0"), "the cookie is taken away");
        assert_eq!(kept.get("/me").0, 401, "and is worth nothing to who kept it");
        let mut forged = server.browser().with_cookie("id", "0123456789abcdef");
        assert_eq!(forged.get("/me").0, 401);
    }
}

/// Catches a store that each worker has for itself, or cookies that are mixed up.
#[test]
fn the_counter_counts_for_each_browser() {
    let store = FleetingSessionStore::default();
    let (kept, key) = (store.clone(), Key::generate());
    let server = Server::start(FleetingSessionStore::default(), CookieContentSecurity::Signed, move |config| {
        let sessions =
            SessionMiddleware::builder(kept.clone(), key.clone()).cookie_name("count".to_owned()).cookie_secure(false);
        config.service(web::scope("/counter").wrap(sessions.build()).configure(counter::configure));
    });
    let mut browsers = [server.browser(), server.browser(), server.browser()];
    for count in 0..4 {
        for browser in &mut browsers {
            // A new connection each time, so that either worker may answer.
            let mut again = server.browser();
            if let Some(cookie) = browser.cookie() {
                again = again.with_cookie("count", cookie);
            }
            assert_eq!(again.get("/counter/"), (200, format!("Visits before this one: {count}")));
            *browser = again;
        }
    }
    assert_eq!(store.sessions().len(), 3);
}

/// Catches an operator's logout that misses a session, or hits another user's.
#[test]
fn logout_everywhere_ends_all_sessions_of_one_user() {
    let (server, store, _) = login_server();
    scenarios::logout_everywhere(server.address);
    assert_eq!(store.sessions().len(), 1);
}

/// Catches an expiry that does not slide, slides without a request, or is late.
#[test]
fn the_expiry_slides_with_each_request() {
    let (server, store, clock) = login_server();
    let mut browser = server.browser();
    browser.post("/login", "user=ferris");
    for _ in 0..5 {
        clock.advance(Duration::from_secs(3600) - Duration::from_nanos(1));
        assert_eq!(browser.get("/me").0, 200);
    }
    clock.advance(Duration::from_secs(3600));
    assert_eq!(browser.get("/me").0, 401, "an hour without a request");
    store.sessions().sweep();
    assert!(store.sessions().is_empty());
}

/// A request that has read its session, waits until the test goes on, and then writes.
async fn slow(session: Session, gate: web::Data<Barrier>) -> actix_web::Result<impl Responder> {
    let user: Option<String> = session.get("user")?;
    gate.wait().await; // it has been read
    gate.wait().await; // the test has done what it wanted to
    session.insert("note", "late")?;
    Ok(user.unwrap_or_default())
}

/// Catches an update that begins before a logout, ends after it, and undoes it: under the old key, or under the new one that it is told.
#[test]
fn a_request_that_ends_after_the_logout_does_not_undo_it() {
    let (store, gate) = (FleetingSessionStore::default(), Arc::new(Barrier::new(2)));
    let gates = web::Data::from(gate.clone());
    let server = Server::start(store.clone(), CookieContentSecurity::Signed, move |config| {
        config.app_data(gates.clone()).route("/slow", web::post().to(slow));
    });
    let waiting = Runtime::new().expect("a runtime");
    let mut tab = server.browser();
    tab.post("/login", "user=ferris");
    let (mut other, mut kept) = (tab.clone(), tab.clone());
    let late = thread::spawn(move || {
        let answer = other.post("/slow", "");
        (answer, other)
    });
    waiting.block_on(gate.wait());
    assert_eq!(tab.post("/logout", "").0, 200);
    waiting.block_on(gate.wait());
    let (answer, mut other) = late.join().expect("the slow request ends");
    assert_eq!(answer, (200, "ferris".to_owned()), "the late request itself is not at fault");
    assert_ne!(other.cookie(), kept.cookie(), "told a new key");
    assert_eq!((other.get("/me").0, kept.get("/me").0), (401, 401), "logged out in the other tab, too");
    assert_eq!((store.sessions().len(), store.sessions().refused()), (0, 1));
}

async fn admit(session: Session) -> actix_web::Result<impl Responder> {
    session.insert("user", "ferris")?;
    session.insert("is_admin", true)?;
    Ok("")
}

async fn revoke(session: Session) -> impl Responder {
    session.remove("is_admin");
    ""
}

async fn is_admin(session: Session) -> actix_web::Result<impl Responder> {
    Ok(session.get::<bool>("is_admin")?.is_some().to_string())
}

/// What the README says of requests that cross. Catches a strict store in which a stale update puts rights back,
/// or fails otherwise than by status 500; and a default that is not as documented.
#[test]
fn a_stale_update_wins_unless_it_is_refused() {
    let strict = FleetingSessionStore::default().refuse_stale_updates();
    for (store, status, admin) in [(FleetingSessionStore::default(), 200, "true"), (strict, 500, "false")] {
        let gate = Arc::new(Barrier::new(2));
        let gates = web::Data::from(gate.clone());
        let server = Server::start(store.clone(), CookieContentSecurity::Signed, move |config| {
            config.app_data(gates.clone()).route("/slow", web::post().to(slow));
            config.route("/admit", web::post().to(admit)).route("/revoke", web::post().to(revoke));
            config.route("/admin", web::get().to(is_admin));
        });
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
        assert_eq!(tab.get("/admin"), (200, admin.to_owned()));
        assert_eq!(store.sessions().refused(), u64::from(status == 500));
        // Who begins after that is not disturbed.
        assert_eq!((tab.post("/admit", "").0, tab.post("/revoke", "").0), (200, 200));
        assert_eq!(tab.get("/admin"), (200, "false".to_owned()));
    }
}

/// Catches an update of what has expired, or never was, that is lost, or goes where it was: the trait wants it under a new key.
#[test]
fn an_update_of_what_is_not_there_goes_under_a_new_key() {
    let clock = ManualClock::new();
    let sessions = Sessions::builder().clock(clock.clone()).build().expect("a store");
    let store = FleetingSessionStore::from(sessions);
    let (hour, state) = (time::Duration::hours(1), HashMap::from([("name".to_owned(), "\"ferris\"".to_owned())]));
    let expired = block_on(store.save(state.clone(), &hour)).expect("saved");
    clock.advance(Duration::from_secs(3600));
    for key in [expired, generate_session_key(), "short".to_owned().try_into().expect("a key")] {
        let former = key.as_ref().to_owned();
        let new = block_on(store.update(key, state.clone(), &hour)).expect("updated");
        assert_ne!(new.as_ref(), former);
        assert_eq!(block_on(store.load(&new)).expect("loaded"), Some(state.clone()));
        let former = former.try_into().expect("a key");
        assert_eq!(block_on(store.load(&former)).expect("loaded"), None);
    }
    assert_eq!(store.sessions().len(), 3);
}

/// Catches sessions that are mixed up, lost or left under many clients at once.
#[test]
fn ten_thousand_clients_are_kept_apart() {
    let (server, store, _) = login_server();
    scenarios::many_clients(server.address, || (store.sessions().len(), store.sessions().tombstones()));
}
