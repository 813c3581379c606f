//! Log in, log out, log out everywhere: `cargo run --example axum_login`, then
//! `curl -c jar -b jar -d user=ferris http://127.0.0.1:3000/login`, and the same for `/me`, `/logout`, `/logout_everywhere`.

use std::io;

use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Router, response::IntoResponse};
use fleeting_tower_sessions::FleetingStore;
use serde::Deserialize;
use time::Duration;
use tower_sessions::session::Error;
use tower_sessions::{Expiry, Session, SessionManagerLayer};

/// What the form sends. A real application would ask for a password, too.
#[derive(Deserialize)]
struct Login {
    user: String,
}

/// A failure of the session store, as an answer.
fn failed(error: Error) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

async fn login(session: Session, Form(login): Form<Login>) -> impl IntoResponse {
    // A new id at each change of rights: who knew the former one, knows nothing now.
    session.cycle_id().await.map_err(failed)?;
    session.insert("user", &login.user).await.map_err(failed)?;
    Ok::<_, (StatusCode, String)>(format!("Welcome, {}.", login.user))
}

async fn user(session: &Session) -> Result<String, (StatusCode, String)> {
    let user = session.get("user").await.map_err(failed)?;
    user.ok_or_else(|| (StatusCode::UNAUTHORIZED, "Nobody is logged in.".to_owned()))
}

async fn me(session: Session) -> impl IntoResponse {
    user(&session).await
}

async fn logout(session: Session) -> impl IntoResponse {
    session.flush().await.map_err(failed)?;
    Ok::<_, (StatusCode, String)>("Goodbye.")
}

async fn logout_everywhere(State(store): State<FleetingStore>, session: Session) -> impl IntoResponse {
    let user = serde_json::Value::from(user(&session).await?);
    let sessions = store.sessions().delete_where(|_, record| record.data.get("user") == Some(&user));
    Ok::<_, (StatusCode, String)>(format!("Sessions ended: {sessions}"))
}

/// The application's routes, which want [`layer`] around them.
pub fn routes(store: FleetingStore) -> Router {
    Router::new()
        .route("/login", post(login))
        .route("/me", get(me))
        .route("/logout", post(logout))
        .route("/logout_everywhere", post(logout_everywhere))
        .with_state(store)
}

/// Sessions that end an hour after the last request.
pub fn layer(store: FleetingStore) -> SessionManagerLayer<FleetingStore> {
    SessionManagerLayer::new(store)
        .with_secure(false) // plain HTTP, for this example only
        .with_expiry(Expiry::OnInactivity(Duration::hours(1)))
        .with_always_save(true) // a request that changes nothing postpones the end, too
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let store = FleetingStore::default();
    let app = routes(store.clone()).layer(layer(store));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app).await
}
