//! JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037 §2).

use std::collections::HashSet;

use serde_json::{Map, Value};
use zeroize::{Zeroize, Zeroizing};

use super::{
    Algorithm, SigningKey, VerifyingKey,
    algorithm::Family,
    encoded_key::{PrivateMaterial, PublicMaterial, RsaComponents},
};

/// JSON whose texts are wiped when it goes, since there may be secrets among them.
pub(super) struct Json(Value);

impl Json {
    pub(super) fn read(json: &[u8]) -> Option<Self> {
        // serde's error would quote the text.
        serde_json::from_slice(json).ok().map(Self)
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

/// One key of a set, as it stands there. A reason for refusal names members, never values.
pub(super) struct Jwk<'a>(&'a Map<String, Value>);

type Refused = &'static str;

impl<'a> Jwk<'a> {
    /// Reads one key and hands it to `read`.
    pub(super) fn with<T>(
        json: &[u8],
        read: impl FnOnce(&Jwk<'_>) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let value = Json::read(json).ok_or("the text is not JSON")?;
        read(&Jwk::of(value.get())?)
    }

    pub(super) fn of(value: &'a Value) -> Result<Self, Refused> {
        value.as_object().map(Self).ok_or("it is not a JSON object")
    }

    /// The key as one that verifies. `fallback` is for keys that name no algorithm.
    pub(super) fn verifying_key(&self, fallback: &[Algorithm]) -> Result<VerifyingKey, Refused> {
        self.check_use("verify")?;
        let algorithm = self.algorithm(fallback)?;
        let key = match algorithm.family() {
            Family::Hmac => VerifyingKey::hmac(algorithm, &self.bytes("k", "`k` is missing")?)?,
            Family::P256 | Family::P384 => {
                let point = self.point(algorithm)?;
                VerifyingKey::public(algorithm, &PublicMaterial::Point(&point))?
            }
            Family::Ed25519 => {
                let x = self.bytes("x", "`x` is missing")?;
                VerifyingKey::public(algorithm, &PublicMaterial::Ed25519(&x))?
            }
            Family::RsaPkcs1 | Family::RsaPss => {
                self.check_two_primes()?;
                let (n, e) = (
                    self.bytes("n", "`n` is missing")?,
                    self.bytes("e", "`e` is missing")?,
                );
                VerifyingKey::public(algorithm, &PublicMaterial::Rsa { n: &n, e: &e })?
            }
        };
        Ok(match self.text("kid")? {
            Some(id) => key.with_id(id),
            None => key,
        })
    }

    /// The key as one that signs.
    pub(super) fn signing_key(&self) -> Result<SigningKey, Refused> {
        self.check_use("sign")?;
        let algorithm = self.algorithm(&[])?;
        let private = "the key has no private part";
        let key = match algorithm.family() {
            Family::Hmac => SigningKey::hmac(algorithm, &self.bytes("k", "`k` is missing")?)?,
            Family::P256 | Family::P384 => {
                let (d, point) = (self.bytes("d", private)?, self.point(algorithm)?);
                if d.len() != algorithm.family().coordinate_len() {
                    return Err(
                        "the private part does not have its full length (RFC 7518 §6.2.2.1)",
                    );
                }
                let material = PrivateMaterial::Ec {
                    d: &d,
                    point: &point,
                };
                SigningKey::private(algorithm, &material)?
            }
            Family::Ed25519 => {
                let (seed, public) = (
                    self.bytes("d", private)?,
                    self.bytes("x", "`x` is missing")?,
                );
                let material = PrivateMaterial::Ed25519 {
                    seed: &seed,
                    public: &public,
                };
                SigningKey::private(algorithm, &material)?
            }
            Family::RsaPkcs1 | Family::RsaPss => {
                self.check_two_primes()?;
                let parts = RsaComponents {
                    n: self.bytes("n", "`n` is missing")?,
                    e: self.bytes("e", "`e` is missing")?,
                    d: self.bytes("d", private)?,
                    p: self.bytes("p", "`p` is missing")?,
                    q: self.bytes("q", "`q` is missing")?,
                    dp: self.bytes("dp", "`dp` is missing")?,
                    dq: self.bytes("dq", "`dq` is missing")?,
                    qi: self.bytes("qi", "`qi` is missing")?,
                };
                SigningKey::private(algorithm, &PrivateMaterial::Rsa(&parts))?
            }
        };
        Ok(match self.text("kid")? {
            Some(id) => key.with_id(id),
            None => key,
        })
    }

    /// Whether `use` (RFC 7517 §4.2) and `key_ops` (§4.3) allow the operation, and agree.
    fn check_use(&self, operation: &str) -> Result<(), Refused> {
        let for_signatures = match self.text("use")? {
            None => false,
            Some("sig") => true,
            Some(_) => return Err("its `use` is not `sig`"),
        };
        let operations = match self.0.get("key_ops") {
            None => return Ok(()),
            Some(Value::Array(operations)) => operations,
            Some(_) => return Err("its `key_ops` are not a list"),
        };
        if !operations.iter().any(|it| it == operation) {
            return Err("its `key_ops` do not allow it");
        }
        let mut seen = HashSet::new();
        for it in operations {
            let name = it.as_str().ok_or("its `key_ops` are not all text")?;
            if !seen.insert(name) {
                return Err("its `key_ops` name one twice");
            }
            if for_signatures && !matches!(name, "sign" | "verify") {
                return Err("its `use` and `key_ops` contradict each other");
            }
        }
        Ok(())
    }

    /// RFC 7518 §6.3.2.7: who knows two primes alone does not use a key of more, for its public part
    /// either.
    fn check_two_primes(&self) -> Result<(), Refused> {
        match self.0.contains_key("oth") {
            true => Err("an RSA key of more than two primes is not supported"),
            false => Ok(()),
        }
    }

    /// The algorithm that the key names, or that the caller names for its type, or that its curve
    /// has.
    fn algorithm(&self, fallback: &[Algorithm]) -> Result<Algorithm, Refused> {
        let families: &[Family] = match (self.text("kty")?, self.text("crv")?) {
            (None, _) => return Err("`kty` is missing"),
            (Some("oct"), _) => &[Family::Hmac],
            (Some("RSA"), _) => &[Family::RsaPkcs1, Family::RsaPss],
            (Some("EC"), Some("P-256")) => &[Family::P256],
            (Some("EC"), Some("P-384")) => &[Family::P384],
            (Some("OKP"), Some("Ed25519")) => &[Family::Ed25519],
            (Some("EC" | "OKP"), _) => return Err("its curve is not supported"),
            (Some(_), _) => return Err("its type (`kty`) is not supported"),
        };
        let named = match self.text("alg")? {
            Some(name) => Some(name.parse().or(Err("its algorithm is not supported"))?),
            None => None,
        };
        let for_type = fallback
            .iter()
            .copied()
            .find(|it| families.contains(&it.family()));
        let of_curve = match families {
            [Family::P256] => Some(Algorithm::ES256),
            [Family::P384] => Some(Algorithm::ES384),
            [Family::Ed25519] => Some(Algorithm::EdDSA),
            _ => None,
        };
        let algorithm = named.or(for_type).or(of_curve);
        match algorithm {
            None => Err("it names no algorithm (`alg`), and none is named for its type"),
            Some(algorithm) if families.contains(&algorithm.family()) => Ok(algorithm),
            Some(_) => Err("its algorithm does not fit its type or curve"),
        }
    }

    /// The uncompressed point of an EC key. Coordinates have their full length (RFC 7518 §6.2.1.2).
    fn point(&self, algorithm: Algorithm) -> Result<Vec<u8>, Refused> {
        let len = algorithm.family().coordinate_len();
        let mut point = vec![4];
        for (name, missing) in [("x", "`x` is missing"), ("y", "`y` is missing")] {
            let coordinate = self.bytes(name, missing)?;
            if coordinate.len() != len {
                return Err("a coordinate does not have its full length (RFC 7518 §6.2.1.2)");
            }
            point.extend_from_slice(&coordinate);
        }
        Ok(point)
    }

    fn text(&self, name: &str) -> Result<Option<&'a str>, Refused> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err("a member that has to be text is not"),
        }
    }

    /// They may be a key's private part.
    fn bytes(&self, name: &str, missing: Refused) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let text = self.text(name)?.ok_or(missing)?;
        base64_simd::URL_SAFE_NO_PAD
            .decode_to_vec(text)
            .map(Zeroizing::new)
            .or(Err("a member is not base64url"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_texts_are_wiped() {
        let mut jwks = json!({ "keys": [{ "k": "c2VjcmV0", "x": [["a"], { "y": "b" }], "n": 1 }] });
        wipe(&mut jwks);
        let wiped = json!({ "keys": [{ "k": "", "x": [[""], { "y": "" }], "n": 1 }] });
        assert_eq!(jwks, wiped);
    }
}
