//! Simulated clients: they log in, look around, log out, or go away and leave their session to expire. They call the routes as the server does, without
//! a socket in between, and pause like people in a hurry: about two requests a second each.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use tokio::time::sleep;
use tower::ServiceExt as _;

/// Starts so many clients, as tasks that run until the runtime ends.
pub fn start(router: &Router, clients: u32, password: &str, lifetime: Duration) {
    // Some users have more than one session, so that "log out everywhere" has something to do.
    let users = clients.div_ceil(2);
    for number in 0..clients {
        let client = Client { router: router.clone(), user: format!("visitor-{}", number % users), cookie: None };
        tokio::spawn(client.run(password.to_owned(), lifetime));
    }
}

struct Client {
    router: Router,
    user: String,
    cookie: Option<String>,
}

impl Client {
    async fn run(mut self, password: String, lifetime: Duration) {
        sleep(pause(2000)).await;
        loop {
            let login = serde_json::json!({ "name": self.user, "password": password });
            let logged_in = self.send("POST", "/api/login", login.to_string()).await == StatusCode::OK;
            for _ in 0..fastrand::u32(2..12) {
                sleep(pause(1000)).await;
                if !logged_in || self.send("GET", "/api/session", String::new()).await != StatusCode::OK {
                    break;
                }
            }
            match fastrand::u32(0..20) {
                0 => _ = self.send("POST", "/api/logout-everywhere", String::new()).await,
                1..10 => _ = self.send("POST", "/api/logout", String::new()).await,
                // Goes away, and on coming back finds the session expired.
                10..13 => {
                    sleep(lifetime.min(Duration::from_secs(60)) + pause(1000)).await;
                    self.send("GET", "/api/session", String::new()).await;
                }
                // Goes away, and comes back with another browser.
                _ => self.cookie = None,
            }
            sleep(pause(1000)).await;
        }
    }

    /// One request; keeps the cookie that comes back.
    async fn send(&mut self, method: &str, path: &str, body: String) -> StatusCode {
        let mut request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let request = request.body(Body::from(body)).expect("a request of sound parts");
        let Ok(response) = self.router.clone().oneshot(request).await;
        if let Some(cookie) = response.headers().get(header::SET_COOKIE).and_then(|cookie| cookie.to_str().ok()) {
            let pair = cookie.split(';').next().unwrap_or_default();
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        response.status()
    }
}

/// Up to so many milliseconds.
fn pause(milliseconds: u64) -> Duration {
    Duration::from_millis(fastrand::u64(1..=milliseconds))
}
