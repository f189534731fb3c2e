//! What the gate is given to answer with: all that it knows of what stands behind it.

use super::visitor::Visitor;
use crate::refusal::HttpRefusal;
use std::net::IpAddr;
use tiny_http::Request;

/// Answers what passes the gate, and finds the words for what does not.
pub trait Handler: Send + Sync {
    /// Answers a request of this visitor. It is a GET or a HEAD, and has no body. The answer has a
    /// Content-Length, and is read when it has been written: it has to fit into what the system
    /// buffers for a socket, which 64 KiB do everywhere.
    fn answer(&self, request: Request, visitor: &Visitor);

    /// A request from `remote` may not pass: takes note of it, and writes the body of the answer,
    /// which is plain text.
    fn refuse(&self, refusal: HttpRefusal, remote: IpAddr, body: &mut Vec<u8>);
}
