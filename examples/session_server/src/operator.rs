//! What the operator does: see who is there, and end a session.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use serde::Serialize;

use crate::account::{Current, until};
use crate::app::App;
use crate::failure::Failure;

/// Rows of a list, at most.
const ROWS: usize = 100;

#[derive(Serialize)]
struct Row {
    handle: String,
    user: String,
    since: u64,
    expires_in: u64,
    is_yours: bool,
}

#[derive(Serialize)]
struct List {
    /// All sessions held, those included that have expired and not been swept.
    total: usize,
    sessions: Vec<Row>,
}

pub async fn list(State(app): State<App>, current: Current) -> Result<impl IntoResponse, Failure> {
    if !current.is_operator() {
        return Err(Failure::OperatorOnly);
    }
    let Current(mine) = current;
    let mut sessions: Vec<_> = app
        .sessions()
        .some(ROWS)
        .into_iter()
        .map(|live| Row {
            is_yours: live.session.handle == mine.session.handle,
            expires_in: until(live.expiry),
            handle: live.session.handle,
            user: live.session.user,
            since: live.session.since,
        })
        .collect();
    sessions.sort_by(|a, b| a.user.cmp(&b.user).then(a.since.cmp(&b.since)));
    Ok(Json(List { total: app.sessions().store().len(), sessions }))
}

pub async fn end(
    State(app): State<App>,
    current: Current,
    Path(handle): Path<String>,
) -> Result<impl IntoResponse, Failure> {
    if !current.is_operator() {
        return Err(Failure::OperatorOnly);
    }
    let ended = tokio::task::spawn_blocking(move || app.sessions().end(&handle)).await.map_err(|_| Failure::Broken)?;
    if ended { Ok(Json(())) } else { Err(Failure::NoSuchSession) }
}
