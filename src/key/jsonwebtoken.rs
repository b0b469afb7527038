//! Conversion of keys of the crate jsonwebtoken.

use jsonwebtoken::{
    Algorithm as TheirAlgorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey,
    jwk::JwkSet,
};
use zeroize::Zeroizing;

use super::{
    Algorithm, KeySet, Reason, SigningKey, VerifyingKey, der,
    encoded_key::{INVALID, UNFIT, private_of_pkcs8, public_of_spki},
};
use crate::error::ConfigError;

/// Converts a key of jsonwebtoken, from any of its constructors, for one algorithm.
///
/// A weak key is an error, even if jsonwebtoken accepts it: a secret shorter than the hash, an RSA
/// key under 2,048 bits.
///
/// # Examples
///
/// ```
/// use jsonwebtoken::DecodingKey;
/// use tower_session_token::{Algorithm, VerifyingKey};
///
/// let theirs = DecodingKey::from_ed_components("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")?;
/// let key = VerifyingKey::try_from((jsonwebtoken::Algorithm::EdDSA, &theirs))?;
/// assert_eq!(key.algorithm(), Algorithm::EdDSA);
/// assert!(VerifyingKey::try_from((jsonwebtoken::Algorithm::RS256, &theirs)).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl TryFrom<(TheirAlgorithm, &DecodingKey)> for VerifyingKey {
    type Error = ConfigError;

    fn try_from((algorithm, key): (TheirAlgorithm, &DecodingKey)) -> Result<Self, Self::Error> {
        verifying(algorithm, key).map_err(error)
    }
}

/// Converts a private key of jsonwebtoken, from any of its constructors, for one algorithm.
///
/// A weak key is an error, even if jsonwebtoken accepts it: a secret shorter than the hash, an RSA
/// key under 2,048 bits.
///
/// # Examples
///
/// ```
/// use jsonwebtoken::EncodingKey;
/// use tower_session_token::{Algorithm, SigningKey};
///
/// let theirs = EncodingKey::from_base64_secret("c2l4dGVlbiBieXRlcywgdHdpY2Ugb3ZlcjogMzIuLi4=")?;
/// let key = SigningKey::try_from((jsonwebtoken::Algorithm::HS256, &theirs))?;
/// assert_eq!(key.algorithm(), Algorithm::HS256);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl TryFrom<(TheirAlgorithm, &EncodingKey)> for SigningKey {
    type Error = ConfigError;

    fn try_from((algorithm, key): (TheirAlgorithm, &EncodingKey)) -> Result<Self, Self::Error> {
        signing(algorithm, key).map_err(error)
    }
}

/// Converts a JWK Set of jsonwebtoken, as [`KeySet::from_jwks`] does its JSON.
///
/// For keys without `alg`, use [`KeySet::from_jwks_with_algorithms`] on the set's JSON.
///
/// # Examples
///
/// ```
/// use jsonwebtoken::jwk::JwkSet;
/// use tower_session_token::KeySet;
///
/// let theirs: JwkSet = serde_json::from_str(
///     r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "2026-01",
///                   "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
/// )?;
/// assert_eq!(KeySet::try_from(&theirs)?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl TryFrom<&JwkSet> for KeySet {
    type Error = ConfigError;

    fn try_from(keys: &JwkSet) -> Result<Self, Self::Error> {
        let json = serde_json::to_vec(keys).map(Zeroizing::new);
        Self::from_jwks(&*json.or(Err(error(INVALID.into())))?)
    }
}

fn error(reason: Reason) -> ConfigError {
    ConfigError::new("jsonwebtoken", reason)
}

fn verifying(algorithm: TheirAlgorithm, key: &DecodingKey) -> Result<VerifyingKey, Reason> {
    let algorithm = algorithm_of(algorithm, key.family())?;
    let components;
    let encoded: &[u8] = match key.kind() {
        DecodingKeyKind::SecretOrDer(secret) if key.family() == AlgorithmFamily::Hmac => {
            return VerifyingKey::hmac(algorithm, secret);
        }
        DecodingKeyKind::SecretOrDer(der) if der::public_info(der).is_some() => {
            public_of_spki(algorithm, der)?
        }
        DecodingKeyKind::SecretOrDer(key) => key,
        DecodingKeyKind::RsaModulusExponent { n, e } => {
            components = der::of_integers([n, e]).ok_or(INVALID)?;
            &components
        }
    };
    Ok(VerifyingKey::public(algorithm, encoded)?)
}

fn signing(algorithm: TheirAlgorithm, key: &EncodingKey) -> Result<SigningKey, Reason> {
    let algorithm = algorithm_of(algorithm, key.family())?;
    let bytes = key.as_bytes();
    let encoded = match key.family() {
        AlgorithmFamily::Hmac => return SigningKey::hmac(algorithm, bytes),
        _ if der::private_info(bytes).is_some() => private_of_pkcs8(algorithm, bytes)?,
        _ => bytes,
    };
    Ok(SigningKey::private(algorithm, encoded)?)
}

/// Converts an algorithm, which must be of the key's family.
fn algorithm_of(algorithm: TheirAlgorithm, family: AlgorithmFamily) -> Result<Algorithm, Reason> {
    if algorithm.family() != family {
        return Err(UNFIT.into());
    }
    let name = serde_json::to_value(algorithm).ok();
    let own = name.and_then(|name| name.as_str()?.parse().ok());
    own.ok_or("the algorithm is not supported".into())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::key::tests::{der, file, jwk};

    const SECRET: &[u8] = &[7; 64];

    /// The content of a PEM file's `SubjectPublicKeyInfo`, which jsonwebtoken's PEM constructors
    /// extract.
    fn bits(name: &str) -> Vec<u8> {
        let spki = der(&format!("{name}.public.pem"));
        der::public_info(&spki).unwrap().1.to_vec()
    }

    /// jsonwebtoken accepts these forms unchecked.
    #[test]
    fn other_forms_of_der_are_the_same_keys() {
        let rsa: fn(&[u8]) -> DecodingKey = DecodingKey::from_rsa_der;
        for (algorithm, name, verifying) in [
            ("RS256", "rsa", rsa),
            ("ES256", "p256", DecodingKey::from_ec_der),
            ("ES384", "p384", DecodingKey::from_ec_der),
            ("EdDSA", "ed25519", DecodingKey::from_ed_der),
        ] {
            let verifying = verifying(&der(&format!("{name}.public.pem")));
            let key = VerifyingKey::try_from((algorithm.parse().unwrap(), &verifying)).unwrap();
            let pem = file(&format!("{name}.public.pem"));
            let own = VerifyingKey::from_pem(algorithm.parse().unwrap(), pem).unwrap();
            assert_eq!(key, own, "{name}");
        }
        for (algorithm, name, signing) in [
            (
                "RS256",
                "rsa",
                EncodingKey::from_rsa_der(&der("rsa.private.pem")),
            ),
            (
                "ES256",
                "p256",
                EncodingKey::from_ec_der(&der("p256.sec1.private.pem")),
            ),
        ] {
            let key = SigningKey::try_from((algorithm.parse().unwrap(), &signing)).unwrap();
            let pem = file(&format!("{name}.private.pem"));
            let own = SigningKey::from_pem(algorithm.parse().unwrap(), pem).unwrap();
            assert_eq!(key.verifying_key(), own.verifying_key(), "{name}");
        }
    }

    #[test]
    fn a_key_that_cannot_be_converted_is_an_error() {
        use TheirAlgorithm::{ES256, EdDSA, HS256, HS512, RS256};

        let point = jwk("p384.public");
        let (x, y) = (point["x"].as_str().unwrap(), point["y"].as_str().unwrap());
        for (algorithm, key, reason) in [
            (HS256, DecodingKey::from_ec_der(&bits("p256")), UNFIT),
            (RS256, DecodingKey::from_secret(SECRET).unwrap(), UNFIT),
            (ES256, DecodingKey::from_rsa_der(&bits("rsa")), UNFIT),
            (
                ES256,
                DecodingKey::from_ec_der(&der("p384.public.pem")),
                UNFIT,
            ),
            (
                ES256,
                DecodingKey::from_ec_components(x, y).unwrap(),
                INVALID,
            ),
            (ES256, DecodingKey::from_ec_der(b"not a key"), INVALID),
            (EdDSA, DecodingKey::from_ed_der(&bits("p256")), INVALID),
            (EdDSA, DecodingKey::from_ed_der(&[0; 32]), "small order"),
            (
                RS256,
                DecodingKey::from_rsa_der(&bits("rsa1024")),
                "2,048 bits",
            ),
            (
                HS512,
                DecodingKey::from_secret(&[7; 63]).unwrap(),
                "63 bytes",
            ),
            (
                HS256,
                DecodingKey::from_secret(file("p256.public.pem").as_bytes()).unwrap(),
                "a key",
            ),
        ] {
            let error = VerifyingKey::try_from((algorithm, &key)).unwrap_err();
            assert_eq!(error.option(), "jsonwebtoken");
            assert!(error.reason().contains(reason), "{algorithm:?}: {error}");
        }
        for (algorithm, key, reason) in [
            (HS256, EncodingKey::from_ed_der(&[7; 64]), UNFIT),
            (EdDSA, EncodingKey::from_ed_der(&[7; 32]), INVALID),
            (
                EdDSA,
                EncodingKey::from_ed_der(&der("p256.private.pem")),
                UNFIT,
            ),
            (
                ES256,
                EncodingKey::from_ec_der(&der("ed25519.private.pem")),
                UNFIT,
            ),
            (
                RS256,
                EncodingKey::from_rsa_der(&der("rsa1024.private.pem")),
                "2,048 bits",
            ),
            (RS256, EncodingKey::from_rsa_der(b""), INVALID),
            (
                HS256,
                EncodingKey::from_secret(b"short").unwrap(),
                "5 bytes",
            ),
        ] {
            let error = SigningKey::try_from((algorithm, &key)).unwrap_err();
            assert_eq!(error.option(), "jsonwebtoken");
            assert!(error.reason().contains(reason), "{algorithm:?}: {error}");
        }
    }

    #[test]
    fn a_converted_set_equals_the_set_of_its_json() {
        let names = ["rsa", "p256", "p384", "ed25519"];
        let mut keys = Vec::from(names.map(|name| jwk(&format!("{name}.public"))));
        keys.extend([
            json!({ "kty": "oct", "k": "c2hvcnQ", "alg": "HS256" }),
            json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": "AQ" }),
            json!({ "kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB", "alg": "RS256" }),
        ]);
        let json: Value = json!({ "keys": keys });
        let theirs: JwkSet = serde_json::from_value(json.clone()).unwrap();
        let keys = KeySet::try_from(&theirs).unwrap();
        assert_eq!(keys, KeySet::from_jwks(json.to_string()).unwrap());
        assert_eq!(keys.len(), 4);
        let skipped: Vec<_> = keys.skipped().iter().map(|key| key.position()).collect();
        assert_eq!(skipped, [5, 6, 7]);
        let none = JwkSet { keys: Vec::new() };
        assert_eq!(
            KeySet::try_from(&none).unwrap_err().reason(),
            "there is no key in the set"
        );
    }
}
