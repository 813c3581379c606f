//! Log in, log out, log out everywhere: `cargo run --example actix_login`, then
//! `curl -c jar -b jar -d user=ferris http://127.0.0.1:8080/login`, and the same for `/me`, `/logout`, `/logout_everywhere`.

use std::io;

use actix_session::config::{CookieContentSecurity, PersistentSession, TtlExtensionPolicy};
use actix_session::{Session, SessionMiddleware};
use actix_web::cookie::{Key, time::Duration};
use actix_web::error::ErrorUnauthorized;
use actix_web::{App, HttpServer, Result, web};
use fleeting_actix_session::FleetingSessionStore;
use serde::Deserialize;

/// What the form sends. A real application would ask for a password, too.
#[derive(Deserialize)]
struct Login {
    user: String,
}

async fn login(session: Session, login: web::Form<Login>) -> Result<String> {
    // A new key at each change of rights: who knew the former one, knows nothing now.
    session.renew();
    session.insert("user", &login.user)?;
    Ok(format!("Welcome, {}.", login.user))
}

fn user(session: &Session) -> Result<String> {
    session.get("user")?.ok_or_else(|| ErrorUnauthorized("Nobody is logged in."))
}

async fn me(session: Session) -> Result<String> {
    user(&session)
}

async fn logout(session: Session) -> Result<String> {
    session.purge();
    Ok("Goodbye.".to_owned())
}

async fn logout_everywhere(store: web::Data<FleetingSessionStore>, session: Session) -> Result<String> {
    // A state holds JSON: a name stands in quotes.
    let user = serde_json::to_string(&user(&session)?)?;
    let sessions = store.sessions().delete_where(|_, state| state.get("user") == Some(&user));
    Ok(format!("Sessions ended: {sessions}"))
}

/// The application's routes, which want [`sessions`] around them.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/login", web::post().to(login))
        .route("/me", web::get().to(me))
        .route("/logout", web::post().to(logout))
        .route("/logout_everywhere", web::post().to(logout_everywhere));
}

/// Sessions that end an hour after the last request.
pub fn sessions(
    store: FleetingSessionStore,
    key: Key,
    security: CookieContentSecurity,
) -> SessionMiddleware<FleetingSessionStore> {
    let lifecycle = PersistentSession::default()
        .session_ttl(Duration::hours(1))
        .session_ttl_extension_policy(TtlExtensionPolicy::OnEveryRequest);
    SessionMiddleware::builder(store, key)
        .cookie_content_security(security)
        .cookie_secure(false) // plain HTTP, for this example only
        .session_lifecycle(lifecycle)
        .build()
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    // Both are made once: what is made in the closure is made by each worker for itself.
    let (store, key) = (FleetingSessionStore::default(), Key::generate());
    HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(store.clone()))
            .wrap(sessions(store.clone(), key.clone(), CookieContentSecurity::Signed))
            .configure(configure)
    })
    .bind(("127.0.0.1", 8080))?
    .run()
    .await
}
