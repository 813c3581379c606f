//! What goes wrong, as an answer: a status, a code for the script, a message for the reader.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::cookie::CookieJar;
use serde::Serialize;

use crate::cookie::Cookies;
use crate::session::Refused;

#[derive(Debug)]
pub enum Failure {
    /// No cookie.
    NotLoggedIn,
    /// A cookie whose session is no more: it is taken out of the browser, too.
    Ended(Cookies),
    /// A body that is no JSON, or not what is expected.
    BadRequest(String),
    NameMissing,
    TooLong(&'static str, usize),
    WrongPassword,
    /// A request that another site's page has sent.
    OtherSite,
    OperatorOnly,
    NoSuchSession,
    NoSuchPage,
    Refused(Refused),
    /// A panic in a walk through the sessions.
    Broken,
}

#[derive(Serialize)]
struct Body {
    code: &'static str,
    message: String,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut jar = CookieJar::new();
        if let Failure::Ended(cookies) = &self {
            jar = jar.add(cookies.clear());
        }
        let (status, code, message) = match self {
            Failure::NotLoggedIn => (StatusCode::UNAUTHORIZED, "not_logged_in", "You are not logged in.".to_owned()),
            Failure::Ended(_) => (
                StatusCode::UNAUTHORIZED,
                "ended",
                "Your session has ended: it expired, or it was ended elsewhere. Please log in again.".to_owned(),
            ),
            Failure::BadRequest(why) => (StatusCode::BAD_REQUEST, "bad_request", why),
            Failure::NameMissing => (StatusCode::BAD_REQUEST, "name_missing", "Please give a name.".to_owned()),
            Failure::TooLong(what, limit) => {
                (StatusCode::BAD_REQUEST, "too_long", format!("The {what} may have {limit} characters at most."))
            }
            Failure::WrongPassword => (StatusCode::UNAUTHORIZED, "wrong_password", "The password is wrong.".to_owned()),
            Failure::OtherSite => {
                (StatusCode::FORBIDDEN, "other_site", "This request comes from another site's page.".to_owned())
            }
            Failure::OperatorOnly => {
                (StatusCode::FORBIDDEN, "operator_only", "Only the user 'operator' may do this.".to_owned())
            }
            Failure::NoSuchSession => {
                (StatusCode::NOT_FOUND, "no_such_session", "This session has ended already.".to_owned())
            }
            Failure::NoSuchPage => (StatusCode::NOT_FOUND, "no_such_page", "There is nothing here.".to_owned()),
            Failure::Refused(Refused::Full) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "full",
                "There are too many sessions at the moment. Please try again later.".to_owned(),
            ),
            Failure::Refused(Refused::NoRandomness) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "no_randomness", "The system gives no random bytes.".to_owned())
            }
            Failure::Broken => {
                (StatusCode::INTERNAL_SERVER_ERROR, "broken", "Something is wrong in the server.".to_owned())
            }
        };
        (status, jar, Json(Body { code, message })).into_response()
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Failure::Refused(refused)
    }
}

impl From<JsonRejection> for Failure {
    fn from(rejection: JsonRejection) -> Self {
        Failure::BadRequest(rejection.body_text())
    }
}
