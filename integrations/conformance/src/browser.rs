//! A client over real HTTP that keeps its cookies, as a browser would.

use std::net::SocketAddr;

use ureq::http::Response;
use ureq::{Agent, Body, RequestBuilder};

/// One user's browser: it has the cookies that one server gave it. A clone is another tab, as of now.
#[derive(Clone)]
pub struct Browser {
    agent: Agent,
    server: SocketAddr,
    cookies: Vec<(String, String)>,
    /// The last `Set-Cookie` lines, as they came.
    pub set_cookies: Vec<String>,
}

impl Browser {
    /// A browser without cookies.
    pub fn new(server: SocketAddr) -> Browser {
        Self::over(connections(), server)
    }

    /// A browser without cookies, over connections that are there.
    pub fn over(agent: Agent, server: SocketAddr) -> Browser {
        Browser { agent, server, cookies: Vec::new(), set_cookies: Vec::new() }
    }

    /// The first cookie's value.
    pub fn cookie(&self) -> Option<&str> {
        self.cookies.first().map(|(_, value)| value.as_str())
    }

    /// Takes this cookie instead of what it has.
    pub fn with_cookie(mut self, name: &str, value: &str) -> Browser {
        self.cookies = vec![(name.to_owned(), value.to_owned())];
        self
    }

    /// The status and the body that a page answers with.
    pub fn get(&mut self, path: &str) -> (u16, String) {
        let request = self.with_cookies(self.agent.get(self.address(path)));
        let response = request.call().expect("an answer");
        self.take(response)
    }

    /// The status and the body that a form, sent, answers with.
    pub fn post(&mut self, path: &str, form: &str) -> (u16, String) {
        let request = self.with_cookies(self.agent.post(self.address(path)));
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        let response = request.send(form).expect("an answer");
        self.take(response)
    }

    fn address(&self, path: &str) -> String {
        format!("http://{}{path}", self.server)
    }

    fn with_cookies<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        if self.cookies.is_empty() {
            return request;
        }
        let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        request.header("Cookie", pairs.join("; "))
    }

    fn take(&mut self, mut response: Response<Body>) -> (u16, String) {
        let lines = response.headers().get_all("set-cookie").iter();
        self.set_cookies = lines.map(|line| line.to_str().expect("text").to_owned()).collect();
        for line in &self.set_cookies {
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let (name, value) = pair.split_once('=').expect("a cookie");
            self.cookies.retain(|(other, _)| other != name);
            if !attributes.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        (response.status().as_u16(), response.body_mut().read_to_string().expect("a body"))
    }
}

/// Connections that answer with whatever status comes.
pub fn connections() -> Agent {
    Agent::config_builder().http_status_as_error(false).build().into()
}
