//! Keys that outlive the process.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::Value;

use crate::{debug::partial_debug, error::ConfigError, key::KeySet};

/// Keys as they were read last, to start with while the provider cannot be reached.
///
/// [`RemoteKeys::snapshot`](crate::RemoteKeys::snapshot) makes it, and
/// [`RemoteKeysBuilder::seed`](crate::RemoteKeysBuilder::seed) takes it after a restart.
///
/// # Security
///
/// Whoever can write the file of a snapshot chooses the keys that are trusted. Write it to a new file
/// that only the service may write (mode 0600), and rename that.
///
/// # Examples
///
/// ```
/// use tower_session_token::KeySnapshot;
///
/// let snapshot = KeySnapshot::from_json(
///     r#"{"origin": "https://id.example.com", "read_at": 1768478400, "keys": {"keys": [
///         {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}}"#,
/// )?;
/// assert_eq!(KeySnapshot::from_json(snapshot.to_json())?, snapshot);
/// # Ok::<(), tower_session_token::ConfigError>(())
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct KeySnapshot {
    /// The configured issuer or address.
    pub(super) origin: String,
    pub(super) keys: KeySet,
    /// The time since 1970, in seconds.
    read_at: u64,
}

#[derive(Deserialize)]
struct Json {
    origin: String,
    read_at: u64,
    /// A JWK Set.
    keys: Value,
}

impl KeySnapshot {
    pub(super) fn new(origin: String, keys: KeySet, age: Duration) -> Self {
        Self {
            origin,
            keys,
            read_at: unix_time().saturating_sub(age.as_secs()),
        }
    }

    /// The age of the keys; zero if the clock was set back since.
    pub(super) fn age(&self) -> Duration {
        Duration::from_secs(unix_time().saturating_sub(self.read_at))
    }

    /// The snapshot as JSON. It has public keys alone.
    #[must_use]
    pub fn to_json(&self) -> String {
        let origin = Value::from(&*self.origin);
        let (read_at, keys) = (self.read_at, self.keys.to_jwks());
        format!(r#"{{"origin":{origin},"read_at":{read_at},"keys":{keys}}}"#)
    }

    /// Reads what [`to_json`](Self::to_json) has written.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the text is not such a snapshot, or none of its keys is usable.
    pub fn from_json(json: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let json: Json = serde_json::from_slice(json.as_ref()).or(Err(ConfigError::new(
            "seed",
            "it is not a snapshot of keys",
        )))?;
        Ok(Self {
            keys: KeySet::from_public_jwks(json.keys.to_string().as_bytes(), &[])?,
            origin: json.origin,
            read_at: json.read_at,
        })
    }
}

fn unix_time() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

partial_debug! {
    KeySnapshot(snapshot) {
        origin: snapshot.origin,
        read_at: snapshot.read_at,
    }
}
