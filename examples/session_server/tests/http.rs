//! The routes, asked without a browser and without a socket.

use std::sync::LazyLock;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use clap::Parser as _;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::{Value, json};
use session_server::app::App;
use session_server::load;
use session_server::options::Options;
use tower::ServiceExt as _;

/// One a process.
static RECORDER: LazyLock<PrometheusHandle> =
    LazyLock::new(|| PrometheusBuilder::new().install_recorder().expect("the only recorder"));

fn app(arguments: &[&str]) -> App {
    let options = Options::parse_from(["session_server"].iter().chain(arguments));
    App::new(&options, RECORDER.clone()).expect("an application")
}

/// A browser: keeps its cookie, and says that it is on this server's page.
struct Browser {
    router: Router,
    cookie: Option<String>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect(&self.text)
    }

    /// Status and code of a failure.
    fn failure(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["code"].as_str().expect("a code").to_owned())
    }

    fn set_cookie(&self) -> &str {
        self.headers[header::SET_COOKIE].to_str().expect("text")
    }
}

impl Browser {
    fn new(app: &App) -> Browser {
        Browser { router: app.router(), cookie: None }
    }

    async fn send(&mut self, request: Request<Body>) -> Answer {
        let (mut head, body) = request.into_parts();
        if let Some(cookie) = &self.cookie {
            head.headers.insert(header::COOKIE, cookie.parse().expect("a cookie"));
        }
        let Ok(response) = self.router.clone().oneshot(Request::from_parts(head, body)).await;
        let (head, body) = response.into_parts();
        let text = String::from_utf8(to_bytes(body, usize::MAX).await.expect("a body").to_vec()).expect("text");
        let answer = Answer { status: head.status, headers: head.headers, text };
        if answer.headers.contains_key(header::SET_COOKIE) {
            let pair = answer.set_cookie().split(';').next().expect("a pair");
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        answer
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    async fn post(&mut self, path: &str, body: Value) -> Answer {
        let request = Request::post(path).header("sec-fetch-site", "same-origin");
        let request = request.header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(body.to_string())).expect("a request")).await
    }

    async fn log_in(&mut self, name: &str) -> Answer {
        let answer = self.post("/api/login", json!({ "name": name, "password": "fleeting" })).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer
    }
}

/// Catches a login that keeps the browser's token, and one that takes a token from the client.
#[tokio::test]
async fn a_login_renews_the_token() {
    let app = app(&[]);
    let mut browser = Browser::new(&app);
    browser.cookie = Some("session=chosen-by-an-attacker".to_owned());
    let first = browser.log_in("ferris").await.json();
    let token = browser.cookie.clone().expect("a cookie");
    assert_ne!(token, "session=chosen-by-an-attacker");
    assert_eq!(token.len(), "session=".len() + 64);

    browser.post("/api/note", json!({ "note": "kept" })).await;
    let again = browser.log_in("ferris").await.json();
    assert_ne!(browser.cookie.as_ref(), Some(&token));
    assert_eq!((&again["handle"], &again["note"]), (&first["handle"], &json!("kept")), "the same session");
    let other = browser.log_in("gopher").await.json();
    assert_eq!(other["note"], "", "another user has nothing of it");

    let mut thief = Browser { router: app.router(), cookie: Some(token) };
    assert_eq!(thief.get("/api/session").await.failure(), (401, "ended".to_owned()));
    assert_eq!(app.sessions().store().len(), 1);
}

#[tokio::test]
async fn what_is_wrong_is_told() {
    let app = app(&["--max-sessions", "1"]);
    let mut browser = Browser::new(&app);
    let long = "x".repeat(41);
    for (name, password, status, code) in [
        ("", "fleeting", 400, "name_missing"),
        ("  ", "fleeting", 400, "name_missing"),
        (&*long, "fleeting", 400, "too_long"),
        ("ferris", "wrong", 401, "wrong_password"),
    ] {
        let answer = browser.post("/api/login", json!({ "name": name, "password": password })).await;
        assert_eq!(answer.failure(), (status, code.to_owned()));
    }
    assert_eq!(browser.post("/api/login", json!({ "name": 7 })).await.failure().1, "bad_request");
    assert_eq!(browser.get("/api/session").await.failure(), (401, "not_logged_in".to_owned()));
    assert_eq!(browser.get("/nowhere").await.failure(), (404, "no_such_page".to_owned()));
    assert_eq!(app.sessions().store().len(), 0, "no session for a visitor who does nothing");

    browser.log_in("ferris").await;
    assert_eq!(browser.post("/api/note", json!({ "note": "x".repeat(501) })).await.failure().1, "too_long");
    let answer = Browser::new(&app).post("/api/login", json!({ "name": "late", "password": "fleeting" })).await;
    assert_eq!(answer.failure(), (503, "full".to_owned()));
}

/// Catches an attribute that got lost, and one that a loopback client could not take.
#[tokio::test]
async fn cookies_are_set_as_they_should() {
    let answer = Browser::new(&app(&["--lifetime", "90"])).log_in("ferris").await;
    let attributes = |answer: &Answer| {
        let mut all: Vec<_> = answer.set_cookie().split("; ").skip(1).map(str::to_owned).collect();
        all.sort();
        all
    };
    assert_eq!(attributes(&answer), ["HttpOnly", "Max-Age=90", "Path=/", "SameSite=Lax"]);

    for arguments in [&["--lifetime", "90", "--https"][..], &["--lifetime", "90", "--address", "0.0.0.0"]] {
        let answer = Browser::new(&app(arguments)).log_in("ferris").await;
        assert!(answer.set_cookie().starts_with("__Host-session="));
        assert_eq!(attributes(&answer), ["HttpOnly", "Max-Age=90", "Path=/", "SameSite=Lax", "Secure"]);
    }
}

#[tokio::test]
async fn a_visit_prolongs_a_session_and_a_peek_does_not() {
    let app = app(&["--lifetime", "1000"]);
    let mut browser = Browser::new(&app);
    browser.log_in("ferris").await;
    let token = browser.cookie.clone().expect("a cookie").split_off("session=".len());
    let (store, soon) = (app.sessions().store(), std::time::SystemTime::now() + Duration::from_secs(100));
    assert!(store.touch(&token, soon));

    let left = |answer: &Answer| answer.json()["expires_in"].as_u64().expect("milliseconds");
    let peeked = browser.get("/api/session/peek").await;
    assert!(left(&peeked) <= 100_000, "{}", peeked.text);
    assert!(!peeked.headers.contains_key(header::SET_COOKIE));
    let visited = browser.get("/api/session").await;
    assert!(left(&visited) > 900_000, "{}", visited.text);
    assert!(visited.set_cookie().contains("Max-Age=1000"));
    let peeked = browser.get("/api/session/peek").await;
    assert!(left(&peeked) > 900_000, "the store knows it, too: {}", peeked.text);

    // It expires.
    store.touch(&token, std::time::SystemTime::UNIX_EPOCH);
    let answer = browser.get("/api/session/peek").await;
    assert_eq!(answer.failure(), (401, "ended".to_owned()));
    assert!(answer.set_cookie().contains("Max-Age=0"), "the browser forgets it, too");
    assert_eq!(browser.cookie, None);
}

/// Catches a logout that leaves sessions, or takes those of others.
#[tokio::test]
async fn log_out_here_and_everywhere() {
    let app = app(&[]);
    let (mut one, mut two, mut three, mut other) =
        (Browser::new(&app), Browser::new(&app), Browser::new(&app), Browser::new(&app));
    for browser in [&mut one, &mut two, &mut three] {
        browser.log_in("ferris").await;
    }
    other.log_in("gopher").await;

    let kept = three.cookie.clone();
    assert_eq!(three.post("/api/logout", json!(null)).await.json()["ended"], 1);
    assert_eq!(three.cookie, None);
    three.cookie = kept;
    assert_eq!(three.post("/api/note", json!({ "note": "late" })).await.failure().1, "ended");

    assert_eq!(one.post("/api/logout-everywhere", json!(null)).await.json()["ended"], 2);
    assert_eq!(two.get("/api/session").await.failure().1, "ended");
    assert_eq!(other.get("/api/session").await.status, StatusCode::OK);
}

/// Catches a list for everybody, a list with tokens, and an end of the wrong session.
#[tokio::test]
async fn the_operator_sees_and_ends_sessions() {
    let app = app(&[]);
    let (mut operator, mut user, mut other) = (Browser::new(&app), Browser::new(&app), Browser::new(&app));
    operator.log_in("operator").await;
    let handle = user.log_in("<b>ferris</b>").await.json()["handle"].as_str().expect("a handle").to_owned();
    other.log_in("gopher").await;
    let end = format!("/api/sessions/{handle}/end");

    assert_eq!(Browser::new(&app).get("/api/sessions").await.failure().1, "not_logged_in");
    assert_eq!(other.get("/api/sessions").await.failure(), (403, "operator_only".to_owned()));
    assert_eq!(other.post(&end, json!(null)).await.failure().1, "operator_only");

    let list = operator.get("/api/sessions").await;
    assert_eq!(list.json()["total"], 3);
    assert_eq!(list.json()["sessions"].as_array().expect("rows").len(), 3);
    for browser in [&operator, &user, &other] {
        let token = browser.cookie.as_ref().expect("a cookie").split('=').nth(1).expect("a token");
        assert!(!list.text.contains(&token[..16]), "tokens are not shown");
    }
    assert_eq!(operator.post(&end, json!(null)).await.status, StatusCode::OK);
    assert_eq!(user.get("/api/session").await.failure().1, "ended");
    assert_eq!(other.get("/api/session").await.status, StatusCode::OK);
    assert_eq!(operator.post(&end, json!(null)).await.failure(), (404, "no_such_session".to_owned()));
}

#[tokio::test]
async fn requests_of_other_sites_are_refused() {
    let app = app(&[]);
    let mut browser = Browser::new(&app);
    browser.log_in("ferris").await;
    let logout = |name: &str, value: &str| {
        let request = Request::post("/api/logout").header(header::HOST, "127.0.0.1:3000").header(name, value);
        request.body(Body::empty()).expect("a request")
    };
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://elsewhere.example"),
        ("origin", "http://127.0.0.1:4000"),
        ("origin", "null"),
    ] {
        assert_eq!(
            browser.send(logout(name, value)).await.failure(),
            (403, "other_site".to_owned()),
            "{name}: {value}"
        );
    }
    // A form's body.
    let form = Request::post("/api/login").header(header::CONTENT_TYPE, "text/plain");
    let form = form.body(Body::from(r#"{"name":"ferris","password":"fleeting"}"#)).expect("a request");
    assert_eq!(Browser::new(&app).send(form).await.failure().1, "bad_request");
    assert_eq!(browser.get("/api/session").await.status, StatusCode::OK, "still there");
    assert_eq!(browser.send(logout("origin", "http://127.0.0.1:3000")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn each_answer_has_the_headers() {
    let app = app(&[]);
    for path in ["/", "/page.js", "/charts.js", "/page.css", "/api/session", "/nowhere"] {
        let answer = Browser::new(&app).get(path).await;
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{path}");
        assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    }
    let page = include_str!("../page/page.js");
    assert!(!page.contains("innerHTML"), "what users typed goes into text nodes");
}

/// Catches counts that are not differences, and a page of metrics that stands still.
#[tokio::test]
async fn samples_and_metrics_tell_what_happened() {
    let app = app(&[]);
    app.sample();
    let mut browser = Browser::new(&app);
    browser.log_in("ferris").await;
    browser.get("/api/session").await;
    app.sample();
    app.sample();
    let samples = browser.get("/api/stats").await.json();
    assert_eq!(samples["next"], 2);
    let [busy, quiet] = &samples["samples"].as_array().expect("samples")[..] else { panic!("{samples}") };
    assert_eq!((&busy["sessions"], &busy["hit_ratio"]), (&json!(1), &json!(100.0)));
    assert!(busy["created_per_second"].as_f64().expect("a number") > 0.0);
    assert!(busy["find_median"].as_f64().expect("a time") > 0.0);
    assert_eq!((&quiet["created_per_second"], &quiet["hit_ratio"]), (&json!(0.0), &json!(null)));
    assert_eq!(browser.get("/api/stats?from=1").await.json()["samples"].as_array().expect("samples").len(), 1);
    assert_eq!(browser.get("/api/stats?from=99").await.json()["samples"].as_array().expect("samples").len(), 2);

    let metrics = browser.get("/metrics").await.text;
    assert!(metrics.contains("# TYPE fleeting_inserts_total counter"), "{metrics}");
    assert!(metrics.contains("fleeting_gets_total{cache=\"sessions\",result=\"hit\"}"), "{metrics}");
}

/// Catches clients that do nothing, or that fail: paused time passes as fast as they can work.
#[tokio::test(start_paused = true)]
async fn simulated_clients_log_in_and_leave() {
    let app = app(&["--lifetime", "20"]);
    load::start(&app.router(), 50, "fleeting", Duration::from_secs(20));
    tokio::time::sleep(Duration::from_secs(120)).await;
    let stats = app.sessions().store().stats();
    assert!(stats.inserts > 200, "{stats:?}");
    assert!(stats.removed > 50, "{stats:?}");
    assert!(stats.hits > 1000, "{stats:?}");
}
