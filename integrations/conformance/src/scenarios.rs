//! What users do, over real HTTP, to a server with the routes of the login examples.

use std::net::SocketAddr;
use std::thread;

use crate::browser::{Browser, connections};

/// One user logs in with five browsers, another with one; the first logs out everywhere. One session is left.
pub fn logout_everywhere(server: SocketAddr) {
    let login = |user: &str| {
        let mut browser = Browser::new(server);
        browser.post("/login", &format!("user={user}"));
        browser
    };
    let mut ferris: Vec<_> = (0..5).map(|_| login("ferris")).collect();
    let mut corro = login("corro");
    assert_eq!(ferris[0].post("/logout_everywhere", ""), (200, "Sessions ended: 5".to_owned()));
    assert!(ferris.iter_mut().all(|browser| browser.get("/me").0 == 401));
    assert_eq!(corro.get("/me"), (200, "corro".to_owned()));
}

/// 10,000 clients, by eight threads, log in, are told who they are, and log out. `counts` tells the sessions and tombstones that the store holds.
pub fn many_clients(server: SocketAddr, counts: impl Fn() -> (usize, usize)) {
    const THREADS: usize = 8;
    const EACH: usize = 1_250;
    let run = |thread: usize| {
        let agent = connections();
        let clients = (0..EACH).map(|number| {
            let mut browser = Browser::over(agent.clone(), server);
            assert_eq!(browser.post("/login", &format!("user=user-{thread}-{number}")).0, 200);
            browser
        });
        let mut clients: Vec<_> = clients.collect();
        for (number, browser) in clients.iter_mut().enumerate() {
            assert_eq!(browser.get("/me"), (200, format!("user-{thread}-{number}")));
        }
        clients
    };
    let browsers: Vec<Vec<Browser>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || run(thread))).collect();
        threads.into_iter().map(|thread| thread.join().expect("all are answered")).collect()
    });
    assert_eq!(counts(), (THREADS * EACH, 0));
    thread::scope(|scope| {
        for mut browsers in browsers {
            scope.spawn(move || browsers.iter_mut().for_each(|browser| assert_eq!(browser.post("/logout", "").0, 200)));
        }
    });
    assert_eq!(counts(), (0, THREADS * EACH));
}
