mod support;

mod transfer;
mod udp;
