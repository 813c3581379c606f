//! What a user does: log in, look, write a note, log out.

use std::time::SystemTime;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum_extra::extract::cookie::CookieJar;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::failure::Failure;
use crate::session::{Live, Session};

const NAME: usize = 40;
const NOTE: usize = 500;

/// What the login form sends.
#[derive(Deserialize)]
pub struct Login {
    name: String,
    password: String,
}

/// What the note's form sends.
#[derive(Deserialize)]
pub struct Note {
    note: String,
}

/// What the page sees of a session: all that is in it, and not its token.
#[derive(Serialize)]
pub struct View {
    #[serde(flatten)]
    session: Session,
    /// Until it expires, by the server's clock: the browser's may be wrong.
    expires_in: u64,
    lifetime: u64,
    is_operator: bool,
}

/// How many sessions were ended.
#[derive(Serialize)]
pub struct Ended {
    ended: usize,
}

/// The session of a request, which has prolonged it.
pub struct Current(pub Live);

impl FromRequestParts<App> for Current {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let jar = CookieJar::from_headers(&parts.headers);
        live(app, &jar, |token| app.sessions().visit(token)).map(Current)
    }
}

impl Current {
    /// Whoever logs in by the name `operator`: in a demonstration, everybody may.
    pub fn is_operator(&self) -> bool {
        is_operator(&self.0.session)
    }
}

/// The session of the token in the jar.
fn live(app: &App, jar: &CookieJar, find: impl FnOnce(&str) -> Option<Live>) -> Result<Live, Failure> {
    let token = app.cookies.token(jar).ok_or(Failure::NotLoggedIn)?;
    find(token).ok_or_else(|| Failure::Ended(app.cookies.clone()))
}

pub async fn log_in(
    State(app): State<App>,
    jar: CookieJar,
    login: Result<Json<Login>, JsonRejection>,
) -> Result<impl IntoResponse, Failure> {
    let Json(login) = login?;
    let name = login.name.trim();
    if name.is_empty() {
        return Err(Failure::NameMissing);
    }
    if name.chars().count() > NAME {
        return Err(Failure::TooLong("name", NAME));
    }
    // A real application checks a slow hash of each user's own password, and slows those down who guess.
    if login.password != *app.password {
        return Err(Failure::WrongPassword);
    }
    let live = app.sessions().log_in(app.cookies.token(&jar), name)?;
    Ok(answer(&app, live))
}

pub async fn session(State(app): State<App>, Current(live): Current) -> impl IntoResponse {
    answer(&app, live)
}

/// The session, which this does not prolong: the page asks every now and then, without the user's doing.
pub async fn peek(State(app): State<App>, jar: CookieJar) -> Result<impl IntoResponse, Failure> {
    let live = live(&app, &jar, |token| app.sessions().find(token))?;
    Ok(Json(View::new(&app, live)))
}

pub async fn write_note(
    State(app): State<App>,
    Current(live): Current,
    note: Result<Json<Note>, JsonRejection>,
) -> Result<impl IntoResponse, Failure> {
    let Json(Note { note }) = note?;
    if note.chars().count() > NOTE {
        return Err(Failure::TooLong("note", NOTE));
    }
    let live = app.sessions().write_note(&live.token, &note).ok_or_else(|| Failure::Ended(app.cookies.clone()))?;
    Ok(answer(&app, live))
}

pub async fn log_out(State(app): State<App>, Current(live): Current) -> impl IntoResponse {
    let ended = usize::from(app.sessions().log_out(&live.token));
    (CookieJar::new().add(app.cookies.clear()), Json(Ended { ended }))
}

pub async fn log_out_everywhere(State(app): State<App>, Current(live): Current) -> Result<impl IntoResponse, Failure> {
    let cookie = app.cookies.clear();
    // A walk through a million sessions takes tens of milliseconds: not on a thread that others' requests wait for.
    let walk = move || app.sessions().log_out_everywhere(&live.session.user);
    let ended = tokio::task::spawn_blocking(walk).await.map_err(|_| Failure::Broken)?;
    Ok((CookieJar::new().add(cookie), Json(Ended { ended })))
}

/// A session as the page sees it, and its cookie anew.
fn answer(app: &App, live: Live) -> impl IntoResponse + use<> {
    let cookie = app.cookies.set(live.token.clone());
    (CookieJar::new().add(cookie), Json(View::new(app, live)))
}

fn is_operator(session: &Session) -> bool {
    session.user == "operator"
}

impl View {
    fn new(app: &App, live: Live) -> View {
        View {
            is_operator: is_operator(&live.session),
            expires_in: until(live.expiry),
            lifetime: app.sessions().lifetime().as_millis() as u64,
            session: live.session,
        }
    }
}

/// Milliseconds from now to then.
pub fn until(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::now()).unwrap_or_default().as_millis() as u64
}
