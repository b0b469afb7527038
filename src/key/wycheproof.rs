//! Wycheproof's vectors of raw signatures and key policies, for the backend of this build.

use std::{fs, path::Path};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Algorithm, KeySet, VerifyingKey};

#[derive(Deserialize)]
struct File {
    algorithm: String,
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    key: Option<Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(rename = "tcId")]
    id: u32,
    comment: String,
    msg: String,
    sig: String,
    key: Option<String>,
    expected: String,
}

/// Verifies all cases of a file. Returns their number, and the ids of cases whose key is rejected.
fn run(name: &str) -> (usize, Vec<u32>) {
    let file: File = read(name);
    let algorithm: Algorithm = file.algorithm.parse().unwrap();
    let (mut verified, mut unusable, mut failures) = (0, Vec::new(), Vec::new());
    for group in &file.groups {
        for case in &group.cases {
            verified += 1;
            let key = match (&case.key, &group.key) {
                (Some(secret), _) => VerifyingKey::hmac(algorithm, &hex(secret)),
                (None, Some(jwk)) => {
                    let mut jwk = jwk.clone();
                    jwk["alg"] = json!(algorithm.as_str());
                    super::jwk::Jwk::of(&jwk).unwrap().verifying_key(&[])
                }
                (None, None) => panic!("case {} has no key", case.id),
            };
            let Ok(key) = key else {
                unusable.push(case.id);
                continue;
            };
            let accepted = key.verify(&hex(&case.msg), &hex(&case.sig));
            let wrong = match case.expected.as_str() {
                "accept" => !accepted,
                "reject" => accepted,
                "either" => false,
                other => panic!("{other}"),
            };
            if wrong {
                let (id, comment, expected) = (case.id, &case.comment, &case.expected);
                failures.push(format!("{id} {comment}: {expected} is expected"));
            }
        }
    }
    assert!(failures.is_empty(), "{name}: {failures:#?}");
    (verified, unusable)
}

#[test]
fn hmac_signatures_verify_as_expected() {
    // Three keys are shorter than the hash, which is a `ConfigError`.
    assert_eq!(run("wycheproof-hmac-hs256.json"), (87, vec![163, 164, 165]));
}

#[test]
fn ecdsa_signatures_verify_as_expected() {
    assert_eq!(run("wycheproof-ecdsa-es256.json"), (262, vec![]));
}

#[test]
fn ed25519_signatures_verify_as_expected() {
    assert_eq!(run("wycheproof-ed25519-eddsa.json"), (151, vec![]));
}

#[test]
fn rsa_pkcs1_signatures_verify_as_expected() {
    assert_eq!(run("wycheproof-rsa-rs256.json"), (259, vec![]));
}

#[test]
fn rsa_pss_signatures_verify_as_expected() {
    assert_eq!(run("wycheproof-rsa-ps256.json"), (108, vec![]));
}

#[derive(Deserialize)]
struct Policies {
    cases: Vec<Policy>,
}

#[derive(Deserialize)]
struct Policy {
    #[serde(rename = "tcId")]
    id: u32,
    comment: String,
    keys: Vec<Value>,
    jws: String,
    expected: String,
}

/// Cases with another result by choice of this project, with the reason.
const DEVIATIONS: &[(u32, &str)] = &[
    (
        1,
        "secrets and public keys may share a set: each has its own algorithm and no other",
    ),
    (
        4,
        "of two keys with one `kid` and one `alg` the first is used; the second is skipped and reported",
    ),
    (
        7,
        "keys are the operator's choice; they are not searched for the ROCA weakness",
    ),
];

#[test]
fn key_policies_decide_as_expected() {
    let file: Policies = read("wycheproof-jwk.json");
    assert_eq!(file.cases.len(), 26);
    let mut decided = Vec::new();
    for case in &file.cases {
        let (input, signature) = case.jws.rsplit_once('.').unwrap();
        let (header, _) = input.split_once('.').unwrap();
        let header: Value = serde_json::from_slice(&base64url(header)).unwrap();
        let fallback = [Algorithm::HS256, Algorithm::RS256];
        let set = json!({ "keys": case.keys }).to_string();
        let accepted = KeySet::from_jwks_with_algorithms(set, &fallback).is_ok_and(|keys| {
            let key = keys.select(header["kid"].as_str(), header["alg"].as_str().unwrap());
            key.is_ok_and(|key| key.verify(input.as_bytes(), &base64url(signature)))
        });
        let as_expected = accepted == (case.expected == "accept");
        let deviates = DEVIATIONS.iter().any(|(id, _)| *id == case.id);
        if as_expected == deviates {
            decided.push(format!(
                "{} {}: accepted is {accepted}",
                case.id, case.comment
            ));
        }
    }
    assert!(decided.is_empty(), "{decided:#?}");
}

fn read<T: DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(name);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
    let pairs = text.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| digit(pair[0]) * 16 + digit(pair[1]))
        .collect()
}

fn base64url(text: &str) -> Vec<u8> {
    base64_simd::URL_SAFE_NO_PAD
        .decode_to_vec(text)
        .unwrap_or_default()
}
