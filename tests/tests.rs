mod support;
mod transfer;
