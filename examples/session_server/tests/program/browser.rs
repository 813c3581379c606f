//! Clicks through the page in headless Chromium, by WebDriver. Run by `browser-test.sh`, since it needs `chromium` and `chromedriver`.

use std::env;
use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::server::Server;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

type Done = Result<(), Box<dyn Error>>;

/// ChromeDriver, at a free port.
struct Driver {
    process: Child,
    address: String,
}

impl Driver {
    fn start() -> Driver {
        let mut driver = Command::new("chromedriver");
        let mut process = driver.arg("--port=0").stdout(Stdio::piped()).spawn().expect("chromedriver");
        let mut output = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let port = loop {
            let line = output.next().expect("chromedriver prints its port").expect("text");
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        Driver { process, address: format!("http://127.0.0.1:{port}") }
    }

    /// A browser of its own: cookies are not shared with the others.
    async fn browser(&self) -> Result<Page, Box<dyn Error>> {
        let arguments = [
            "--headless",
            "--no-sandbox", // Chromium refuses to run as root with it
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,1150",
        ];
        let binary = env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned());
        let options = json!({ "args": arguments, "binary": binary });
        let capabilities = [("goog:chromeOptions".to_owned(), options)].into_iter().collect();
        Ok(Page(ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(&self.address).await?))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A browser that shows the page.
struct Page(Client);

impl Page {
    async fn click(&self, selector: &str) -> Done {
        Ok(self.0.find(Locator::Css(selector)).await?.click().await?)
    }

    async fn fill(&self, selector: &str, text: &str) -> Done {
        let field = self.0.find(Locator::Css(selector)).await?;
        field.clear().await?;
        Ok(field.send_keys(text).await?)
    }

    async fn log_in(&self, name: &str, password: &str) -> Done {
        self.fill("#name", name).await?;
        self.fill("#password", password).await?;
        self.click("#login button").await
    }

    async fn evaluate(&self, expression: &str) -> Result<Value, Box<dyn Error>> {
        Ok(self.0.execute(&format!("return {expression}"), Vec::new()).await?)
    }

    /// Waits until an expression in the page is so; fails, with a screenshot, if it does not come to be.
    async fn until(&self, expression: &str) -> Done {
        let start = Instant::now();
        while self.evaluate(expression).await? != json!(true) {
            if start.elapsed() > Duration::from_secs(40) {
                self.screenshot("failed").await?;
                let body = self.evaluate("document.body.innerText").await?;
                return Err(format!("not so: {expression}\nThe page: {body}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    async fn until_message(&self, text: &str) -> Done {
        self.until(&format!("!message.hidden && message.textContent.includes({})", json!(text))).await
    }

    async fn until_logged_in(&self, name: &str) -> Done {
        self.until(&format!(
            "session !== null && user.textContent === {} && document.getElementById('login').hidden",
            json!(name)
        ))
        .await
    }

    async fn screenshot(&self, name: &str) -> Done {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/target/screenshots");
        fs::create_dir_all(folder)?;
        Ok(fs::write(format!("{folder}/{name}.png"), self.0.screenshot().await?)?)
    }
}

/// How many points the curves of a chart have.
fn points(chart: &str) -> String {
    format!("(document.querySelector('#chart-{chart} .curve').getAttribute('d').match(/[ML]/g) ?? []).length")
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver: run by browser-test.sh"]
async fn the_page_does_what_it_says() -> Done {
    let driver = Driver::start();
    let server = Server::start(&["--load", "25", "--lifetime", "25"]);
    let (one, two) = (driver.browser().await?, driver.browser().await?);
    for page in [&one, &two] {
        page.0.goto(&server.address).await?;
        page.until("document.querySelector('#login') !== null && !document.querySelector('#login').hidden").await?;
    }

    // What is wrong is told.
    one.log_in("", "fleeting").await?;
    one.until_message("Please give a name.").await?;
    one.log_in("ferris", "wrong").await?;
    one.until_message("The password is wrong.").await?;

    // In; what was typed is text.
    let name = "<i>ferris</i>";
    one.log_in(name, "fleeting").await?;
    one.until_logged_in(name).await?;
    assert_eq!(one.evaluate("message.hidden").await?, json!(true));
    let note = "<img src=x onerror=alert(1)>";
    one.fill("#new-note", note).await?;
    one.click("#note-form button").await?;
    one.until(&format!("note.textContent === {}", json!(note))).await?;
    assert_eq!(one.evaluate("document.querySelector('#session img, #session i')").await?, Value::Null);
    one.until("/^in \\d+ s/.test(expires.textContent)").await?;
    assert_eq!(one.evaluate("document.cookie").await?, json!(""), "no script sees the cookie");
    one.0.refresh().await?;
    one.until_logged_in(name).await?;

    // Out everywhere: the other browser is told without being asked.
    two.log_in(name, "fleeting").await?;
    two.until_logged_in(name).await?;
    one.click("#logout-everywhere").await?;
    one.until_message("Sessions ended: 2.").await?;
    two.until_message("Your session has ended").await?;
    two.until("!login.hidden").await?;

    // Out here.
    one.log_in("gopher", "fleeting").await?;
    one.until_logged_in("gopher").await?;
    one.click("#logout").await?;
    one.until("!login.hidden && message.hidden").await?;

    // The operator sees a session, and ends it.
    two.log_in("operator", "fleeting").await?;
    two.until_logged_in("operator").await?;
    one.log_in(name, "fleeting").await?;
    one.until_logged_in(name).await?;
    let row = format!("[...rows.rows].find((row) => row.cells[0].textContent === {})", json!(name));
    two.until(&format!("{row} !== undefined")).await?;
    assert!(two.evaluate("rows.rows.length").await?.as_u64() > Some(5), "clients are there, too");
    assert_eq!(one.evaluate("list.hidden").await?, json!(true), "for the operator only");
    two.evaluate(&format!("{row}.querySelector('button').click()")).await?;
    one.until_message("Your session has ended").await?;
    two.until(&format!("{row} === undefined")).await?;

    // The charts move on, by what the clients do; the list keeps its lines meanwhile, so that no click is lost.
    two.evaluate("lines.get(session.handle).dataset.mark = 'kept'").await?;
    let before = two.evaluate(&points("sessions")).await?;
    two.until(&format!("{} > {before} + 3", points("sessions"))).await?;
    assert_eq!(
        two.evaluate("lines.get(session.handle).isConnected && 'mark' in lines.get(session.handle).dataset").await?,
        json!(true)
    );
    for chart in ["hit-ratio", "turnover", "finds", "latency", "sweep"] {
        two.until(&format!("{} > 3", points(chart))).await?;
    }
    two.until("samples.at(-1).created_per_second > 0 && samples.at(-1).find_median > 0").await?;
    let texts = two.evaluate("document.querySelector('#chart-latency').textContent").await?.to_string();
    for text in ["µs", "median", "p99", "−60 s", "now"] {
        assert!(texts.contains(text), "{text} is not in {texts}");
    }
    // Some sessions have expired by then.
    two.until("samples.some((sample) => sample.expired_per_second > 0)").await?;
    two.screenshot("operator").await?;
    two.0.set_window_size(420, 1000).await?;
    two.screenshot("narrow").await?;
    let is_narrow = two.evaluate("document.documentElement.scrollWidth <= window.innerWidth").await?;
    assert_eq!(is_narrow, json!(true), "nothing is cut off");

    // The server is gone, and comes back without its sessions.
    let port = server.address.rsplit(':').next().expect("a port").to_owned();
    server.stop();
    two.until_message("The server does not answer.").await?;
    assert_eq!(two.evaluate("dashboard.classList.contains('stale')").await?, json!(true));
    two.screenshot("gone").await?;
    let _server = Server::start(&["--port", &port]);
    two.until_message("Your session has ended").await?;
    two.until(&format!("!dashboard.classList.contains('stale') && {} > 0", points("sessions"))).await?;

    one.0.close().await?;
    Ok(two.0.close().await?)
}

/// Catches a page that keeps a session alive by looking at it, and one that does not see its end.
#[tokio::test]
#[ignore = "needs chromium and chromedriver: run by browser-test.sh"]
async fn a_session_expires_while_you_look() -> Done {
    let driver = Driver::start();
    let server = Server::start(&["--lifetime", "6"]);
    let page = driver.browser().await?;
    page.0.goto(&server.address).await?;
    page.until("document.querySelector('#login') !== null && !document.querySelector('#login').hidden").await?;
    page.log_in("ferris", "fleeting").await?;
    page.until_logged_in("ferris").await?;
    page.until_message("Your session has ended: it expired").await?;
    page.until("!login.hidden").await?;
    page.screenshot("expired").await?;
    Ok(page.0.close().await?)
}
