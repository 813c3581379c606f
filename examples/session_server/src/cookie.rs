//! The cookie that carries a session's token.

use std::time::Duration;

use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};

/// How the cookie is set.
#[derive(Clone, Debug)]
pub struct Cookies {
    is_https: bool,
    lifetime: Duration,
}

impl Cookies {
    /// For browsers that come by HTTPS, or by plain HTTP on this machine; sessions end so long after their last request.
    pub fn new(is_https: bool, lifetime: Duration) -> Cookies {
        Cookies { is_https, lifetime }
    }

    /// The token that a request brought. It is looked up and nothing else: the server never takes a token from a client for a new session.
    pub fn token<'j>(&self, jar: &'j CookieJar) -> Option<&'j str> {
        jar.get(self.name()).map(Cookie::value)
    }

    /// The cookie with a token.
    pub fn set(&self, token: String) -> Cookie<'static> {
        let mut cookie = self.plain(token);
        // Max-Age: the browser forgets it when the server does; each answer sets it anew, as each request prolongs the session. It is a courtesy: what
        // counts is the store's expiry. (Without it the cookie would last as long as the browser's run, which may be months.)
        cookie.set_max_age(self.lifetime.try_into().ok());
        cookie
    }

    /// The cookie that takes the other away: name, path and the like must be the same.
    pub fn clear(&self) -> Cookie<'static> {
        let mut cookie = self.plain(String::new());
        cookie.make_removal();
        cookie
    }

    fn plain(&self, token: String) -> Cookie<'static> {
        Cookie::build((self.name(), token))
            // HttpOnly: no script reads it, so that one which gets into the page cannot take the session elsewhere.
            .http_only(true)
            // SameSite=Lax: another site's forms and scripts send requests without it; a link from there still finds the user logged in. Strict would
            // not, and adds little where, as here, no GET changes anything.
            .same_site(SameSite::Lax)
            // Secure: never sent by plain HTTP, which others on the way can read. Left out on a loopback address, which nobody else sees, since not every
            // client takes plain HTTP there for secure.
            .secure(self.is_https)
            // Path: the whole site, and without Domain this host alone, not those below it.
            .path("/")
            .build()
    }

    /// With the prefix `__Host-`, browsers take the cookie only if it is Secure, has the path `/` and no Domain: so no neighbour on another
    /// subdomain, and nobody on plain HTTP, can plant one.
    fn name(&self) -> &'static str {
        if self.is_https { "__Host-session" } else { "session" }
    }
}
