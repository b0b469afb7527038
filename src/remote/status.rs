//! What an application learns about its remote keys.

use std::{error::Error, fmt, time::Duration};

use http::StatusCode;

use crate::key::SkippedKey;

/// The state of [`RemoteKeys`](crate::RemoteKeys).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum RemoteKeysState {
    /// No read has succeeded yet. Requests are answered 503.
    Loading,
    /// The last successful read is younger than its lifetime.
    Fresh,
    /// The keys are older than their lifetime, since reads fail. They are still trusted.
    Stale,
    /// The keys are older than [`max_stale`](crate::RemoteKeysBuilder::max_stale) allows, and
    /// trusted no more. Requests are answered 503.
    Expired,
    /// The runtime that the keys were started in has ended. Requests are answered 503.
    Stopped,
}

/// The state of [`RemoteKeys`](crate::RemoteKeys) and the results of its reads; from
/// [`RemoteKeys::status`](crate::RemoteKeys::status).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RemoteKeysStatus {
    /// The state.
    pub state: RemoteKeysState,
    /// The number of keys that are trusted.
    pub keys: usize,
    /// The keys of the set that are not usable.
    pub skipped: Vec<SkippedKey>,
    /// The number of times that the keys changed.
    pub generation: u64,
    /// The time until the next scheduled read; zero while one runs.
    pub next_read_in: Duration,
    /// Why the last read failed; `None` if it succeeded.
    pub last_failure: Option<FetchErrorKind>,
    /// The number of failed reads since the last successful one.
    pub failures_in_a_row: u32,
    /// The number of reads, failed ones included.
    pub reads: u64,
    /// The number of failed reads.
    pub failed_reads: u64,
    /// The number of times that requests with an unknown key caused reads, up to three each time.
    pub demands: u64,
}

/// Something that happened to [`RemoteKeys`](crate::RemoteKeys), for
/// [`RemoteKeysBuilder::on_event`](crate::RemoteKeysBuilder::on_event).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum KeyEvent {
    /// A read succeeded.
    #[non_exhaustive]
    Read {
        /// The number of usable keys.
        keys: usize,
        /// The number of keys that are not usable.
        skipped: usize,
        /// Whether the keys differ from those before.
        changed: bool,
    },
    /// A read failed.
    Failed(FetchErrorKind),
    /// The keys are too old, and are trusted no more.
    Expired,
}

/// Why a read of remote keys failed. It holds no text of the network.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum FetchErrorKind {
    /// The HTTP client failed: no address, no connection, an invalid response.
    Client,
    /// The provider's certificate is not trusted, or TLS failed otherwise. Only the client of the
    /// feature `https` reports it; others count as [`Client`](Self::Client).
    Tls,
    /// The read, metadata and set together, took longer than
    /// [`fetch_timeout`](crate::RemoteKeysBuilder::fetch_timeout).
    Timeout,
    /// The response has another status than 200. Redirects are not followed.
    Status(StatusCode),
    /// The response is larger than 256 KiB.
    TooLarge,
    /// The metadata are not those of an issuer (OpenID Connect Discovery 1.0 §3, RFC 8414 §2).
    NotMetadata,
    /// The metadata are those of another issuer: theirs has to be the configured one byte by byte
    /// (RFC 8414 §3.3).
    IssuerMismatch,
    /// The metadata name a `jwks_uri` that is not an absolute `https` address.
    InsecureUri,
    /// The set is not a JWK Set (RFC 7517 §5), or none of its keys is usable.
    NoUsableKey,
    /// The runtime that the keys were started in has ended.
    Stopped,
}

impl FetchErrorKind {
    /// Whether it stays until somebody changes the configuration here or at the provider.
    pub(super) const fn is_permanent(self) -> bool {
        matches!(
            self,
            Self::Tls
                | Self::IssuerMismatch
                | Self::InsecureUri
                | Self::NoUsableKey
                | Self::Stopped
        )
    }
}

impl fmt::Display for FetchErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "the provider cannot be reached",
            Self::Tls => "the provider's certificate is not trusted",
            Self::Timeout => "the provider did not respond in time",
            Self::Status(status) => return write!(f, "the provider responded with {status}"),
            Self::TooLarge => "the response is too large",
            Self::NotMetadata => "the response is not the metadata of an issuer",
            Self::IssuerMismatch => "the metadata are those of another issuer",
            Self::InsecureUri => "the metadata name a `jwks_uri` without TLS",
            Self::NoUsableKey => "the response is not a JWK Set with a usable key",
            Self::Stopped => "the runtime of the keys has ended",
        })
    }
}

impl Error for FetchErrorKind {}
