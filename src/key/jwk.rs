//! JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037 §2).

use std::collections::HashSet;

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::{
    Algorithm, Reason, SigningKey, VerifyingKey, algorithm::Family, der, encoded_key::INVALID,
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
        Json::parse(json.as_ref())
            .and_then(|json| Jwk::of(&json.0)?.verifying_key(&[]))
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
        let members = self.required_members()?;
        let id = self.id().map(|id| format!(r#","kid":{}"#, Value::from(id)));
        let (algorithm, id) = (self.algorithm(), id.unwrap_or_default());
        Some(format!(
            r#"{{{members},"alg":"{algorithm}","use":"sig"{id}}}"#
        ))
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
        let digest = Sha256::digest(format!("{{{}}}", self.required_members()?));
        Some(URL_SAFE_NO_PAD.encode_to_string(digest))
    }

    /// The required members in lexicographic order without white space (RFC 7638 §3.2, RFC 8037 §2).
    #[expect(
        clippy::expect_used,
        clippy::indexing_slicing,
        reason = "the key was made by `check_public`: a byte 4 precedes both coordinates"
    )]
    fn required_members(&self) -> Option<String> {
        let key = self.encoded()?;
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode_to_string(bytes);
        let ec = |crv| {
            let (x, y) = key[1..].split_at(key.len() / 2);
            let (x, y) = (encode(x), encode(y));
            format!(r#""crv":"{crv}","kty":"EC","x":"{x}","y":"{y}""#)
        };
        Some(match self.algorithm().family() {
            Family::P256 => ec("P-256"),
            Family::P384 => ec("P-384"),
            Family::Ed25519 => format!(r#""crv":"Ed25519","kty":"OKP","x":"{}""#, encode(key)),
            Family::Rsa => {
                let [n, e] = der::integers(key).expect("two integers").map(encode);
                format!(r#""e":"{e}","kty":"RSA","n":"{n}""#)
            }
            Family::Hmac => return None,
        })
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
        Json::parse(json.as_ref())
            .and_then(|json| Jwk::of(&json.0)?.signing_key())
            .map_err(|reason| ConfigError::new("from_jwk", reason))
    }
}

/// A JSON value whose strings are zeroed on drop, since some may be secrets.
pub(super) struct Json(pub(super) Value);

impl Json {
    /// Parses JSON. A byte order mark in front is ignored (RFC 8259 §8.1).
    pub(super) fn parse(json: &[u8]) -> Result<Self, Reason> {
        let json = json.strip_prefix("\u{feff}".as_bytes()).unwrap_or(json);
        // The error of serde would quote the input.
        let value = serde_json::from_slice(json);
        value.map(Self).or(Err("the text is not JSON".into()))
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

/// A JSON Web Key whose members are not checked yet.
///
/// A `null` member counts as absent, and members of other key types are ignored (RFC 7517 §4).
pub(super) struct Jwk<'a>(&'a Map<String, Value>);

impl<'a> Jwk<'a> {
    pub(super) fn of(value: &'a Value) -> Result<Self, Reason> {
        let members = value.as_object().ok_or("it is not a JSON object")?;
        Ok(Self(members))
    }

    /// Rejects a key that its owner should not have published.
    #[cfg(feature = "remote_keys")]
    pub(super) fn check_public(&self) -> Result<(), Reason> {
        if self.0.contains_key("d") || self.0.contains_key("k") {
            return Err("it is private, and was published".into());
        }
        Ok(())
    }

    /// Converts to a key that verifies. A key without `alg` takes its algorithm from `fallback`.
    pub(super) fn verifying_key(&self, fallback: &[Algorithm]) -> Result<VerifyingKey, Reason> {
        self.check_use("verify")?;
        self.public_part(self.algorithm(fallback)?)
    }

    /// Converts to a key that signs.
    pub(super) fn signing_key(&self) -> Result<SigningKey, Reason> {
        self.check_use("sign")?;
        let algorithm = self.algorithm(&[])?;
        let verifying = self.public_part(algorithm)?;
        let private = match algorithm.family() {
            Family::Hmac => None,
            _ if self.text("d")?.is_none() => return Err("the key has no private part".into()),
            family => {
                let der = self.private_part(family)?.ok_or(INVALID)?;
                let key = SigningKey::private(algorithm, &der)?;
                if key.verifying.encoded() != verifying.encoded() {
                    return Err(INVALID.into());
                }
                key.private
            }
        };
        Ok(SigningKey { verifying, private })
    }

    /// The key that verifies, with its id; for HMAC it is the secret.
    fn public_part(&self, algorithm: Algorithm) -> Result<VerifyingKey, Reason> {
        let family = algorithm.family();
        let mut key = match family {
            Family::Hmac => VerifyingKey::hmac(algorithm, &self.bytes("k")?)?,
            Family::Ed25519 => VerifyingKey::public(algorithm, &self.bytes("x")?)?,
            // Without multi-prime RSA, a key with `oth` must not be used, even to verify (RFC 7518
            // §6.3.2.7).
            Family::Rsa if !matches!(self.list("oth"), Ok([])) => {
                return Err("an RSA key of more than two primes is not supported".into());
            }
            Family::Rsa => {
                let key = der::of_integers([&self.bytes("n")?, &self.bytes("e")?]);
                VerifyingKey::public(algorithm, &key.ok_or(INVALID)?)?
            }
            Family::P256 | Family::P384 => {
                let (x, y) = (self.octets("x", family)?, self.octets("y", family)?);
                VerifyingKey::public(algorithm, &[&[4][..], &x, &y].concat())?
            }
        };
        key.id = self.text("kid")?.map(Into::into);
        Ok(key)
    }

    /// The private key in the encoding of the family; `None` if it is too long for any.
    fn private_part(&self, family: Family) -> Result<Option<Zeroizing<Vec<u8>>>, Reason> {
        Ok(match family {
            Family::Rsa => {
                let mut parts: [Zeroizing<Vec<u8>>; 9] = Default::default();
                let names = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];
                for (part, name) in parts.iter_mut().skip(1).zip(names) {
                    *part = self.bytes(name)?;
                }
                der::of_integers(parts.each_ref().map(|part| part.as_slice()))
            }
            Family::Ed25519 => der::of_ed25519_private(&self.bytes("d")?),
            family => der::of_ec_private(&self.octets("d", family)?),
        })
    }

    /// Checks that `use` (RFC 7517 §4.2) and `key_ops` (§4.3) allow the operation and are consistent.
    fn check_use(&self, operation: &str) -> Result<(), Reason> {
        let purpose = self.text("use")?;
        if purpose.is_some_and(|purpose| purpose != "sig") {
            return Err("its `use` is not `sig`".into());
        }
        let operations = self.list("key_ops")?;
        if !operations.is_empty() && !operations.iter().any(|name| name == operation) {
            return Err("its `key_ops` do not allow it".into());
        }
        let mut seen = HashSet::new();
        for name in operations {
            let name = name.as_str().ok_or("its `key_ops` are not all text")?;
            if !seen.insert(name) {
                return Err("its `key_ops` name one twice".into());
            }
            if purpose.is_some() && !matches!(name, "sign" | "verify") {
                return Err("its `use` and `key_ops` contradict each other".into());
            }
        }
        Ok(())
    }

    /// The algorithm: the key's `alg`, else the one of `fallback` for its type, else the one of its
    /// curve.
    fn algorithm(&self, fallback: &[Algorithm]) -> Result<Algorithm, Reason> {
        let (family, of_curve) = match self.text("kty")? {
            Some("oct") => (Family::Hmac, None),
            Some("RSA") => (Family::Rsa, None),
            Some(kty @ ("EC" | "OKP")) => match (kty, self.text("crv")?) {
                ("EC", Some("P-256")) => (Family::P256, Some(Algorithm::ES256)),
                ("EC", Some("P-384")) => (Family::P384, Some(Algorithm::ES384)),
                ("OKP", Some("Ed25519")) => (Family::Ed25519, Some(Algorithm::EdDSA)),
                _ => return Err("its curve is not supported".into()),
            },
            Some(_) => return Err("its type (`kty`) is not supported".into()),
            None if self.0.contains_key("keys") => {
                return Err("it is a JWK Set, which `KeySet::from_jwks` reads".into());
            }
            None => return Err("`kty` is missing".into()),
        };
        let fits = |algorithm: &Algorithm| algorithm.family() == family;
        let algorithm = match self.text("alg")? {
            Some(name) => name.parse().or(Err("its algorithm is not supported"))?,
            None => (fallback.iter().copied().find(fits).or(of_curve))
                .ok_or("it names no algorithm (`alg`), and none is named for its type")?,
        };
        let unfit = "its algorithm does not fit its type or curve";
        fits(&algorithm).then_some(algorithm).ok_or(unfit.into())
    }

    /// Decodes a coordinate or scalar, which has its full length (RFC 7518 §6.2.1.2, §6.2.2.1).
    fn octets(&self, name: &str, family: Family) -> Result<Zeroizing<Vec<u8>>, Reason> {
        let octets = self.bytes(name)?;
        let is_full = Some(octets.len()) == family.coordinate_len();
        let reason = || format!("its `{name}` does not have its full length (RFC 7518 §6.2.1.2)");
        is_full.then_some(octets).ok_or_else(|| reason().into())
    }

    fn list(&self, name: &str) -> Result<&'a [Value], Reason> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(format!("its `{name}` is not a list").into()),
        }
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
