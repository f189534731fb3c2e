//! Asks the router to forward mayfly's port (`--map-port`), and learns by which address the internet
//! reaches this network. It imports nothing of the tracker: what it learns is handed to a function.
//! The modules, in reading order:

pub mod mapper;

pub mod gateway;

pub mod mapping;

pub mod words;

pub mod ways;

pub mod pcp;

pub mod nat_pmp;

pub mod upnp;

pub mod ssdp;

pub mod description;

pub mod soap;

pub mod xml;

pub mod place;

pub mod http_answer;

pub mod exchange;
