//! Keys that change while requests run.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::{Value, json};
use tower_session_token::{
    KeySet, KeyStore, Limits, SessionErrorKind as Kind, SessionVerifier, SigningKey, TokenType,
    User, VerifyingKey, testing::TestIssuer,
};

use crate::support::{AUDIENCE, ISSUER, claims, now, rejection, sign};

fn key(id: &str) -> SigningKey {
    let byte = id.bytes().next().unwrap();
    SigningKey::hs256([byte; 32]).unwrap().with_id(id)
}

fn set(ids: &[&str]) -> KeySet {
    KeySet::new(ids.iter().map(|id| key(id).verifying_key())).unwrap()
}

fn token(id: &str) -> String {
    issue(key(id))
}

fn issue(key: SigningKey) -> String {
    let issuer = TestIssuer::with_key(key).issuer(ISSUER).audience(AUDIENCE);
    issuer.clock().set(now());
    issuer.token(User::new("ann")).issue()
}

fn verifier(store: &KeyStore) -> SessionVerifier {
    SessionVerifier::builder()
        .keys(store.clone())
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .clock(now)
        .build()
        .unwrap()
}

#[test]
fn verifiers_that_share_keys_keep_their_own_rules() {
    // What a header said is remembered beside the keys, so it is shared as well.
    let store = KeyStore::new(set(&["a"]));
    let builder = || {
        SessionVerifier::builder()
            .keys(store.clone())
            .issuer(ISSUER)
            .audience(AUDIENCE)
            .clock(now)
    };
    let lenient = builder()
        .accept_type(TokenType::Session)
        .accept_type(TokenType::Jwt)
        .build()
        .unwrap();
    let strict = builder().limits(Limits::default().with_nesting(2));
    let strict = strict.build().unwrap();
    let issuer = TestIssuer::with_key(key("a"));
    let signed = |header: &str| issuer.sign_raw(header, claims(&json!({})).to_string());
    for (header, rejected) in [
        (
            r#"{"alg":"HS256","typ":"JWT","kid":"a"}"#,
            Kind::TokenUnacceptable,
        ),
        (
            r#"{"alg":"HS256","typ":"session+jwt","kid":"a","x":{"y":{}}}"#,
            Kind::TokenMalformed,
        ),
    ] {
        let token = signed(header);
        for _ in 0..2 {
            assert_eq!(rejection(&lenient, &token), None, "{header}");
            assert_eq!(rejection(&strict, &token), Some(rejected), "{header}");
        }
    }
}

#[test]
fn keys_rotate_from_old_through_both_to_new() {
    let store = KeyStore::new(set(&["old"]));
    let verifier = verifier(&store);
    let (old, new) = (token("old"), token("new"));
    assert_eq!(rejection(&verifier, &old), None);
    assert_eq!(rejection(&verifier, &new), Some(Kind::TokenUnacceptable));
    let first = store.generation();
    store.replace(set(&["old", "new"]));
    assert_eq!(rejection(&verifier, &old), None);
    assert_eq!(rejection(&verifier, &new), None);
    store.replace(set(&["new"]));
    assert_eq!(rejection(&verifier, &old), Some(Kind::TokenUnacceptable));
    assert_eq!(rejection(&verifier, &new), None);
    assert_eq!(store.generation(), first + 2);
}

#[test]
fn an_algorithm_is_rotated_as_a_key_is() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys");
    let pem = std::fs::read_to_string(path.join("p256.private.pem")).unwrap();
    let (old, new) = (
        key("old"),
        SigningKey::es256_pem(pem).unwrap().with_id("new"),
    );
    let of =
        |keys: &[&SigningKey]| KeySet::new(keys.iter().map(|key| key.verifying_key())).unwrap();
    let store = KeyStore::new(of(&[&old, &new]));
    let verifier = verifier(&store);
    let [of_old, of_new] = [&old, &new].map(|key| issue(key.clone()));
    assert_eq!(rejection(&verifier, &of_old), None);
    assert_eq!(rejection(&verifier, &of_new), None);
    store.replace(of(&[&new]));
    assert_eq!(rejection(&verifier, &of_old), Some(Kind::TokenUnacceptable));
    assert_eq!(rejection(&verifier, &of_new), None);
}

#[test]
fn concurrent_requests_are_verified_with_one_set_or_the_other() {
    let store = KeyStore::new(set(&["old", "new"]));
    let verifier = verifier(&store);
    let (old, new) = (token("old"), token("new"));
    let withdrawn = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    // Read before the request: what is withdrawn by now must be rejected.
                    let after = withdrawn.load(Ordering::SeqCst);
                    let rejected = rejection(&verifier, &old);
                    assert!(!after || rejected == Some(Kind::TokenUnacceptable));
                    assert_eq!(rejection(&verifier, &new), None);
                }
            });
        }
        // An equal set would not be a swap.
        for other in ["a", "b"].into_iter().cycle().take(200) {
            store.replace(set(&["old", "new", other]));
        }
        store.replace(set(&["new"]));
        withdrawn.store(true, Ordering::SeqCst);
    });
    assert_eq!(rejection(&verifier, &old), Some(Kind::TokenUnacceptable));
}

#[test]
fn kid_selects_the_key() {
    let one =
        KeyStore::new(KeySet::new([VerifyingKey::hs256(crate::support::SECRET).unwrap()]).unwrap());
    let named = KeyStore::new(
        KeySet::new([VerifyingKey::hs256(crate::support::SECRET)
            .unwrap()
            .with_id("k")])
        .unwrap(),
    );
    let several = KeyStore::new(
        KeySet::new([
            VerifyingKey::hs256(crate::support::SECRET)
                .unwrap()
                .with_id("k"),
            VerifyingKey::hs256([9; 32]).unwrap().with_id("l"),
        ])
        .unwrap(),
    );
    for (name, store, kid, want) in [
        ("one without an id", &one, None, None),
        ("one without an id", &one, Some("x"), None),
        ("one with an id", &named, None, None),
        ("one with an id", &named, Some("k"), None),
        (
            "one with an id",
            &named,
            Some("K"),
            Some(Kind::TokenUnacceptable),
        ),
        ("several", &several, None, Some(Kind::TokenUnacceptable)),
        ("several", &several, Some("k"), None),
        ("several", &several, Some("l"), Some(Kind::SignatureInvalid)),
        ("several", &several, Some(""), Some(Kind::TokenUnacceptable)),
        (
            "several",
            &several,
            Some("../../dev/null"),
            Some(Kind::TokenUnacceptable),
        ),
    ] {
        let mut header = json!({ "alg": "HS256", "typ": "session+jwt" });
        if let Some(kid) = kid {
            header["kid"] = json!(kid);
        }
        let token = sign(&header, &claims(&json!({})).to_string());
        assert_eq!(rejection(&verifier(store), &token), want, "{name}, {kid:?}");
    }
    let detail = |store: &KeyStore, header: Value| {
        let token = sign(&header, &claims(&json!({})).to_string());
        let error = verifier(store).verify(token.as_bytes()).unwrap_err();
        error.to_string()
    };
    for (header, want) in [
        (
            json!({ "alg": "HS256" }),
            "it names no key (`kid`), and this service has several",
        ),
        (
            json!({ "alg": "HS256", "kid": "x" }),
            "its key (`kid`) is not one of this service's",
        ),
        (
            json!({ "alg": "HS384", "kid": "k" }),
            "its algorithm (`alg`) is not that of the key",
        ),
    ] {
        let error = detail(&several, header);
        assert!(error.ends_with(want), "{error}");
    }
}
