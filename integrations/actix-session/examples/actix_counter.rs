//! actix-session's basic example, with its store exchanged: `cargo run --example actix_counter`, then reload <http://127.0.0.1:8080>.

use std::io;

use actix_session::{Session, SessionMiddleware};
use actix_web::cookie::Key;
use actix_web::{App, HttpServer, Result, web};
use fleeting_actix_session::FleetingSessionStore;

async fn count(session: Session) -> Result<String> {
    let count: u32 = session.get("count")?.unwrap_or_default();
    session.insert("count", count + 1)?;
    Ok(format!("Visits before this one: {count}"))
}

/// The application's routes, which want a session middleware around them.
pub fn configure(config: &mut web::ServiceConfig) {
    config.route("/", web::get().to(count));
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    // Both are made once: what is made in the closure is made by each worker for itself.
    let (store, key) = (FleetingSessionStore::default(), Key::generate());
    HttpServer::new(move || {
        let sessions = SessionMiddleware::builder(store.clone(), key.clone())
            .cookie_secure(false) // plain HTTP, for this example only
            .build();
        App::new().wrap(sessions).configure(configure)
    })
    .bind(("127.0.0.1", 8080))?
    .run()
    .await
}
