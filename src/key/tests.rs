//! Decoding of keys, and rejection of weak and invalid ones.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::{Algorithm, KeySet, SelectError, SigningKey, VerifyingKey};
use crate::error::ConfigError;

pub(super) fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/keys")
        .join(name);
    fs::read_to_string(path).unwrap()
}

pub(super) fn jwk(name: &str) -> Value {
    serde_json::from_str(&file(&format!("{name}.jwk.json"))).unwrap()
}

/// Changes members of a JWK; `null` removes one.
fn with(mut jwk: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => jwk.as_object_mut().unwrap().remove(name),
            value => jwk
                .as_object_mut()
                .unwrap()
                .insert(name.clone(), value.clone()),
        };
    }
    jwk
}

type FromPem<K> = fn(String) -> Result<K, ConfigError>;

fn signing_constructors() -> Vec<(Algorithm, &'static str, FromPem<SigningKey>)> {
    vec![
        (Algorithm::ES256, "p256", SigningKey::es256_pem),
        (Algorithm::ES384, "p384", SigningKey::es384_pem),
        (Algorithm::EdDSA, "ed25519", SigningKey::ed25519_pem),
        (Algorithm::RS256, "rsa", SigningKey::rs256_pem),
        (Algorithm::RS384, "rsa", SigningKey::rs384_pem),
        (Algorithm::RS512, "rsa", SigningKey::rs512_pem),
        (Algorithm::PS256, "rsa", SigningKey::ps256_pem),
        (Algorithm::PS384, "rsa", SigningKey::ps384_pem),
        (Algorithm::PS512, "rsa", SigningKey::ps512_pem),
    ]
}

fn verifying_constructors() -> Vec<(Algorithm, &'static str, FromPem<VerifyingKey>)> {
    vec![
        (Algorithm::ES256, "p256", VerifyingKey::es256_pem),
        (Algorithm::ES384, "p384", VerifyingKey::es384_pem),
        (Algorithm::EdDSA, "ed25519", VerifyingKey::ed25519_pem),
        (Algorithm::RS256, "rsa", VerifyingKey::rs256_pem),
        (Algorithm::RS384, "rsa", VerifyingKey::rs384_pem),
        (Algorithm::RS512, "rsa", VerifyingKey::rs512_pem),
        (Algorithm::PS256, "rsa", VerifyingKey::ps256_pem),
        (Algorithm::PS384, "rsa", VerifyingKey::ps384_pem),
        (Algorithm::PS512, "rsa", VerifyingKey::ps512_pem),
    ]
}

const MESSAGE: &[u8] = b"a message";

#[test]
fn a_public_key_verifies_signatures_of_its_private_key() {
    let pairs = signing_constructors()
        .into_iter()
        .zip(verifying_constructors());
    for ((algorithm, name, sign), (same, _, verify)) in pairs {
        assert_eq!(algorithm, same);
        let signing = sign(file(&format!("{name}.private.pem"))).unwrap();
        let verifying = verify(file(&format!("{name}.public.pem"))).unwrap();
        let of_jwk = with(
            jwk(&format!("{name}.public")),
            &json!({ "alg": algorithm.as_str() }),
        );
        let of_jwk = VerifyingKey::from_jwk(of_jwk.to_string()).unwrap();
        let private_jwk = with(
            jwk(&format!("{name}.private")),
            &json!({ "alg": algorithm.as_str() }),
        );
        let private_of_jwk = SigningKey::from_jwk(private_jwk.to_string()).unwrap();
        assert_eq!(of_jwk.id(), Some(name));
        for signing in [signing, private_of_jwk] {
            assert_eq!(signing.algorithm(), algorithm);
            let signature = signing.sign(MESSAGE).unwrap();
            let own = signing.verifying_key();
            for key in [&verifying, &of_jwk, &own] {
                assert_eq!(key.algorithm(), algorithm);
                assert!(key.verify(MESSAGE, &signature), "{algorithm}");
                assert!(!key.verify(b"something else", &signature), "{algorithm}");
                assert!(!key.verify(MESSAGE, &signature[1..]), "{algorithm}");
                assert!(!key.verify(MESSAGE, b""), "{algorithm}");
            }
        }
    }
}

/// RFC 8017 §5.2.2 (1): a signature plus the modulus is not a signature, or a token would have two
/// encodings.
#[test]
fn an_rsa_signature_above_the_modulus_is_rejected() {
    let modulus = octets(&jwk("rsa.public"), "n");
    for (algorithm, name, sign) in signing_constructors() {
        if name != "rsa" {
            continue;
        }
        let key = sign(file("rsa.private.pem")).unwrap();
        // About one sum in two is too long, depending on the message and the salt.
        let (message, sum) = (0..200_u8)
            .find_map(|at| {
                let signature = key.sign(&[at]).unwrap();
                let mut carry = 0;
                let mut sum: Vec<_> = signature
                    .iter()
                    .zip(&modulus)
                    .rev()
                    .map(|(a, b)| {
                        let digit = u16::from(*a) + u16::from(*b) + carry;
                        carry = digit >> 8;
                        u8::try_from(digit & 0xff).unwrap()
                    })
                    .collect();
                sum.reverse();
                (carry == 0).then_some(([at], sum))
            })
            .unwrap();
        assert!(!key.verifying_key().verify(&message, &sum), "{algorithm}");
    }
}

/// R and S each have the length of a coordinate, even if they begin with zeros (RFC 7518 §3.4).
#[test]
fn an_ecdsa_signature_keeps_its_leading_zeros() {
    let es256: FromPem<SigningKey> = SigningKey::es256_pem;
    for (name, new, len) in [("p256", es256, 32), ("p384", SigningKey::es384_pem, 48)] {
        let key = new(file(&format!("{name}.private.pem"))).unwrap();
        let signed = (0..10_000_u32).find_map(|number| {
            let message = number.to_be_bytes();
            let signature = key.sign(&message).unwrap();
            assert_eq!(signature.len(), 2 * len, "{name}");
            let starts_with_zero = signature[0] == 0 || signature[len] == 0;
            starts_with_zero.then_some((message, signature))
        });
        let (message, signature) = signed.unwrap();
        assert!(key.verifying_key().verify(&message, &signature), "{name}");
    }
}

#[test]
fn older_forms_of_private_keys_are_the_same_keys() {
    for (algorithm, name, new) in signing_constructors() {
        let old = match name {
            "rsa" => "rsa.pkcs1.private.pem".to_owned(),
            "ed25519" => continue,
            curve => format!("{curve}.sec1.private.pem"),
        };
        let old = new(file(&old)).unwrap();
        let signature = old.sign(MESSAGE).unwrap();
        let new = new(file(&format!("{name}.private.pem"))).unwrap();
        assert!(
            new.verifying_key().verify(MESSAGE, &signature),
            "{algorithm}"
        );
    }
}

#[test]
fn the_older_form_of_a_public_key_is_the_same_key() {
    let signature = SigningKey::rs256_pem(file("rsa.private.pem"))
        .map(|key| key.sign(MESSAGE).unwrap())
        .unwrap();
    let key = VerifyingKey::rs256_pem(file("rsa.pkcs1.public.pem")).unwrap();
    assert!(key.verify(MESSAGE, &signature));
    for new in [VerifyingKey::es256_pem, VerifyingKey::ed25519_pem] {
        assert!(new(file("rsa.pkcs1.public.pem")).is_err());
    }
}

#[test]
fn a_secret_verifies_its_own_signatures() {
    for (algorithm, key) in [
        (Algorithm::HS256, SigningKey::hs256([1; 32])),
        (Algorithm::HS384, SigningKey::hs384([1; 48])),
        (Algorithm::HS512, SigningKey::hs512([1; 64])),
    ] {
        let key = key.unwrap().with_id("k");
        assert_eq!(
            (key.algorithm(), key.verifying_key().id()),
            (algorithm, Some("k"))
        );
        let signature = key.sign(MESSAGE).unwrap();
        assert!(key.verifying_key().verify(MESSAGE, &signature));
        assert!(!key.verifying_key().verify(MESSAGE, &signature[..16]));
    }
    let jwk =
        json!({ "kty": "oct", "k": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE", "alg": "HS256" });
    let of_jwk = SigningKey::from_jwk(jwk.to_string()).unwrap();
    let plain = VerifyingKey::hs256([1; 32]).unwrap();
    assert!(plain.verify(MESSAGE, &of_jwk.sign(MESSAGE).unwrap()));
}

#[test]
fn a_pem_key_must_fit_its_constructor() {
    let garbage = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    let cut = file("p256.public.pem").replace("-----END PUBLIC KEY-----", "");
    let two = file("p256.public.pem") + &file("p256.public.pem");
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (algorithm, own, new) in verifying_constructors() {
        for name in ["rsa", "p256", "p384", "ed25519"] {
            let got = new(file(&format!("{name}.public.pem")));
            assert_eq!(got.is_ok(), name == own, "{name} for {algorithm}");
            let error = new(file(&format!("{name}.private.pem"))).unwrap_err();
            assert!(
                error
                    .to_string()
                    .contains("a private key, but a public one"),
                "{error}"
            );
        }
        for (text, why) in [
            (garbage, "the key"),
            (certificate, "holds no key"),
            (&*cut, "PEM"),
            (&*two, "several sections"),
            ("", "there is no PEM section"),
            ("not PEM", "there is no PEM section"),
        ] {
            let error = new(text.to_owned()).unwrap_err();
            assert!(error.to_string().contains(why), "{algorithm}: {error}");
            assert!(error.option().ends_with("_pem"));
        }
    }
    for (algorithm, own, new) in signing_constructors() {
        for name in ["rsa", "p256", "p384", "ed25519"] {
            let got = new(file(&format!("{name}.private.pem")));
            assert_eq!(got.is_ok(), name == own, "{name} for {algorithm}");
            let error = new(file(&format!("{name}.public.pem"))).unwrap_err();
            assert!(
                error
                    .to_string()
                    .contains("a public key, but a private one"),
                "{error}"
            );
        }
    }
}

#[test]
fn weak_rsa_keys_are_rejected() {
    let weak = |error: ConfigError| {
        assert!(error.to_string().contains("2,048 bits"), "{error}");
    };
    for (_, name, new) in verifying_constructors() {
        if name == "rsa" {
            weak(new(file("rsa1024.public.pem")).unwrap_err());
        }
    }
    for (_, name, new) in signing_constructors() {
        if name == "rsa" {
            weak(new(file("rsa1024.private.pem")).unwrap_err());
            weak(new(file("rsa1024.pkcs1.private.pem")).unwrap_err());
        }
    }
    weak(VerifyingKey::from_jwk(file("rsa1024.public.jwk.json")).unwrap_err());
}

pub(super) fn octets(jwk: &Value, member: &str) -> Vec<u8> {
    let text = jwk[member].as_str().unwrap();
    base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).unwrap()
}

fn base64url(bytes: &[u8]) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// The decoded content of a PEM file.
pub(super) fn der(name: &str) -> Vec<u8> {
    let text = file(name);
    let lines = text.lines().filter(|line| !line.starts_with("-----"));
    base64_simd::STANDARD
        .decode_to_vec(lines.collect::<String>())
        .unwrap()
}

fn pem(label: &str, der: &[u8]) -> String {
    let content = base64_simd::STANDARD.encode_to_string(der);
    format!("-----BEGIN {label}-----\n{content}\n-----END {label}-----\n")
}

/// `bytes` with `to` in the one place where `from` is.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut places = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(from));
    let at = places.next().unwrap();
    assert_eq!(places.next(), None);
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

fn why<K: std::fmt::Debug>(result: Result<K, ConfigError>) -> String {
    let error = result.map_or_else(
        |error| error.to_string(),
        |key| format!("{key:?} is accepted"),
    );
    error
        .split_once("_pem: ")
        .map_or(error.clone(), |(_, why)| why.to_owned())
}

const UNFIT: &str = "the key does not fit the algorithm";
const INVALID: &str = "the key is invalid";

#[test]
fn a_pem_section_with_the_wrong_label_is_rejected() {
    let spki = |name: &str| der(&format!("{name}.public.pem"));
    let pkcs8 = |name: &str| der(&format!("{name}.private.pem"));
    let and_more = |der: Vec<u8>| [der, vec![0]].concat();
    let point = spki("p256")[26..].to_vec();
    let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
    let es256: FromPem<VerifyingKey> = VerifyingKey::es256_pem;
    let (rs256, ed25519) = (VerifyingKey::rs256_pem, VerifyingKey::ed25519_pem);
    for (row, new, label, der) in [
        ("a point", es256, "PUBLIC KEY", point),
        ("a compressed point", es256, "PUBLIC KEY", compressed),
        (
            "a raw key",
            ed25519,
            "PUBLIC KEY",
            spki("ed25519")[12..].to_vec(),
        ),
        ("PKCS#1", rs256, "PUBLIC KEY", der("rsa.pkcs1.public.pem")),
        ("SPKI as PKCS#1", rs256, "RSA PUBLIC KEY", spki("rsa")),
        ("PKCS#8", es256, "PUBLIC KEY", pkcs8("p256")),
        ("EC and more", es256, "PUBLIC KEY", and_more(spki("p256"))),
        ("RSA and more", rs256, "PUBLIC KEY", and_more(spki("rsa"))),
        (
            "Ed25519 and more",
            ed25519,
            "PUBLIC KEY",
            and_more(spki("ed25519")),
        ),
        (
            "EC cut short",
            es256,
            "PUBLIC KEY",
            spki("p256")[..40].to_vec(),
        ),
        ("nothing", es256, "PUBLIC KEY", vec![]),
    ] {
        assert_eq!(why(new(pem(label, &der))), INVALID, "{row}");
    }
    let es256: FromPem<SigningKey> = SigningKey::es256_pem;
    let (rs256, ed25519) = (SigningKey::rs256_pem, SigningKey::ed25519_pem);
    for (row, new, label, der) in [
        ("SEC1", es256, "PRIVATE KEY", der("p256.sec1.private.pem")),
        ("PKCS#1", rs256, "PRIVATE KEY", der("rsa.pkcs1.private.pem")),
        ("SPKI", es256, "PRIVATE KEY", spki("p256")),
        ("PKCS#8 as SEC1", es256, "EC PRIVATE KEY", pkcs8("p256")),
        ("PKCS#8 as PKCS#1", rs256, "RSA PRIVATE KEY", pkcs8("rsa")),
        ("EC and more", es256, "PRIVATE KEY", and_more(pkcs8("p256"))),
        ("RSA and more", rs256, "PRIVATE KEY", and_more(pkcs8("rsa"))),
        (
            "Ed25519 and more",
            ed25519,
            "PRIVATE KEY",
            and_more(pkcs8("ed25519")),
        ),
        (
            "EC cut short",
            es256,
            "PRIVATE KEY",
            pkcs8("p256")[..40].to_vec(),
        ),
        ("nothing", es256, "PRIVATE KEY", vec![]),
    ] {
        assert_eq!(why(new(pem(label, &der))), INVALID, "{row}");
    }
}

#[test]
fn a_point_of_small_order_with_a_trailing_byte_is_rejected() {
    let own = der("ed25519.public.pem");
    let neutral = [&[1][..], &[0; 31]].concat();
    let spki = replaced(&own, &octets(&jwk("ed25519.public"), "x"), &neutral);
    let why_of = |der: &[u8]| why(VerifyingKey::ed25519_pem(pem("PUBLIC KEY", der)));
    assert_eq!(why_of(&spki), "the Ed25519 point is of small order");
    assert_eq!(why_of(&[spki, vec![9]].concat()), INVALID);
}

#[test]
fn a_key_of_another_algorithm_does_not_fit() {
    for (algorithm, own, new) in verifying_constructors() {
        for name in ["rsa", "p256", "p384", "ed25519"] {
            if name != own {
                let why = why(new(file(&format!("{name}.public.pem"))));
                assert_eq!(why, UNFIT, "{name} for {algorithm}");
            }
        }
        // An RSA key restricted to PSS with SHA-512 fits no algorithm.
        let why = why(new(file("rsa_pss.public.pem")));
        assert_eq!(why, UNFIT, "{algorithm}");
    }
    for (algorithm, own, new) in signing_constructors() {
        for name in [
            "rsa",
            "rsa.pkcs1",
            "p256",
            "p256.sec1",
            "p384",
            "p384.sec1",
            "ed25519",
            "rsa_pss",
        ] {
            if name.split('.').next() != Some(own) {
                let why = why(new(file(&format!("{name}.private.pem"))));
                assert_eq!(why, UNFIT, "{name} for {algorithm}");
            }
        }
    }
}

#[test]
fn a_private_pem_with_mismatched_parts_is_rejected() {
    let (own, other) = (jwk("p256.private"), der("p256_other.public.pem"));
    let point = [octets(&own, "x"), octets(&own, "y")].concat();
    let rsa = jwk("rsa.private");
    for (form, label) in [("p256", "PRIVATE KEY"), ("p256.sec1", "EC PRIVATE KEY")] {
        let der = replaced(&der(&format!("{form}.private.pem")), &point, &other[27..]);
        assert_eq!(
            why(SigningKey::es256_pem(pem(label, &der))),
            INVALID,
            "{form}"
        );
    }
    for (form, label) in [("rsa", "PRIVATE KEY"), ("rsa.pkcs1", "RSA PRIVATE KEY")] {
        for member in ["n", "d", "p", "q", "dp", "dq", "qi"] {
            let good = octets(&rsa, member);
            let mut bad = good.clone();
            *bad.last_mut().unwrap() ^= 2;
            let der = replaced(&der(&format!("{form}.private.pem")), &good, &bad);
            let why = why(SigningKey::rs256_pem(pem(label, &der)));
            assert_eq!(why, INVALID, "{form}, {member}");
        }
    }
}

/// The reason why a public JWK is rejected; empty if it is accepted.
fn rejection(jwk: &Value) -> String {
    VerifyingKey::from_jwk(jwk.to_string())
        .map_or_else(|error| error.to_string(), |_| String::new())
}

#[test]
fn a_public_jwk_is_read_strictly() {
    let (rsa, p256, p384) = (jwk("rsa.public"), jwk("p256.public"), jwk("p384.public"));
    let ed = jwk("ed25519.public");
    let secret =
        json!({ "kty": "oct", "k": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE", "alg": "HS256" });
    let x = p256["x"].as_str().unwrap();
    let mut even = octets(&rsa, "n");
    *even.last_mut().unwrap() &= 0xfe;
    for (jwk, changes, why) in [
        (
            &rsa,
            json!({ "use": "sig", "key_ops": ["sign", "verify"], "x5c": [] }),
            "",
        ),
        (&rsa, json!({ "key_ops": [] }), ""),
        (&rsa, json!({ "use": "sig", "key_ops": [] }), ""),
        (&rsa, json!({ "crv": 5, "x": [], "k": {}, "d": 1 }), ""),
        (&rsa, json!({ "crv": "P-256", "y": "AQ" }), ""),
        (&p256, json!({ "n": 5, "e": [], "oth": [{}] }), ""),
        (&ed, json!({ "y": 5 }), ""),
        (&secret, json!({ "crv": 5, "oth": [{}], "x": 5 }), ""),
        (&p256, json!({ "crv": 5 }), "`crv` is not text"),
        (&rsa, json!({ "ours": { "x": [] } }), ""),
        (&rsa, json!({ "use": "enc" }), "`use` is not `sig`"),
        (&rsa, json!({ "use": "SIG" }), "`use` is not `sig`"),
        (&rsa, json!({ "use": 1 }), "text"),
        (&rsa, json!({ "key_ops": ["sign"] }), "`key_ops`"),
        (&rsa, json!({ "key_ops": "verify" }), "not a list"),
        (&rsa, json!({ "key_ops": ["verify", "encrypt"] }), ""),
        (&rsa, json!({ "key_ops": ["verify", 1] }), "text"),
        (&rsa, json!({ "key_ops": ["verify", "verify"] }), "twice"),
        (
            &rsa,
            json!({ "key_ops": ["encrypt", "verify", "encrypt"] }),
            "twice",
        ),
        (
            &rsa,
            json!({ "use": "sig", "key_ops": ["encrypt", "verify"] }),
            "contradict",
        ),
        (&rsa, json!({ "oth": [] }), ""),
        (&rsa, json!({ "oth": [{}] }), "two primes"),
        (&rsa, json!({ "oth": "AQAB" }), "two primes"),
        (&rsa, json!({ "alg": null }), "names no algorithm"),
        (&rsa, json!({ "alg": "ES256" }), "does not fit"),
        (&rsa, json!({ "alg": "HS256" }), "does not fit"),
        (&rsa, json!({ "alg": "none" }), "not supported"),
        (&rsa, json!({ "alg": "RS1" }), "not supported"),
        (&rsa, json!({ "alg": "rs256" }), "not supported"),
        (&rsa, json!({ "alg": 5 }), "text"),
        (&rsa, json!({ "kid": 5 }), "text"),
        (&rsa, json!({ "n": null }), "`n` is missing"),
        (&rsa, json!({ "e": null }), "`e` is missing"),
        (&rsa, json!({ "e": "AQ" }), "under 3"),
        (&rsa, json!({ "e": "Ag" }), "even"),
        (&rsa, json!({ "e": "" }), "under 3"),
        (&rsa, json!({ "e": "AQAAAAAB" }), "32 bits"),
        (&rsa, json!({ "n": "AQAB" }), "2,048 bits"),
        (&rsa, json!({ "n": base64url(&even) }), "even"),
        (&rsa, json!({ "n": "not base64url!" }), "base64url"),
        (&rsa, json!({ "kty": "EC" }), "curve"),
        (&rsa, json!({ "kty": null }), "`kty` is missing"),
        (&rsa, json!({ "kty": "XX" }), "not supported"),
        (&rsa, json!({ "kty": "rsa" }), "not supported"),
        (&p256, json!({ "alg": null }), ""),
        (&p256, json!({ "alg": "ES384" }), "does not fit"),
        (&p256, json!({ "crv": "P-384" }), "does not fit"),
        (&p256, json!({ "crv": "P-384", "alg": null }), "full length"),
        (&p256, json!({ "crv": "P-521", "alg": "ES512" }), "curve"),
        (&p256, json!({ "crv": "secp256k1" }), "curve"),
        (&p256, json!({ "crv": null }), "curve"),
        (&p256, json!({ "x": null }), "`x` is missing"),
        (&p256, json!({ "y": null }), "`y` is missing"),
        (&p256, json!({ "x": format!("{x}=") }), "base64url"),
        (&p256, json!({ "x": "AQ" }), "full length"),
        (&p256, json!({ "y": x }), "invalid"),
        (&p384, json!({ "alg": null }), ""),
        (&p384, json!({ "y": null }), "`y` is missing"),
        (&ed, json!({ "alg": null }), ""),
        (&ed, json!({ "alg": "Ed25519" }), ""),
        (&ed, json!({ "alg": "ES256" }), "does not fit"),
        (&ed, json!({ "crv": "Ed448" }), "curve"),
        (&ed, json!({ "crv": "X25519" }), "curve"),
        (&ed, json!({ "crv": null }), "curve"),
        (&ed, json!({ "x": null }), "`x` is missing"),
        (&ed, json!({ "x": "AQ" }), "invalid"),
        (&ed, json!({ "kty": "EC" }), "curve"),
        (&secret, json!({}), ""),
        (&secret, json!({ "k": "AQ" }), "shorter"),
        (&secret, json!({ "k": "" }), "shorter"),
        (&secret, json!({ "alg": "HS512" }), "shorter"),
        (&secret, json!({ "alg": null }), "names no algorithm"),
        (&secret, json!({ "k": null }), "`k` is missing"),
    ] {
        let got = rejection(&with(jwk.clone(), &changes));
        assert_eq!(got.is_empty(), why.is_empty(), "{changes}: {got}");
        assert!(got.contains(why), "{changes}: {got}");
    }
    for (text, reason) in [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ("null", "not a JSON object"),
        ("\"x\"", "not a JSON object"),
        (r#"{"keys":[]}"#, "it is a JWK Set"),
    ] {
        let error = VerifyingKey::from_jwk(text).unwrap_err();
        assert_eq!(error.option(), "from_jwk");
        assert!(error.reason().contains(reason), "{text}: {error}");
    }
}

/// The last of two members with one name is used (RFC 7517 §4).
#[test]
fn the_last_of_two_equal_members_of_a_jwk_is_used() {
    let good = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
    let key = |first, last| format!(r#"{{"kty":"oct","alg":"HS256","k":"{first}","k":"{last}"}}"#);
    assert!(VerifyingKey::from_jwk(key("AQ", good)).is_ok());
    assert!(VerifyingKey::from_jwk(key(good, "AQ")).is_err());
    let set = |first: &str, last: &str| format!(r#"{{"keys":[{first}],"keys":[{last}]}}"#);
    assert!(KeySet::from_jwks(set("", &key("AQ", good))).is_ok());
    assert!(KeySet::from_jwks(set(&key("AQ", good), "")).is_err());
}

#[test]
fn a_private_jwk_with_mismatched_parts_is_rejected() {
    let (rsa, p256, ed) = (
        jwk("rsa.private"),
        jwk("p256.private"),
        jwk("ed25519.private"),
    );
    let padded = base64url(&[vec![0], octets(&p256, "d")].concat());
    let other_p256 = json!({ "d": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE" });
    for (jwk, changes, why) in [
        (&rsa, json!({}), ""),
        (&rsa, json!({ "key_ops": ["verify"] }), "`key_ops`"),
        (&rsa, json!({ "d": null }), "no private part"),
        (&rsa, json!({ "d": "AQAB" }), "invalid"),
        (&rsa, json!({ "dp": "AQAB" }), "invalid"),
        (&rsa, json!({ "dq": "AQAB" }), "invalid"),
        (&rsa, json!({ "qi": "AQAB" }), "invalid"),
        (&rsa, json!({ "p": rsa["q"] }), "invalid"),
        (&rsa, json!({ "qi": null }), "`qi` is missing"),
        (&rsa, json!({ "oth": [] }), ""),
        (&rsa, json!({ "oth": [{}] }), "two primes"),
        (&rsa, json!({ "key_ops": [], "crv": 5 }), ""),
        (&p256, other_p256, "invalid"),
        (&p256, json!({ "d": null }), "no private part"),
        (&p256, json!({ "d": "AQ" }), "full length"),
        (&p256, json!({ "d": "" }), "full length"),
        (&p256, json!({ "d": padded }), "full length"),
        (
            &ed,
            json!({ "d": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE" }),
            "invalid",
        ),
        (&ed, json!({ "d": null }), "no private part"),
        (&ed, json!({ "d": "AQ" }), "invalid"),
    ] {
        let got = SigningKey::from_jwk(with(jwk.clone(), &changes).to_string());
        let got = got.map_or_else(|error| error.to_string(), |_| String::new());
        assert_eq!(got.is_empty(), why.is_empty(), "{changes}: {got}");
        assert!(got.contains(why), "{changes}: {got}");
    }
}

fn set(keys: &[Value], algorithms: &[Algorithm]) -> Result<KeySet, ConfigError> {
    KeySet::from_jwks_with_algorithms(json!({ "keys": keys }).to_string(), algorithms)
}

#[test]
fn an_unusable_key_of_a_set_is_skipped_and_reported() {
    let (rsa, p256, ed) = (jwk("rsa.public"), jwk("p256.public"), jwk("ed25519.public"));
    let keys = set(
        &[
            with(rsa.clone(), &json!({ "use": "enc" })),
            p256.clone(),
            p256.clone(),
            with(ed.clone(), &json!({ "kid": null })),
            json!("no object"),
            ed.clone(),
        ],
        &[],
    )
    .unwrap();
    assert_eq!(keys.len(), 2);
    let skipped: Vec<_> = keys.skipped().iter().map(ToString::to_string).collect();
    assert_eq!(
        skipped,
        [
            "key 1 is skipped: its `use` is not `sig`",
            "key 3 is skipped: a key before it has the same `kid` and `alg`",
            "key 4 is skipped: it has no `kid`, and other keys are usable",
            "key 5 is skipped: it is not a JSON object",
        ]
    );
    assert_eq!(keys.skipped()[1].position(), 3);
    assert_eq!(
        keys.skipped()[1].reason(),
        "a key before it has the same `kid` and `alg`"
    );

    let more = json!({ "keys": [ed], "ours": { "keys": [] } }).to_string();
    assert_eq!(KeySet::from_jwks(more).unwrap().len(), 1);

    // A single usable key needs no `kid`.
    let one = set(
        &[with(p256.clone(), &json!({ "kid": null })), json!({})],
        &[],
    )
    .unwrap();
    assert!(one.select(None, "ES256").is_ok() && one.select(Some("any"), "ES256").is_ok());
}

#[test]
fn a_key_without_alg_gets_the_default_of_its_type() {
    let rsa = with(jwk("rsa.public"), &json!({ "alg": null }));
    let p256 = with(jwk("p256.public"), &json!({ "alg": null }));
    assert!(set(std::slice::from_ref(&rsa), &[]).is_err());
    let keys = set(
        &[rsa.clone(), p256.clone()],
        &[Algorithm::PS256, Algorithm::HS256],
    )
    .unwrap();
    assert!(keys.select(Some("rsa"), "PS256").is_ok());
    assert!(keys.select(Some("p256"), "ES256").is_ok());
    let ed = with(jwk("ed25519.public"), &json!({ "alg": null }));
    let keys = set(std::slice::from_ref(&ed), &[Algorithm::Ed25519]).unwrap();
    assert!(keys.select(None, "Ed25519").is_ok());
    let error = set(&[rsa], &[Algorithm::RS256, Algorithm::PS256]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("two algorithms are for the same type"),
        "{error}"
    );
    assert_eq!(error.option(), "algorithms");
}

#[test]
fn a_set_without_usable_keys_is_rejected_with_reasons() {
    let keys = [
        json!({ "kty": "oct", "k": "c2VjcmV0", "alg": "HS256" }),
        json!({ "kty": "XX" }),
    ];
    let error = set(&keys, &[]).unwrap_err().to_string();
    assert!(
        error.contains("key 1 is skipped: the secret is shorter"),
        "{error}"
    );
    assert!(error.contains("key 2 is skipped: its type"), "{error}");
    assert!(
        !error.contains("c2VjcmV0") && !error.contains("secret\""),
        "{error}"
    );
    assert!(
        set(&[], &[])
            .unwrap_err()
            .to_string()
            .contains("there is no key")
    );
    for (text, reason) in [
        ("", "not JSON"),
        ("<html>", "not JSON"),
        ("\u{feff}", "not JSON"),
        ("{}", "no list `keys`"),
        ("[]", "no list `keys`"),
        (r#"{"keys":null}"#, "no list `keys`"),
        (r#"{"keys":{}}"#, "no list `keys`"),
        (r#"{"keys":"c2VjcmV0"}"#, "no list `keys`"),
        (r#"{"kty":"oct","k":"c2VjcmV0"}"#, "a single JWK"),
    ] {
        let error = KeySet::from_jwks(text).unwrap_err();
        assert_eq!(error.option(), "jwks");
        assert!(error.reason().contains(reason), "{text}: {error}");
        assert!(!error.to_string().contains("c2VjcmV0"), "{error}");
    }
}

#[test]
fn keys_of_a_set_must_be_distinguishable() {
    let key = |id: &str| VerifyingKey::hs256([1; 32]).unwrap().with_id(id);
    let anonymous = VerifyingKey::hs256([1; 32]).unwrap();
    for (keys, why) in [
        (vec![], "no key is given"),
        (vec![key("a"), anonymous.clone()], "has no id"),
        (vec![key("a"), key("a")], "the same id and algorithm"),
    ] {
        let error = KeySet::new(keys).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    assert!(KeySet::new([anonymous]).is_ok());
}

#[test]
fn a_set_can_have_a_hundred_thousand_keys() {
    let secret = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
    let keys: Vec<_> = (0..100_000)
        .map(|number| json!({ "kty": "oct", "k": secret, "alg": "HS256", "kid": number.to_string() }))
        .collect();
    let keys = set(&keys, &[]).unwrap();
    assert_eq!(keys.len(), 100_000);
    let key = keys.select(Some("99999"), "HS256").unwrap();
    assert_eq!(key.id(), Some("99999"));
    let unknown = keys.select(Some("100000"), "HS256");
    assert_eq!(unknown, Err(SelectError::KidUnknown));
}

#[test]
fn kid_and_alg_together_select_a_key() {
    let rsa = |id: &str, algorithm| {
        let key = VerifyingKey::from_pem(algorithm, file("rsa.public.pem"));
        key.unwrap().with_id(id)
    };
    let keys = KeySet::new([
        rsa("a", Algorithm::RS512),
        rsa("b", Algorithm::PS256),
        rsa("a", Algorithm::RS256),
    ])
    .unwrap();
    assert_eq!(keys.len(), 3);
    for (kid, alg, selected) in [
        (Some("a"), "RS256", Ok(Algorithm::RS256)),
        (Some("a"), "RS512", Ok(Algorithm::RS512)),
        (Some("b"), "PS256", Ok(Algorithm::PS256)),
        (Some("b"), "RS256", Err(SelectError::AlgorithmMismatch)),
        (Some("a"), "none", Err(SelectError::AlgorithmMismatch)),
        (Some("a"), "", Err(SelectError::AlgorithmMismatch)),
        (Some(""), "RS256", Err(SelectError::KidUnknown)),
        (Some("aa"), "RS256", Err(SelectError::KidUnknown)),
        (Some("c"), "RS256", Err(SelectError::KidUnknown)),
        (None, "RS256", Err(SelectError::KidMissing)),
    ] {
        let got = keys.select(kid, alg).map(VerifyingKey::algorithm);
        assert_eq!(got, selected, "{kid:?} {alg}");
    }
    let mismatch = Err(SelectError::AlgorithmMismatch);
    let named = KeySet::new([rsa("a", Algorithm::RS256)]).unwrap();
    assert!(named.select(Some("a"), "RS256").is_ok() && named.select(None, "RS256").is_ok());
    assert_eq!(named.select(None, "RS512"), mismatch);
    assert_eq!(
        named.select(Some("b"), "RS256"),
        Err(SelectError::KidUnknown)
    );
    let key = VerifyingKey::hs256([1; 32]).unwrap();
    let unnamed = KeySet::new([key]).unwrap();
    assert!(unnamed.select(Some("any"), "HS256").is_ok());
    assert_eq!(unnamed.select(Some("any"), "HS512"), mismatch);
}

#[test]
fn keys_with_one_kid_and_different_algorithms_are_all_usable() {
    let rsa = jwk("rsa.public");
    let of = |algorithm: &str| with(rsa.clone(), &json!({ "alg": algorithm }));
    let keys = set(&[of("RS256"), of("RS512"), of("RS256")], &[]).unwrap();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys.skipped().len(), 1);
    assert_eq!(keys.skipped()[0].position(), 3);
    for alg in ["RS256", "RS512"] {
        assert!(keys.select(Some("rsa"), alg).is_ok(), "{alg}");
    }
}

#[test]
fn a_member_that_is_null_counts_as_absent() {
    for name in ["rsa", "p256", "ed25519"] {
        let mut nulls = jwk(&format!("{name}.public"));
        for member in [
            "alg", "kid", "use", "key_ops", "oth", "crv", "x", "y", "n", "e", "k", "d", "x5c",
            "x5t", "x5u", "ours",
        ] {
            let members = nulls.as_object_mut().unwrap();
            let required = matches!(member, "crv" | "x" | "y" | "n" | "e" | "alg");
            if !(required && members.contains_key(member)) {
                members.insert(member.to_owned(), Value::Null);
            }
        }
        let key = VerifyingKey::from_jwk(nulls.to_string()).unwrap();
        assert_eq!(key.id(), None, "{name}");
        let null = with(nulls, &json!({ "kty": "RSA" })).to_string();
        let null = null.replace(r#""kty":"RSA""#, r#""kty":null"#);
        assert!(rejection(&serde_json::from_str(&null).unwrap()).contains("`kty` is missing"));
    }
}

#[test]
fn a_byte_order_mark_in_front_is_ignored() {
    let key = jwk("p256.public").to_string();
    let own = VerifyingKey::from_jwk(&key).unwrap();
    assert_eq!(
        VerifyingKey::from_jwk(format!("\u{feff}{key}")).unwrap(),
        own
    );
    let keys = KeySet::from_jwks(format!("\u{feff}{{\"keys\":[{key}]}}")).unwrap();
    assert_eq!(keys, KeySet::new([own]).unwrap());
    let private = jwk("p256.private").to_string();
    assert!(SigningKey::from_jwk(format!("\u{feff}{private}")).is_ok());
    assert!(VerifyingKey::from_jwk(format!("\u{feff}\u{feff}{key}")).is_err());
}

#[test]
fn a_generated_key_signs_and_its_public_part_is_exported() {
    for name in [
        "HS256", "HS384", "HS512", "ES256", "ES384", "RS256", "PS512", "EdDSA", "Ed25519",
    ] {
        let algorithm = name.parse::<Algorithm>().unwrap();
        let key = SigningKey::generate(algorithm).unwrap();
        assert_eq!((key.algorithm(), key.id()), (algorithm, None));
        let public = key.verifying_key();
        let other = SigningKey::generate(algorithm).unwrap().verifying_key();
        assert_ne!(public, other, "{name}");
        let signature = key.sign(MESSAGE).unwrap();
        assert!(public.verify(MESSAGE, &signature) && !other.verify(MESSAGE, &signature));
        let Some(jwk) = public.to_jwk() else {
            assert!(name.starts_with("HS") && public.thumbprint().is_none());
            continue;
        };
        let read = VerifyingKey::from_jwk(jwk).unwrap();
        assert_eq!(read, public);
        assert!(read.verify(MESSAGE, &signature), "{name}");
    }
}

#[test]
fn an_exported_jwk_has_public_members_only() {
    for (algorithm, name, new) in signing_constructors() {
        let id = "a \"quoted\" \\ id";
        let key = new(file(&format!("{name}.private.pem"))).unwrap();
        let json = key.with_id(id).verifying_key().to_jwk().unwrap();
        let value: Value = serde_json::from_str(&json).unwrap();
        let own = jwk(&format!("{name}.public"));
        for (member, value) in value.as_object().unwrap() {
            match member.as_str() {
                "kid" => assert_eq!(value, id),
                "alg" => assert_eq!(value, algorithm.as_str()),
                "use" => assert_eq!(value, "sig"),
                "kty" | "crv" | "x" | "y" | "n" | "e" => assert_eq!(*value, own[member]),
                other => panic!("{other}"),
            }
        }
        assert_eq!(VerifyingKey::from_jwk(json).unwrap().id(), Some(id));
    }
}

#[test]
fn an_exported_set_omits_secrets() {
    let secret = VerifyingKey::hs256([1; 32]).unwrap().with_id("secret");
    let public = VerifyingKey::es256_pem(file("p256.public.pem"))
        .unwrap()
        .with_id("public");
    let keys = KeySet::new([secret.clone(), public.clone()]).unwrap();
    let read = KeySet::from_jwks(keys.to_jwks()).unwrap();
    assert_eq!(read, KeySet::new([public]).unwrap());
    let secrets = KeySet::new([secret]).unwrap();
    assert_eq!(secrets.to_jwks(), r#"{"keys":[]}"#);
}

/// RFC 7638 §3.1, RFC 8037 §A.3.
#[test]
fn thumbprints_equal_those_of_the_specifications() {
    let rsa = json!({
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tS\
              oc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65Y\
              GjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdk\
              t-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqD\
              Kgw",
        "e": "AQAB",
        "alg": "RS256",
        "kid": "2011-04-29",
    });
    let ed25519 = json!({
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    for (jwk, thumbprint) in [
        (rsa, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        (ed25519, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
    ] {
        let key = VerifyingKey::from_jwk(jwk.to_string()).unwrap();
        assert_eq!(key.thumbprint().as_deref(), Some(thumbprint));
    }
    // The thumbprint does not depend on algorithm and id.
    let key = |algorithm| VerifyingKey::from_pem(algorithm, file("rsa.public.pem")).unwrap();
    let (one, other) = (key(Algorithm::RS256), key(Algorithm::PS512).with_id("a"));
    assert_eq!(one.thumbprint(), other.thumbprint());
}

#[test]
fn keys_are_equal_by_algorithm_id_and_material() {
    let pem = || file("ed25519.public.pem");
    let key = VerifyingKey::ed25519_pem(pem()).unwrap();
    assert_eq!(
        key,
        VerifyingKey::from_pem(Algorithm::EdDSA, pem()).unwrap()
    );
    assert_ne!(
        key,
        VerifyingKey::from_pem(Algorithm::Ed25519, pem()).unwrap()
    );
    assert_ne!(key, key.clone().with_id("a"));
    assert_ne!(
        key,
        SigningKey::generate(Algorithm::EdDSA)
            .unwrap()
            .verifying_key()
    );
    let secret = |byte| VerifyingKey::hs256([byte; 32]).unwrap();
    assert_eq!(secret(1), secret(1));
    assert_ne!(secret(1), secret(2));
    assert_ne!(secret(1), key);

    let (a, b) = (secret(1).with_id("a"), secret(2).with_id("b"));
    let set = |keys: &[&VerifyingKey]| KeySet::new(keys.iter().copied().cloned()).unwrap();
    assert_eq!(set(&[&a, &b]), set(&[&b, &a]));
    assert_ne!(set(&[&a, &b]), set(&[&a]));
    assert_ne!(set(&[&a, &b]), set(&[&a, &secret(1).with_id("b")]));
}

#[test]
fn a_pem_key_gets_the_named_algorithm() {
    for (algorithm, name, _) in verifying_constructors() {
        let public = file(&format!("{name}.public.pem"));
        let private = file(&format!("{name}.private.pem"));
        let verifying = VerifyingKey::from_pem(algorithm, &public).unwrap();
        let signing = SigningKey::from_pem(algorithm, &private).unwrap();
        assert_eq!(signing.verifying_key(), verifying, "{algorithm}");
        for wrong in [Algorithm::HS256, Algorithm::HS512] {
            let error = VerifyingKey::from_pem(wrong, &public).unwrap_err();
            assert_eq!((error.option(), error.reason()), ("from_pem", UNFIT));
            let error = SigningKey::from_pem(wrong, &private).unwrap_err();
            assert_eq!((error.option(), error.reason()), ("from_pem", UNFIT));
        }
    }
    let key = SigningKey::from_pem(Algorithm::Ed25519, file("ed25519.private.pem")).unwrap();
    assert_eq!(key.algorithm(), Algorithm::Ed25519);
}

#[test]
fn text_around_a_pem_key_is_ignored() {
    let key = file("p256.sec1.private.pem");
    let parameters =
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    let latin1 = [b"friendlyName: Schl\xfcssel\n", key.as_bytes()].concat();
    assert!(SigningKey::es256_pem(latin1).is_ok());
    for text in [
        format!("{parameters}{key}"),
        format!("\u{feff}{key}"),
        key.replace('\n', "\r\n"),
        format!("Bag Attributes\n{key}and more\n"),
    ] {
        assert!(SigningKey::es256_pem(&text).is_ok(), "{text}");
    }
    for (text, reason) in [
        (key.replace("END EC", "END RSA"), "broken"),
        (key.replace("-----END", "-----"), "broken"),
        (key.replace('=', "!"), "broken"),
        (format!("{key}{key}"), "several sections"),
        (parameters.to_owned(), "there is no PEM section"),
        (key.replace("EC PRIVATE", "ENCRYPTED PRIVATE"), "encrypted"),
        (
            key.replace("KEY-----\nM", "KEY-----\nProc-Type: 4,ENCRYPTED\n\nM"),
            "encrypted",
        ),
    ] {
        let error = SigningKey::es256_pem(&text).unwrap_err();
        assert!(error.reason().contains(reason), "{error}: {text}");
    }
}

#[test]
fn a_short_secret_is_rejected_with_its_length() {
    let error = VerifyingKey::hs384([1; 47]).unwrap_err();
    assert_eq!(error.option(), "hs384");
    assert!(
        error
            .reason()
            .ends_with("47 bytes, but HS384 needs 48 or more"),
        "{error}"
    );
    assert_eq!(error, SigningKey::hs384([1; 47]).unwrap_err());
}
