//! The routes, and what guards them.
//!
//! **Forged requests** (CSRF). Three things keep another site's page from acting as the user: what changes anything is a POST, and the cookie is
//! `SameSite=Lax`, so browsers send no cross-site POST with it; `same_origin` refuses what a browser marks as coming from elsewhere, neighbours on other
//! subdomains and ports included, which `SameSite` lets pass; and bodies are JSON, which a form cannot send.
//!
//! **What users typed** goes to the page as JSON and from there into text nodes, never into HTML. The content security policy is for the day somebody errs:
//! scripts come from this server's one file, or not at all.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, response::Html};
use fleeting::{BuildError, MemStore};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::cookie::Cookies;
use crate::dashboard::{self, Dashboard};
use crate::failure::Failure;
use crate::options::Options;
use crate::session::Sessions;
use crate::{account, operator};

/// The application. A handle: clones share all.
#[derive(Clone)]
pub struct App {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) cookies: Cookies,
    pub(crate) password: Arc<str>,
    pub(crate) dashboard: Arc<Dashboard>,
    pub(crate) prometheus: PrometheusHandle,
}

impl App {
    /// An application without a session. Metrics are read from the recorder behind `prometheus`, which must be installed.
    ///
    /// # Errors
    ///
    /// The system gives no thread for the janitor.
    pub fn new(options: &Options, prometheus: PrometheusHandle) -> Result<App, BuildError> {
        let store = MemStore::builder().name("sessions").cleanup_interval(options.cleanup_interval()).build()?;
        Ok(App {
            sessions: Arc::new(Sessions::new(store, options.lifetime(), options.max_sessions)),
            cookies: Cookies::new(options.is_https(), options.lifetime()),
            password: options.password.as_str().into(),
            dashboard: Arc::default(),
            prometheus,
        })
    }

    /// The sessions.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Takes a sample for the dashboard, each second if the caller calls it so.
    pub fn sample(&self) {
        self.dashboard.sample(&self.sessions);
        // What the recorder holds for the next page is bounded by this.
        self.prometheus.run_upkeep();
    }

    /// The routes.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", get(async || Html(include_str!("../page/index.html"))))
            .route("/page.css", get(async || file("text/css; charset=utf-8", include_str!("../page/page.css"))))
            .route("/page.js", get(async || file("text/javascript; charset=utf-8", include_str!("../page/page.js"))))
            .route(
                "/charts.js",
                get(async || file("text/javascript; charset=utf-8", include_str!("../page/charts.js"))),
            )
            .route("/api/login", post(account::log_in))
            .route("/api/session", get(account::session))
            .route("/api/session/peek", get(account::peek))
            .route("/api/note", post(account::write_note))
            .route("/api/logout", post(account::log_out))
            .route("/api/logout-everywhere", post(account::log_out_everywhere))
            .route("/api/sessions", get(operator::list))
            .route("/api/sessions/{handle}/end", post(operator::end))
            // Open to all, as this is a demonstration. Elsewhere these two belong behind a login, or on a port of their own.
            .route("/api/stats", get(dashboard::stats))
            .route("/metrics", get(dashboard::metrics))
            .fallback(async || Failure::NoSuchPage)
            .layer(middleware::from_fn(same_origin))
            .layer(middleware::map_response(harden))
            .layer(DefaultBodyLimit::max(16 * 1024))
            .with_state(self.clone())
    }
}

fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind)], text)
}

/// Refuses what another site's page sends.
async fn same_origin(request: Request, next: Next) -> Result<Response, Failure> {
    if !request.method().is_safe() && is_foreign(request.headers()) {
        return Err(Failure::OtherSite);
    }
    Ok(next.run(request).await)
}

/// Browsers say where a request comes from by `Sec-Fetch-Site`, or at least by `Origin`; programs that are no browsers say neither, and carry
/// nobody's cookies.
fn is_foreign(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site != "same-origin";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let from = text(origin).and_then(|origin| Some(origin.split_once("://")?.1.to_owned()));
    from.is_none() || from != headers.get(header::HOST).and_then(text)
}

/// Headers of every answer.
async fn harden(mut response: Response) -> Response {
    let headers: [(HeaderName, &'static str); 5] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; \
             frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // What is in a session is for one reader, and of this moment.
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
