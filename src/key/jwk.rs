//! JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037 §2).

use std::collections::HashSet;

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::{
    Algorithm, Reason, SigningKey, VerifyingKey,
    algorithm::Family,
    encoded_key::{EncodedPrivateKey, EncodedPublicKey},
};
use crate::error::ConfigError;

impl VerifyingKey {
    /// Decodes a JSON Web Key (RFC 7517 §4); its `kid` becomes the id.
    ///
    /// The key needs an `alg`, unless its curve implies one: ES256, ES384 or EdDSA.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the text is not such a key, or the key is weak or not for verification
    /// (`use`, `key_ops`).
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Algorithm, VerifyingKey};
    ///
    /// let key = VerifyingKey::from_jwk(
    ///     r#"{"kty": "OKP", "crv": "Ed25519", "kid": "2026-01",
    ///         "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    /// )?;
    /// assert_eq!((key.algorithm(), key.id()), (Algorithm::EdDSA, Some("2026-01")));
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    pub fn from_jwk(json: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        with(json.as_ref(), |jwk| jwk.verifying_key(&[]))
            .map_err(|reason| ConfigError::new("from_jwk", reason))
    }

    /// The public key as a JSON Web Key (RFC 7517 §4) with `alg`, `use` and, if the key has an id,
    /// `kid`. [`from_jwk`](Self::from_jwk) reads it back.
    ///
    /// `None` for an HMAC secret, which has no public part.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Algorithm, SigningKey, VerifyingKey};
    ///
    /// let key = SigningKey::generate(Algorithm::ES256)?.verifying_key();
    /// let jwk = key.to_jwk().expect("a public key");
    /// assert_eq!(VerifyingKey::from_jwk(jwk)?, key);
    ///
    /// assert_eq!(VerifyingKey::hs256([7; 32])?.to_jwk(), None);
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    #[must_use]
    pub fn to_jwk(&self) -> Option<String> {
        let public = self.encoded()?;
        Some(to_json(public, self.algorithm(), self.id()))
    }

    /// The SHA-256 thumbprint of the public key in base64url (RFC 7638), which makes a good id.
    ///
    /// It does not depend on algorithm and id. `None` for an HMAC secret, since its thumbprint would
    /// help to guess the secret.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::VerifyingKey;
    ///
    /// let key = VerifyingKey::from_jwk(
    ///     r#"{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    /// )?;
    /// let thumbprint = key.thumbprint().expect("a public key");
    /// assert_eq!(thumbprint, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    /// let key = key.with_id(thumbprint);
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    #[must_use]
    pub fn thumbprint(&self) -> Option<String> {
        self.encoded().map(thumbprint)
    }
}

impl SigningKey {
    /// Decodes a private JSON Web Key (RFC 7517 §4, RFC 7518 §6); its `kid` becomes the id.
    ///
    /// The key needs an `alg`, unless its curve implies one: ES256, ES384 or EdDSA.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the text is not such a key, or the key is weak or not for signing (`use`,
    /// `key_ops`), or its private and public parts do not match.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Algorithm, SigningKey};
    ///
    /// let key = SigningKey::from_jwk(
    ///     r#"{"kty": "OKP", "crv": "Ed25519",
    ///         "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    ///         "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    /// )?;
    /// assert_eq!(key.algorithm(), Algorithm::EdDSA);
    /// # Ok::<(), tower_session_token::ConfigError>(())
    /// ```
    pub fn from_jwk(json: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        with(json.as_ref(), |jwk| jwk.signing_key())
            .map_err(|reason| ConfigError::new("from_jwk", reason))
    }
}

/// A JSON value whose strings are zeroed on drop, since some may be secrets.
pub(super) struct Json(Value);

impl Json {
    /// Parses JSON. A byte order mark in front is ignored (RFC 8259 §8.1).
    pub(super) fn parse(json: &[u8]) -> Result<Self, Reason> {
        let json = json.strip_prefix("\u{feff}".as_bytes()).unwrap_or(json);
        // The error of serde would quote the input.
        let value = serde_json::from_slice(json);
        value.map(Self).or(Err("the text is not JSON".into()))
    }

    pub(super) fn get(&self) -> &Value {
        &self.0
    }
}

impl Drop for Json {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Parses one key and passes it to `read`.
pub(super) fn with<T>(
    json: &[u8],
    read: impl FnOnce(&Jwk<'_>) -> Result<T, Reason>,
) -> Result<T, Reason> {
    let json = Json::parse(json)?;
    read(&Jwk::of(json.get())?)
}

/// Encodes a public key with its algorithm and id, so that [`Jwk`] can read it.
pub(super) fn to_json(key: &EncodedPublicKey, algorithm: Algorithm, id: Option<&str>) -> String {
    let id = id.map_or_else(String::new, |id| format!(r#","kid":{}"#, Value::from(id)));
    let members = required_members(key);
    format!(r#"{{{members},"alg":"{algorithm}","use":"sig"{id}}}"#)
}

/// The thumbprint of RFC 7638 §3, with SHA-256.
pub(super) fn thumbprint(key: &EncodedPublicKey) -> String {
    let digest = Sha256::digest(format!("{{{}}}", required_members(key)));
    URL_SAFE_NO_PAD.encode_to_string(digest)
}

/// The required members in lexicographic order without white space (RFC 7638 §3.2, RFC 8037 §2).
fn required_members(key: &EncodedPublicKey) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode_to_string(bytes);
    match key {
        EncodedPublicKey::Ec(point) => {
            #[expect(
                clippy::indexing_slicing,
                reason = "a byte 4 precedes both coordinates"
            )]
            let coordinates = &point[1..];
            let (x, y) = coordinates.split_at(coordinates.len() / 2);
            let crv = if x.len() == 48 { "P-384" } else { "P-256" };
            let (x, y) = (encode(x), encode(y));
            format!(r#""crv":"{crv}","kty":"EC","x":"{x}","y":"{y}""#)
        }
        EncodedPublicKey::Ed25519(x) => {
            format!(r#""crv":"Ed25519","kty":"OKP","x":"{}""#, encode(x))
        }
        EncodedPublicKey::Rsa { n, e } => {
            format!(r#""e":"{}","kty":"RSA","n":"{}""#, encode(e), encode(n))
        }
    }
}

/// A JSON Web Key whose members are not checked yet.
///
/// A `null` member counts as absent, and members of other key types are ignored (RFC 7517 §4).
pub(super) struct Jwk<'a>(&'a Map<String, Value>);

impl<'a> Jwk<'a> {
    pub(super) fn of(value: &'a Value) -> Result<Self, Reason> {
        let members = value.as_object().ok_or("it is not a JSON object")?;
        Ok(Self(members))
    }

    /// Converts to a key that verifies. A key without `alg` takes its algorithm from `fallback`.
    pub(super) fn verifying_key(&self, fallback: &[Algorithm]) -> Result<VerifyingKey, Reason> {
        self.check_use("verify")?;
        let algorithm = self.algorithm(fallback)?;
        let key = match algorithm.family() {
            Family::Hmac => VerifyingKey::hmac(algorithm, &self.bytes("k")?)?,
            family => {
                let encoded = if family.is_rsa() {
                    self.check_two_primes()?;
                    EncodedPublicKey::rsa(&self.bytes("n")?, &self.bytes("e")?)
                } else {
                    EncodedPublicKey::from_bits(algorithm, &self.point(algorithm)?)
                };
                VerifyingKey::public(algorithm, encoded?)?
            }
        };
        Ok(match self.text("kid")? {
            Some(id) => key.with_id(id),
            None => key,
        })
    }

    /// Converts to a key that signs.
    pub(super) fn signing_key(&self) -> Result<SigningKey, Reason> {
        self.check_use("sign")?;
        let algorithm = self.algorithm(&[])?;
        let family = algorithm.family();
        let key = if family == Family::Hmac {
            SigningKey::hmac(algorithm, &self.bytes("k")?)?
        } else if self.text("d")?.is_none() {
            return Err("the key has no private part".into());
        } else if family.is_rsa() {
            self.check_two_primes()?;
            let mut parts: [Zeroizing<Vec<u8>>; 8] = Default::default();
            let names = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];
            for (part, name) in parts.iter_mut().zip(names) {
                *part = self.bytes(name)?;
            }
            let encoded = EncodedPrivateKey::rsa(parts.each_ref().map(|part| part.as_slice()))?;
            SigningKey::private(algorithm, &encoded)?
        } else {
            let (d, point) = (&*self.bytes("d")?, &*self.point(algorithm)?);
            if family == Family::Ed25519 {
                let encoded = EncodedPrivateKey::Ed25519 {
                    seed: d,
                    public: point,
                };
                SigningKey::private(algorithm, &encoded)?
            } else if d.len() == family.coordinate_len() {
                SigningKey::private(algorithm, &EncodedPrivateKey::Ec { d, point })?
            } else {
                let reason = "the private part does not have its full length (RFC 7518 §6.2.2.1)";
                return Err(reason.into());
            }
        };
        Ok(match self.text("kid")? {
            Some(id) => key.with_id(id),
            None => key,
        })
    }

    /// Checks that `use` (RFC 7517 §4.2) and `key_ops` (§4.3) allow the operation and are consistent.
    fn check_use(&self, operation: &str) -> Result<(), Reason> {
        let is_for_signatures = match self.text("use")? {
            None => false,
            Some("sig") => true,
            Some(_) => return Err("its `use` is not `sig`".into()),
        };
        let operations = match self.0.get("key_ops") {
            None | Some(Value::Null) => return Ok(()),
            Some(Value::Array(operations)) if operations.is_empty() => return Ok(()),
            Some(Value::Array(operations)) => operations,
            Some(_) => return Err("its `key_ops` are not a list".into()),
        };
        if !operations.iter().any(|name| name == operation) {
            return Err("its `key_ops` do not allow it".into());
        }
        let mut seen = HashSet::new();
        for name in operations {
            let name = name.as_str().ok_or("its `key_ops` are not all text")?;
            if !seen.insert(name) {
                return Err("its `key_ops` name one twice".into());
            }
            if is_for_signatures && !matches!(name, "sign" | "verify") {
                return Err("its `use` and `key_ops` contradict each other".into());
            }
        }
        Ok(())
    }

    /// Rejects a key with more than two primes: an implementation without multi-prime RSA must not
    /// use a key with `oth`, even to verify (RFC 7518 §6.3.2.7).
    fn check_two_primes(&self) -> Result<(), Reason> {
        match self.0.get("oth") {
            None | Some(Value::Null) => Ok(()),
            Some(Value::Array(primes)) if primes.is_empty() => Ok(()),
            Some(_) => Err("an RSA key of more than two primes is not supported".into()),
        }
    }

    /// The algorithm: the key's `alg`, else the one of `fallback` for its type, else the one of its
    /// curve.
    fn algorithm(&self, fallback: &[Algorithm]) -> Result<Algorithm, Reason> {
        let (families, of_curve): (&[_], _) = match self.text("kty")? {
            Some("oct") => (&[Family::Hmac], None),
            Some("RSA") => (&[Family::RsaPkcs1, Family::RsaPss], None),
            Some(kty @ ("EC" | "OKP")) => match (kty, self.text("crv")?) {
                ("EC", Some("P-256")) => (&[Family::P256], Some(Algorithm::ES256)),
                ("EC", Some("P-384")) => (&[Family::P384], Some(Algorithm::ES384)),
                ("OKP", Some("Ed25519")) => (&[Family::Ed25519], Some(Algorithm::EdDSA)),
                _ => return Err("its curve is not supported".into()),
            },
            Some(_) => return Err("its type (`kty`) is not supported".into()),
            None if self.0.contains_key("keys") => {
                return Err("it is a JWK Set, which `KeySet::from_jwks` reads".into());
            }
            None => return Err("`kty` is missing".into()),
        };
        let fits = |algorithm: &Algorithm| families.contains(&algorithm.family());
        let algorithm = match self.text("alg")? {
            Some(name) => Some(name.parse().or(Err("its algorithm is not supported"))?),
            None => fallback.iter().copied().find(fits).or(of_curve),
        };
        match algorithm {
            Some(algorithm) if fits(&algorithm) => Ok(algorithm),
            Some(_) => Err("its algorithm does not fit its type or curve".into()),
            None => Err("it names no algorithm (`alg`), and none is named for its type".into()),
        }
    }

    /// The raw Ed25519 key, or the uncompressed point of an EC key, whose coordinates have their
    /// full length (RFC 7518 §6.2.1.2).
    fn point(&self, algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, Reason> {
        if algorithm.family() == Family::Ed25519 {
            return self.bytes("x");
        }
        let mut point = vec![4];
        for name in ["x", "y"] {
            let coordinate = self.bytes(name)?;
            if coordinate.len() != algorithm.family().coordinate_len() {
                let reason = "a coordinate does not have its full length (RFC 7518 §6.2.1.2)";
                return Err(reason.into());
            }
            point.extend_from_slice(&coordinate);
        }
        Ok(point.into())
    }

    fn text(&self, name: &str) -> Result<Option<&'a str>, Reason> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("its `{name}` is not text").into()),
        }
    }

    /// Decodes a member from base64url; it may be private.
    fn bytes(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, Reason> {
        let text = self.text(name)?.ok_or(format!("`{name}` is missing"))?;
        let bytes = URL_SAFE_NO_PAD.decode_to_vec(text);
        bytes
            .map(Zeroizing::new)
            .or(Err(format!("its `{name}` is not base64url").into()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_strings_are_zeroed() {
        let mut jwks = json!({ "keys": [{ "k": "c2VjcmV0", "x": [["a"], { "y": "b" }], "n": 1 }] });
        wipe(&mut jwks);
        let wiped = json!({ "keys": [{ "k": "", "x": [[""], { "y": "" }], "n": 1 }] });
        assert_eq!(jwks, wiped);
    }
}
