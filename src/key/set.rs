//! Sets of keys.

use std::{collections::HashMap, fmt};

use super::{
    Algorithm, VerifyingKey,
    jwk::{Json, Jwk},
};
use crate::error::ConfigError;

/// The keys that a verifier trusts, found by their ids.
///
/// With one key in it, a token need not name it; with several, a token's `kid` selects one.
///
/// # Examples
///
/// ```
/// use tower_session_token::KeySet;
///
/// let keys = KeySet::from_jwks(
///     r#"{"keys": [
///         {"kty": "OKP", "crv": "Ed25519", "kid": "2026-01",
///          "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
///         {"kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB"}
///     ]}"#,
/// )?;
/// assert_eq!(keys.len(), 1);
/// assert_eq!(keys.left_out()[0].to_string(), "key 2 is left out: its `use` is not `sig`");
/// # Ok::<(), tower_session_token::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct KeySet {
    keys: Keys,
    left_out: Vec<LeftOutKey>,
}

#[derive(Clone)]
enum Keys {
    One(VerifyingKey),
    Several(HashMap<Box<str>, VerifyingKey>),
}

/// A key of a JWK Set that is not used, and why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LeftOutKey {
    position: usize,
    reason: &'static str,
}

impl LeftOutKey {
    /// Where in the set's `keys` it is, counted from 1.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// Why it is not used, in words of this crate alone.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason
    }
}

impl fmt::Display for LeftOutKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {} is left out: {}", self.position, self.reason)
    }
}

impl KeySet {
    /// A set of these keys.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if there are none, or if there are several and one has no id or two have the
    /// same.
    pub fn new(keys: impl IntoIterator<Item = VerifyingKey>) -> Result<Self, ConfigError> {
        let mut keys: Vec<_> = keys.into_iter().collect();
        let keys = match keys.len() {
            0 => return Err(ConfigError::new("key", "none is given")),
            1 => Keys::One(keys.remove(0)),
            _ => {
                let mut by_id = HashMap::with_capacity(keys.len());
                for key in keys {
                    let Some(id) = key.id() else {
                        return Err(ConfigError::new("key", "one of several keys has no id"));
                    };
                    if by_id.insert(id.into(), key).is_some() {
                        return Err(ConfigError::new("key", "two keys have the same id"));
                    }
                }
                Keys::Several(by_id)
            }
        };
        Ok(Self {
            keys,
            left_out: Vec::new(),
        })
    }

    /// The keys of a JWK Set (RFC 7517 §5).
    ///
    /// A key that cannot be used is [left out](Self::left_out), and the rest is used: one that
    /// names no algorithm and is of no curve that has one, one for encryption, one that is too
    /// weak or broken, the second of two with one `kid`, and of several one without a `kid`.
    /// aws-lc-rs does not tell whether the `x` of an Ed25519 key is a point of the curve: if it is
    /// not, the key is taken, and nothing verifies with it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the text is not a JWK Set, or no key of it can be used.
    pub fn from_jwks(json: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::from_jwks_with_algorithms(json, &[])
    }

    /// The keys of a JWK Set, where keys that name no algorithm get the one of these that fits
    /// their type. Several large providers publish RSA keys without `alg`.
    ///
    /// This is no list of what is allowed: a key that names an algorithm, or is of a curve that has
    /// one, is used with that.
    ///
    /// # Errors
    ///
    /// As [`from_jwks`](Self::from_jwks); also if two of the algorithms are for one type of key.
    pub fn from_jwks_with_algorithms(
        json: impl AsRef<[u8]>,
        algorithms: &[Algorithm],
    ) -> Result<Self, ConfigError> {
        if !each_of_another_type(algorithms) {
            return Err(ConfigError::new(
                "jwks_algorithm",
                "two algorithms are for the same type of key",
            ));
        }
        let set = Json::read(json.as_ref());
        let keys = set
            .as_ref()
            .and_then(|set| set.get().get("keys")?.as_array());
        let keys = keys.ok_or(ConfigError::new("jwks", "is not a JWK Set (RFC 7517 §5)"))?;
        let mut used: Vec<(usize, VerifyingKey)> = Vec::new();
        let mut left_out = Vec::new();
        let mut ids = std::collections::HashSet::new();
        for (position, value) in (1..).zip(keys) {
            match Jwk::of(value).and_then(|jwk| jwk.verifying_key(algorithms)) {
                Ok(key) => match key.id().is_none_or(|id| ids.insert(id.to_owned())) {
                    true => used.push((position, key)),
                    false => left_out.push(LeftOutKey {
                        position,
                        reason: "a key before it has the same `kid`",
                    }),
                },
                Err(reason) => left_out.push(LeftOutKey { position, reason }),
            }
        }
        if used.len() > 1 {
            used.retain(|(position, key)| {
                if key.id().is_none() {
                    left_out.push(LeftOutKey {
                        position: *position,
                        reason: "without `kid` it cannot be told from the others",
                    });
                }
                key.id().is_some()
            });
        }
        left_out.sort_by_key(LeftOutKey::position);
        if used.is_empty() {
            return Err(ConfigError::new("jwks", none_is_left(&left_out)));
        }
        let mut set = Self::new(used.into_iter().map(|(_, key)| key))?;
        set.left_out = left_out;
        Ok(set)
    }

    /// The keys of the JWK Set that are not used, in its order.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOutKey] {
        &self.left_out
    }

    /// How many keys are used; at least one.
    #[expect(clippy::len_without_is_empty, reason = "a set is never empty")]
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.keys {
            Keys::One(_) => 1,
            Keys::Several(keys) => keys.len(),
        }
    }

    /// The key that a token's `kid` names, or the only one if it names none.
    pub(crate) fn select(&self, kid: Option<&str>) -> Option<&VerifyingKey> {
        match (&self.keys, kid) {
            (Keys::One(key), None) => Some(key),
            (Keys::One(key), Some(kid)) => key.id().is_none_or(|id| id == kid).then_some(key),
            (Keys::Several(_), None) => None,
            (Keys::Several(keys), Some(kid)) => keys.get(kid),
        }
    }
}

/// Each algorithm has to be for another `kty`, or it would not be clear which one a key gets.
fn each_of_another_type(algorithms: &[Algorithm]) -> bool {
    use super::algorithm::Family;

    let mut types = std::collections::HashSet::new();
    algorithms.iter().all(|algorithm| {
        types.insert(match algorithm.family() {
            Family::Hmac => "oct",
            Family::RsaPkcs1 | Family::RsaPss => "RSA",
            // Their keys take the algorithm from the curve.
            Family::P256 => "P-256",
            Family::P384 => "P-384",
            Family::Ed25519 => "Ed25519",
        })
    })
}

/// Why a set ended empty, with the first few reasons.
fn none_is_left(left_out: &[LeftOutKey]) -> String {
    let reasons: Vec<_> = left_out.iter().take(5).map(ToString::to_string).collect();
    match reasons.is_empty() {
        true => "there is no key in the set".to_owned(),
        false => format!("no key of the set can be used: {}", reasons.join("; ")),
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(key) => f.debug_list().entry(key).finish(),
            Self::Several(keys) => f.debug_list().entries(keys.values()).finish(),
        }
    }
}
