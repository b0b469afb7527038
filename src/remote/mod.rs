//! The keys of an issuer, fetched over HTTP and kept up to date.

mod address;
mod driver;
mod fetch;
#[cfg(feature = "https")]
mod https;
mod machine;
mod remote_keys;
mod remote_keys_builder;
#[cfg(test)]
mod simulation;
mod snapshot;
mod status;
#[cfg(test)]
mod tests;

pub use remote_keys::RemoteKeys;
pub use remote_keys_builder::RemoteKeysBuilder;
pub use snapshot::KeySnapshot;
pub use status::{FetchErrorKind, KeyEvent, RemoteKeysState, RemoteKeysStatus};
