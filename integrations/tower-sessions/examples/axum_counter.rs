//! tower-sessions' counter, with its store exchanged: `cargo run --example axum_counter`, then reload <http://127.0.0.1:3000>.

use std::io;

use axum::{Router, routing::get};
use fleeting_tower_sessions::FleetingStore;
use time::Duration;
use tower_sessions::session::Error;
use tower_sessions::{Expiry, Session, SessionManagerLayer};

async fn count(session: Session) -> Result<String, String> {
    let text = |error: Error| error.to_string();
    let count: u32 = session.get("count").await.map_err(text)?.unwrap_or_default();
    session.insert("count", count + 1).await.map_err(text)?;
    Ok(format!("Visits before this one: {count}"))
}

/// The application over a store.
pub fn app(store: FleetingStore) -> Router {
    let layer = SessionManagerLayer::new(store)
        .with_secure(false) // plain HTTP, for this example only
        .with_expiry(Expiry::OnInactivity(Duration::seconds(10)));
    Router::new().route("/", get(count)).layer(layer)
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app(FleetingStore::default())).await
}
