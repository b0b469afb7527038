//! The layer as its users meet it, one module for each behaviour.
#![allow(clippy::unwrap_used, clippy::result_large_err)]

mod ambient;
mod axum;
mod cache;
mod client_headers;
mod concurrency;
mod configuration;
mod guards;
mod interleaving;
mod issuer;
mod layer;
mod logout;
mod nested;
mod other_issuers;
mod printed;
mod protected_resource;
mod providers;
mod rejections;
#[cfg(feature = "remote_keys")]
mod remote_keys;
mod requirements;
mod revocation;
mod rotation;
mod secrecy;
mod session;
mod several_issuers;
mod sources;
mod support;
mod testing;
