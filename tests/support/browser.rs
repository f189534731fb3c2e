//! A headless Chromium, driven over the WebDriver protocol (HTTP and JSON) by its chromedriver.
//! What is looked at in it is for the tests to know.

use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

use super::http::Connection;
use super::tools::tool;
use super::{Process, TempDir};

/// For anything that the browser does; long, since a busy machine starts it slowly.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one window; dropping it closes it.
pub struct Browser {
    at: SocketAddr,
    /// `/session/` and its id.
    session: String,
    driver: Process,
    // Behind the process, which must be gone when it is removed.
    _profile: TempDir,
}

impl Browser {
    /// `None` (after the line "skipped") where there is no Chromium. In it the name `tracker.lan`
    /// stands for 127.0.0.1: a page that came from there is no secure context.
    pub fn start() -> Option<Browser> {
        let chromium = tool("chromium")?;
        let driver = tool("chromedriver")?;
        let profile = TempDir::new();
        let mut command = Command::new(driver);
        command.arg("--port=0").env("HOME", profile.path());
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let driver = Process::spawn("chromedriver", &mut command);
        let port = |line: &str| {
            let (_, port) = line.rsplit_once("on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        };
        let is_ready = |line: &str| line.contains("successfully") && port(line).is_some();
        let line = driver.wait_for_line(is_ready, PATIENCE);
        let line = line.unwrap_or_else(|| panic!("no port\n{}", driver.report()));
        let mut browser = Browser {
            at: (Ipv4Addr::LOCALHOST, port(&line).expect("a port")).into(),
            session: String::new(),
            driver,
            _profile: profile,
        };
        let arguments = [
            "--headless",
            // Tests may run as root.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--host-resolver-rules=MAP tracker.lan 127.0.0.1",
        ];
        let mut arguments = arguments.map(str::to_string).to_vec();
        let profile = browser._profile.path().display();
        arguments.push(format!("--user-data-dir={profile}/chromium"));
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"binary": chromium, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let made = browser.ask("POST", "/session", &wanted);
        let id = made["sessionId"].as_str().expect("a session");
        browser.session = format!("/session/{id}");
        // Away from the page that it begins with, and what that asks for.
        browser.open("about:blank");
        browser.log("performance");
        Some(browser)
    }

    /// Goes to a page and waits until it is there.
    pub fn open(&self, url: &str) {
        self.command("/url", &json!({"url": url}));
    }

    /// What this JavaScript, the body of a function, returns; a promise is waited for.
    pub fn run(&self, script: &str) -> Value {
        self.command("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits until this expression is true; panics if it takes too long.
    pub fn wait_until(&self, expression: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.run(&format!("return !!({expression})")) != true {
            let text = self.run("return document.body.innerText");
            assert!(Instant::now() < deadline, "not {expression}:\n{text}");
            // The protocol has no event for it.
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Clicks on the element that a CSS selector finds, as a person with a mouse.
    pub fn click(&self, selector: &str) {
        let find = json!({"using": "css selector", "value": selector});
        let found = self.command("/element", &find);
        let id = found.as_object().and_then(|found| found.values().next());
        let id = id.and_then(Value::as_str).expect("an element");
        self.command(&format!("/element/{id}/click"), &json!({}));
    }

    /// A command of Chromium's own protocol (CDP).
    pub fn cdp(&self, command: &str, parameters: Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.command("/goog/cdp/execute", &body)
    }

    /// The entries of a log (`browser`, `performance`) since it was last asked for.
    pub fn log(&self, kind: &str) -> Vec<Value> {
        let entries = self.command("/se/log", &json!({"type": kind}));
        entries.as_array().expect("a list").clone()
    }

    /// The URLs of all requests since it was last asked for.
    pub fn requests(&self) -> Vec<String> {
        let mut urls = Vec::new();
        for entry in self.log("performance") {
            let message = entry["message"].as_str().expect("JSON in a string");
            let message: Value = serde_json::from_str(message).expect("JSON");
            let message = &message["message"];
            if message["method"] == "Network.requestWillBeSent" {
                let url = &message["params"]["request"]["url"];
                urls.push(url.as_str().expect("a URL").to_owned());
            }
        }
        urls
    }

    /// Makes the window so wide, and the person one who likes it "light" or "dark".
    pub fn resize(&self, width: u32, scheme: &str) {
        let size = json!({
            "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        self.cdp("Emulation.setDeviceMetricsOverride", size);
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.cdp("Emulation.setEmulatedMedia", json!({"features": [feature]}));
    }

    /// Writes what the whole page looks like to a PNG file.
    pub fn screenshot(&self, file: &Path) {
        let whole = json!({"format": "png", "captureBeyondViewport": true});
        let shot = self.cdp("Page.captureScreenshot", whole);
        let data = shot["data"].as_str().expect("a picture");
        let png = BASE64_STANDARD.decode(data).expect("base64");
        assert!(png.starts_with(b"\x89PNG"), "no PNG");
        std::fs::write(file, png).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    }

    fn command(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", &format!("{}{path}", self.session), body)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let mut connection = Connection::open(self.at);
        connection.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        connection.send(
            format!(
                "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                self.at,
                body.len()
            )
            .as_bytes(),
        );
        let answer = connection.answer();
        let value: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(
            answer.status,
            200,
            "{path}: {value}\n{}",
            self.driver.report()
        );
        value["value"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Otherwise Chromium would outlive its driver. A failure here must not hide the test's.
        let close = || self.ask("DELETE", &self.session, &json!({}));
        let _ = catch_unwind(AssertUnwindSafe(close));
    }
}
