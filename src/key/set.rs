//! Sets of keys.

use std::{collections::HashSet, fmt, sync::Arc};

use super::{
    Algorithm, Reason, VerifyingKey,
    jwk::{Json, Jwk},
};
use crate::error::ConfigError;

/// The keys that a verifier trusts, selected by id and algorithm.
///
/// A token need not name the only key of a set. In a set of several keys, the token's `kid` and
/// `alg` select one (RFC 7517 §4.5). A clone increments two reference counts. Sets are equal if
/// their keys are, in any order; [skipped](Self::skipped) keys are not compared.
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
/// assert_eq!(keys.skipped()[0].to_string(), "key 2 is skipped: its `use` is not `sig`");
/// # Ok::<(), tower_session_token::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct KeySet {
    /// At least one, sorted by [`name_of`].
    keys: Arc<[VerifyingKey]>,
    skipped: Arc<[SkippedKey]>,
}

/// An unusable key of a JWK Set, with the reason.
///
/// # Examples
///
/// ```
/// use tower_session_token::KeySet;
///
/// let keys = KeySet::from_jwks(
///     r#"{"keys": [
///         {"kty": "oct", "alg": "HS256", "k": "c2hvcnQ"},
///         {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
///     ]}"#,
/// )?;
/// let skipped = &keys.skipped()[0];
/// assert_eq!(skipped.position(), 1);
/// assert!(skipped.reason().starts_with("the secret is shorter than the hash"));
/// # Ok::<(), tower_session_token::ConfigError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SkippedKey {
    position: usize,
    reason: Reason,
}

impl SkippedKey {
    /// The position of the key in `keys`, from 1.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// The reason why the key is skipped, without any of its values.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for SkippedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {} is skipped: {}", self.position, self.reason)
    }
}

/// The reason why a set has no key for a token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SelectError {
    /// The token has no `kid`, and the set has several keys.
    KidMissing,
    /// No key has the token's `kid`.
    KidUnknown,
    /// The key with the token's `kid`, or the only key, has another algorithm.
    AlgorithmMismatch,
}

impl KeySet {
    /// Creates a set of these keys.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if there is no key, if one of several keys has no id, or if two keys have the
    /// same id and algorithm.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Algorithm, KeySet, SigningKey};
    ///
    /// let old = SigningKey::generate(Algorithm::ES256)?.with_id("2026-01").verifying_key();
    /// let new = SigningKey::generate(Algorithm::EdDSA)?.with_id("2026-07").verifying_key();
    /// let keys = KeySet::new([old.clone(), new])?;
    /// assert_eq!(keys.len(), 2);
    /// assert!(KeySet::new([old.clone(), old]).is_err());
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    pub fn new(keys: impl IntoIterator<Item = VerifyingKey>) -> Result<Self, ConfigError> {
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort_by(|a, b| name_of(a).cmp(&name_of(b)));
        let reason = match &*keys {
            [] => "no key is given; at least one is needed",
            [first, _, ..] if first.id().is_none() => {
                "one of several keys has no id; set it with `with_id`"
            }
            keys if !keys.is_sorted_by(|a, b| name_of(a) < name_of(b)) => {
                "two keys have the same id and algorithm"
            }
            _ => {
                return Ok(Self {
                    keys: keys.into(),
                    skipped: Arc::default(),
                });
            }
        };
        Err(ConfigError::new("key", reason))
    }

    /// Decodes a JWK Set (RFC 7517 §5).
    ///
    /// An unusable key is [skipped](Self::skipped):
    ///
    /// - without `alg`, and without a curve that implies it;
    /// - for encryption, weak, or invalid;
    /// - with the `kid` and `alg` of an earlier key;
    /// - without `kid`, if other keys are usable.
    ///
    /// A `null` member counts as absent, and a leading byte order mark is ignored.
    ///
    /// aws-lc-rs does not check that the `x` of an Ed25519 key is on the curve. Such a key is
    /// included, and verifies no signature.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the text is not a JWK Set, or none of its keys is usable.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::KeySet;
    ///
    /// let error = KeySet::from_jwks("<html>").unwrap_err();
    /// assert_eq!(error.to_string(), "jwks: the text is not JSON");
    /// let error = KeySet::from_jwks("{}").unwrap_err();
    /// assert_eq!(error.to_string(), "jwks: it has no list `keys`, as a JWK Set has (RFC 7517 §5)");
    /// ```
    pub fn from_jwks(json: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::from_jwks_with_algorithms(json, &[])
    }

    /// Decodes a JWK Set, with default algorithms for keys without `alg`.
    ///
    /// Such a key gets the algorithm of its type, if there is one in `algorithms`. Several large
    /// providers publish RSA keys without `alg`. This is not an allow list: a key with another
    /// `alg`, or with a curve that implies one, is included too.
    ///
    /// # Errors
    ///
    /// The same as of [`from_jwks`](Self::from_jwks); also if two of the algorithms are for the same
    /// type of key.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Algorithm, KeySet};
    ///
    /// # let jwk: serde_json::Value = serde_json::from_slice(&std::fs::read("tests/keys/rsa.public.jwk.json")?)?;
    /// # let jwks = serde_json::json!({ "keys": [{ "kty": "RSA", "n": jwk["n"], "e": jwk["e"] }] }).to_string();
    /// assert!(KeySet::from_jwks(&jwks).is_err());
    /// let keys = KeySet::from_jwks_with_algorithms(&jwks, &[Algorithm::RS256])?;
    /// assert_eq!(keys.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_jwks_with_algorithms(
        json: impl AsRef<[u8]>,
        algorithms: &[Algorithm],
    ) -> Result<Self, ConfigError> {
        Self::decode(json.as_ref(), algorithms, usize::MAX, |_| Ok(()))
    }

    /// Decodes those of the first `max` keys of a JWK Set that pass `check`.
    fn decode(
        json: &[u8],
        algorithms: &[Algorithm],
        max: usize,
        check: fn(&Jwk<'_>) -> Result<(), Reason>,
    ) -> Result<Self, ConfigError> {
        // Between two, a key without `alg` could not choose.
        let mut families = HashSet::new();
        let is_new = |algorithm: &Algorithm| families.insert(algorithm.family());
        if !algorithms.iter().all(is_new) {
            let reason = "two algorithms are for the same type of key";
            return Err(ConfigError::new("algorithms", reason));
        }
        Self::of_jwks(json, algorithms, max, check)
            .map_err(|reason| ConfigError::new("jwks", reason))
    }

    fn of_jwks(
        json: &[u8],
        algorithms: &[Algorithm],
        max: usize,
        check: fn(&Jwk<'_>) -> Result<(), Reason>,
    ) -> Result<Self, Reason> {
        let json = Json::parse(json)?;
        let Some(values) = json.0.get("keys").and_then(|keys| keys.as_array()) else {
            return Err(if json.0.get("kty").is_some() {
                "it is a single JWK, which `from_jwk` of a key reads".into()
            } else {
                "it has no list `keys`, as a JWK Set has (RFC 7517 §5)".into()
            });
        };
        let (mut usable, mut skipped) = (Vec::new(), Vec::new());
        for (position, value) in (1..).zip(values) {
            if position > max {
                // One entry for all, so that a large set keeps no long list.
                let reason = format!("no more than {max} keys of a set are used").into();
                skipped.push(SkippedKey { position, reason });
                break;
            }
            let key = Jwk::of(value).and_then(|jwk| {
                check(&jwk)?;
                jwk.verifying_key(algorithms)
            });
            match key {
                Ok(key) => usable.push((position, key)),
                Err(reason) => skipped.push(SkippedKey { position, reason }),
            }
        }
        // Stable, so that the first of several keys with one name stays the first.
        usable.sort_by(|(_, a), (_, b)| name_of(a).cmp(&name_of(b)));
        let is_single = usable.len() == 1;
        let mut keys: Vec<VerifyingKey> = Vec::new();
        for (position, key) in usable {
            let reason = if key.id().is_none() && !is_single {
                "it has no `kid`, and other keys are usable".into()
            } else if keys.last().map(name_of) == Some(name_of(&key)) {
                "a key before it has the same `kid` and `alg`".into()
            } else {
                keys.push(key);
                continue;
            };
            skipped.push(SkippedKey { position, reason });
        }
        skipped.sort_by_key(SkippedKey::position);
        if keys.is_empty() {
            return Err(no_key(&skipped));
        }
        Ok(Self {
            keys: keys.into(),
            skipped: skipped.into(),
        })
    }

    /// The public keys as a JWK Set (RFC 7517 §5), to be published at a `jwks_uri`.
    ///
    /// HMAC secrets are omitted, so that a set of secrets has empty `keys`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Algorithm, KeySet, SigningKey};
    ///
    /// let key = SigningKey::generate(Algorithm::ES256)?.with_id("2026-01");
    /// let keys = KeySet::new([key.verifying_key()])?;
    /// assert_eq!(KeySet::from_jwks(keys.to_jwks())?, keys);
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    #[must_use]
    pub fn to_jwks(&self) -> String {
        let keys: Vec<_> = self.keys.iter().filter_map(VerifyingKey::to_jwk).collect();
        format!(r#"{{"keys":[{}]}}"#, keys.join(","))
    }

    /// The unusable keys of the JWK Set, in its order.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// The number of usable keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key: in the store of `RemoteKeys` (feature `remote_keys`) that have not
    /// been read yet, or have expired. No constructor makes such a set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The set of no key.
    #[cfg(feature = "remote_keys")]
    pub(crate) fn none() -> Self {
        Self {
            keys: Arc::default(),
            skipped: Arc::default(),
        }
    }

    /// Decodes a JWK Set that was fetched: keys with private members, and secrets, are skipped, and so
    /// are all after the first 64.
    #[cfg(feature = "remote_keys")]
    pub(crate) fn from_public_jwks(
        json: &[u8],
        algorithms: &[Algorithm],
    ) -> Result<Self, ConfigError> {
        Self::decode(json, algorithms, 64, |jwk| jwk.check_public())
    }

    /// The key that `kid` and `alg` of a token select (RFC 7517 §4.5). The only key needs no `kid`,
    /// but `alg` must always be the key's (RFC 8725 §3.1).
    pub(crate) fn select(
        &self,
        kid: Option<&str>,
        alg: &str,
    ) -> Result<&VerifyingKey, SelectError> {
        let kid = match (&*self.keys, kid) {
            ([only], None) => only.id(),
            ([only], Some(_)) if only.id().is_none() => None,
            (_, None) => return Err(SelectError::KidMissing),
            _ => kid,
        };
        let at = self.keys.partition_point(|key| name_of(key) < (kid, alg));
        // A key with this `kid` and another `alg` is a neighbour.
        let mut nearest = self.keys.iter().skip(at.saturating_sub(1)).take(2);
        match self.keys.get(at) {
            Some(key) if name_of(key) == (kid, alg) => Ok(key),
            _ if nearest.any(|key| key.id() == kid) => Err(SelectError::AlgorithmMismatch),
            _ => Err(SelectError::KidUnknown),
        }
    }
}

/// The id and algorithm that select a key.
fn name_of(key: &VerifyingKey) -> (Option<&str>, &'static str) {
    (key.id(), key.algorithm().as_str())
}

/// The reason why a set has no usable key, with the first five reasons of its keys.
fn no_key(skipped: &[SkippedKey]) -> Reason {
    let reasons: Vec<_> = skipped.iter().take(5).map(ToString::to_string).collect();
    if reasons.is_empty() {
        "there is no key in the set".into()
    } else {
        format!("no key of the set is usable: {}", reasons.join("; ")).into()
    }
}

impl PartialEq for KeySet {
    fn eq(&self, other: &Self) -> bool {
        self.keys == other.keys
    }
}

impl Eq for KeySet {}
