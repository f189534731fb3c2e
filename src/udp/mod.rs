//! The tracker over UDP (BEP 15). In the order in which a packet meets them:

pub mod sockets;

mod pace;

pub mod server;

pub mod packet;

pub mod connection_id;
