//! Who is asking: what the gate has found out about the sender of a request. How it did is in
//! `forwarded.rs` and `head.rs`.

use super::forwarded::Via;
use std::net::{IpAddr, SocketAddr};

/// Who asks, and how, as the gate has found out.
pub struct Visitor {
    /// Where the client is; canonical.
    pub source: IpAddr,
    /// The address and port of this machine that was reached; canonical.
    pub local: SocketAddr,
    /// The `Host` that was asked for, if it was a decent one, or nothing.
    pub host: String,
    /// Whether something else was asked for as `Host`.
    pub has_odd_host: bool,
    /// By whom the request came.
    pub via: Via,
    /// Whether a person looks at the answer.
    pub is_browser: bool,
    /// Whether a browser asks, on behalf of whichever page it shows.
    pub has_browser_marks: bool,
}

impl Visitor {
    /// The `Host` that was asked for, if any.
    pub fn host(&self) -> Option<&str> {
        Some(self.host.as_str()).filter(|host| !host.is_empty())
    }
}
