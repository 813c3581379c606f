//! A web server that keeps its sessions in [`fleeting::MemStore`]: log in, look, log out, and watch the store at work. See `README.md`.
//!
//! | file | what |
//! |---|---|
//! | `options.rs` | the command line |
//! | `session.rs` | what a session is: its data, its token, and all that is done with the store |
//! | `cookie.rs` | the cookie that carries the token |
//! | `app.rs` | the routes, and what guards them |
//! | `failure.rs` | what goes wrong, as an answer |
//! | `account.rs`, `operator.rs`, `dashboard.rs` | what the routes do |
//! | `load.rs` | simulated clients |
//! | `page/` | the page: plain HTML, CSS and JavaScript, embedded |

pub mod app;
pub mod load;
pub mod options;
pub mod session;

mod account;
mod cookie;
mod dashboard;
mod failure;
mod operator;
