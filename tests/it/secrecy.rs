//! Searches everything printable for tokens, keys and claims while every vector and some valid tokens
//! pass through verifier and layer.

use std::{collections::BTreeSet, error::Error, fs, path::Path, process::Command, time::Duration};

use chrono::DateTime;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use serde_json::{Value, json};
use tower_session_token::{
    Algorithm, KeySet, KeyStore, Limits, Revocation, RevocationList, Session, SessionIssuer,
    SessionLayer, SessionToken, SessionVerifier, SigningKey, TokenType, User, VerifyingKey,
};

use crate::{
    printed::{
        Printed, add_bytes, add_jwk, add_token, everywhere, layer, only_secret, print_answer,
        print_answers, print_requests, print_verifier, sources,
    },
    support::{AUDIENCE, ISSUER, builder, claims, good_token, now, session, sign, token, verifier},
};

fn read(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(name);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn standard_base64(text: &str) -> Vec<u8> {
    base64_simd::STANDARD.decode_to_vec(text).unwrap()
}

#[test]
fn nothing_of_the_hostile_and_odd_tokens_is_printed() {
    let judged = ["jws-visible.json", "rfc-examples.json"].map(|file| {
        let file = read(file);
        let cases = file["cases"].as_array().unwrap();
        cases
            .iter()
            .filter(|case| is_safe(case, &file["keys"]))
            .count()
    });
    assert_eq!(judged, [285, 42]);
}

/// Panics if something is printed; `false` if the algorithm is not supported.
fn is_safe(case: &Value, keys: &Value) -> bool {
    let name = case["name"].as_str().unwrap();
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let algorithms = case["config"]["algorithms"].as_array().unwrap();
    let algorithms: Vec<Algorithm> = algorithms
        .iter()
        .filter_map(|name| name.as_str().unwrap().parse().ok())
        .collect();
    if algorithms.is_empty() {
        return false;
    }
    let keys: Vec<_> = case["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| &keys[id.as_str().unwrap()])
        .collect();
    let config = &case["config"];
    let (issuer, audience) = (text(&config["issuer"]), text(&config["audience"]));
    let at = case["now"].as_i64().unwrap();
    let set = json!({ "keys": keys }).to_string();
    let set = KeySet::from_jwks_with_algorithms(set, &algorithms).unwrap();
    let printed = Printed::default();
    printed.debug(&set);
    let store = KeyStore::new(set);
    printed.debug(&store);
    let mut builder = SessionVerifier::builder()
        .keys(store)
        .leeway(Duration::from_secs(
            config["leeway_seconds"].as_u64().unwrap(),
        ))
        .limits(Limits::default().with_token_bytes(
            usize::try_from(config["max_token_bytes"].as_u64().unwrap()).unwrap(),
        ))
        .accept_type(match config["typ"].as_str() {
            Some(typ) => typ.parse().unwrap(),
            None => TokenType::Jwt,
        })
        .clock(move || DateTime::from_timestamp(at, 0).unwrap());
    builder = match &issuer {
        Some(issuer) => builder.issuer(issuer),
        None => builder.any_issuer(),
    };
    builder = match &audience {
        Some(audience) => builder.audience(audience),
        None => builder.any_audience(),
    };
    printed.debug(&builder);
    let verifier = builder.build().unwrap();

    let mut secrets = BTreeSet::new();
    keys.iter().for_each(|key| add_jwk(&mut secrets, key));
    let token = match (case["token"].as_str(), case["token_b64"].as_str()) {
        (Some(token), _) => Some(token.as_bytes().to_vec()),
        (_, Some(token)) => Some(standard_base64(token)),
        _ => None,
    };
    match token {
        Some(token) => {
            add_token(&mut secrets, &token);
            print_verifier(&printed, &verifier, &token);
            print_requests(&printed, &verifier, &token);
        }
        None => {
            let mut headers = HeaderMap::new();
            for field in case["headers"].as_array().unwrap() {
                let value = standard_base64(field[1].as_str().unwrap());
                if field[0]
                    .as_str()
                    .unwrap()
                    .eq_ignore_ascii_case("authorization")
                {
                    let words = value.split(|byte| matches!(byte, b' ' | b','));
                    words.for_each(|word| add_token(&mut secrets, word));
                }
                if let Ok(value) = HeaderValue::from_bytes(&value) {
                    let field: HeaderName = field[0].as_str().unwrap().parse().unwrap();
                    headers.append(field, value);
                }
            }
            print_answers(&printed, &verifier, &headers);
        }
    }
    let ids = keys.iter().filter_map(|key| key["kid"].as_str());
    let configured: Vec<_> = ids
        .chain(issuer.as_deref())
        .chain(audience.as_deref())
        .chain(["authorization", "Basic", "Bearer"])
        .collect();
    only_secret(&mut secrets, &configured);
    printed.assert_holds_none_of(&secrets, name);
    true
}

#[test]
fn nothing_of_wycheproof_s_tokens_and_keys_is_printed() {
    let mut tokens = 0;
    let signatures = read("wycheproof-jws.json");
    for group in signatures["groups"].as_array().unwrap() {
        let algorithms = group["algorithms"].as_array().unwrap();
        for case in group["cases"].as_array().unwrap() {
            let name = format!("wycheproof-jws {}", case["tcId"]);
            let keys = std::slice::from_ref(&group["key"]);
            print_wycheproof(&name, keys, algorithms, &case["jws"]);
            tokens += 1;
        }
    }
    for case in read("wycheproof-jwk.json")["cases"].as_array().unwrap() {
        let name = format!("wycheproof-jwk {}", case["tcId"]);
        print_wycheproof(&name, case["keys"].as_array().unwrap(), &[], &case["jws"]);
        tokens += 1;
    }
    assert!(tokens > 400, "{tokens}");
}

fn print_wycheproof(name: &str, keys: &[Value], algorithms: &[Value], token: &Value) {
    let algorithms: Vec<Algorithm> = algorithms
        .iter()
        .filter_map(|name| name.as_str()?.parse().ok())
        .collect();
    let token = token.as_str().unwrap().as_bytes();
    let (mut secrets, printed) = (BTreeSet::new(), Printed::default());
    add_token(&mut secrets, token);
    for key in keys {
        add_jwk(&mut secrets, key);
        match VerifyingKey::from_jwk(key.to_string()) {
            Ok(key) => printed.debug(&key),
            Err(error) => printed.error(&error),
        }
        match SigningKey::from_jwk(key.to_string()) {
            Ok(key) => printed.debug(&key),
            Err(error) => printed.error(&error),
        }
    }
    match KeySet::from_jwks_with_algorithms(json!({ "keys": keys }).to_string(), &algorithms) {
        Ok(set) => {
            printed.debug(&set);
            let verifier = SessionVerifier::builder()
                .keys(set)
                .any_issuer()
                .any_audience()
                .accept_type(TokenType::Jwt)
                .build()
                .unwrap();
            print_verifier(&printed, &verifier, token);
            let headers = everywhere(token).pop().unwrap();
            print_answer(&printed, &layer(&verifier), &headers);
        }
        Err(error) => printed.error(&error),
    }
    let ids: Vec<_> = keys.iter().filter_map(|key| key["kid"].as_str()).collect();
    only_secret(&mut secrets, &ids);
    printed.assert_holds_none_of(&secrets, name);
}

/// A string that occurs nowhere by chance, and is valid in any claim.
fn marker(name: &str) -> String {
    format!("Marker-of-{name}")
}

fn marked_claims(more: &Value) -> Value {
    let mut marked = serde_json::Map::new();
    for name in [
        "sub",
        "sid",
        "jti",
        "client_id",
        "name",
        "preferred_username",
        "server",
        "instance",
        "scope",
        "x",
        "azp",
    ] {
        marked.insert(name.to_owned(), json!(marker(name)));
    }
    marked.insert("email".to_owned(), json!([{ "deep": marker("email") }]));
    let mut claims = claims(&marked.into());
    crate::support::change(&mut claims, more);
    claims
}

/// Valid tokens, and tokens rejected for each reason that is checked after the signature.
#[test]
fn nothing_of_a_signed_token_is_printed() {
    let past = json!({ "exp": crate::support::NOW - 3600, "iat": crate::support::NOW - 7200 });
    for (name, typ, more) in [
        ("good", "session+jwt", json!({})),
        (
            "nested",
            "nested-session+jwt",
            json!({
                "act": { "sub": marker("actor"), "sid": marker("actor-sid"), "client_id": marker("actor-app"),
                    "act": { "sub": marker("innermost") } },
            }),
        ),
        ("of others", "JWT", json!({ "sid": null, "jti": null })),
        ("expired", "session+jwt", past),
        (
            "early",
            "session+jwt",
            json!({ "nbf": crate::support::NOW + 3600 }),
        ),
        (
            "another issuer",
            "session+jwt",
            json!({ "iss": marker("iss") }),
        ),
        (
            "another audience",
            "session+jwt",
            json!({ "aud": [marker("aud"), marker("aud-2")] }),
        ),
        (
            "a wrong type",
            "session+jwt",
            json!({ "exp": marker("exp") }),
        ),
        (
            "a wrong offset",
            "session+jwt",
            json!({ "utc_offset": marker("utc_offset") }),
        ),
        (
            "a wrong actor",
            "nested-session+jwt",
            json!({ "act": marker("act") }),
        ),
        (
            "a wrong kind",
            "session+jwt",
            json!({ "client_kind": marker("client_kind") }),
        ),
        (
            "a wrong level",
            "session+jwt",
            json!({ "access_level": marker("access_level") }),
        ),
        (
            "a wrong culture",
            "session+jwt",
            json!({ "locale": marker("locale!") }),
        ),
        (
            "a wrong zone",
            "session+jwt",
            json!({ "zoneinfo": marker("zone info") }),
        ),
        (
            "bound",
            "session+jwt",
            json!({ "cnf": { "jkt": marker("cnf") } }),
        ),
        ("another type", &marker("typ"), json!({})),
    ] {
        let header = json!({ "alg": "HS256", "typ": typ, "x5u": marker("x5u") });
        let claims = marked_claims(&more);
        let token = sign(&header, &claims.to_string());
        let printed = Printed::default();
        let builder = [TokenType::Session, TokenType::NestedSession, TokenType::Jwt]
            .into_iter()
            .fold(builder(), |it, typ| it.accept_type(typ));
        printed.debug(&builder);
        let verifier = builder.build().unwrap();
        print_verifier(&printed, &verifier, token.as_bytes());
        for headers in everywhere(token.as_bytes()) {
            print_answers(&printed, &verifier, &headers);
        }
        // One character of the signature, and a string after it.
        let mut broken = token.clone();
        broken.replace_range(token.len() - 2.., "AA");
        print_verifier(&printed, &verifier, broken.as_bytes());
        print_verifier(
            &printed,
            &verifier,
            format!("{token}.{}", marker("more")).as_bytes(),
        );

        let mut secrets = BTreeSet::from(["Marker-of".to_owned()]);
        add_token(&mut secrets, token.as_bytes());
        add_token(&mut secrets, broken.as_bytes());
        add_bytes(&mut secrets, &crate::support::SECRET);
        only_secret(&mut secrets, &[ISSUER, AUDIENCE, "Иван Петров"]);
        printed.assert_holds_none_of(&secrets, name);
    }
}

#[test]
fn nothing_of_a_signing_key_is_printed() {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys");
    for name in ["ed25519", "p256", "p384", "rsa"] {
        let jwk = fs::read(keys.join(format!("{name}.private.jwk.json"))).unwrap();
        let pem = fs::read_to_string(keys.join(format!("{name}.private.pem"))).unwrap();
        let jwk: Value = serde_json::from_slice(&jwk).unwrap();
        let (mut secrets, printed) = (BTreeSet::new(), Printed::default());
        add_jwk(&mut secrets, &jwk);
        let lines = pem.lines().filter(|line| !line.starts_with("---"));
        secrets.extend(lines.map(ToOwned::to_owned));

        let key = SigningKey::from_jwk(jwk.to_string()).unwrap();
        printed.debug(&key);
        printed.debug(&key.verifying_key());
        let issuer = SessionIssuer::new(key.clone());
        printed.debug(&issuer);
        let builder = SessionToken::builder(User::new(marker("sub")).with_name(marker("name")))
            .issuer(ISSUER)
            .audience(AUDIENCE)
            .application_id(marker("client_id"))
            .claim("x", marker("x"))
            .issued_at(now())
            .lifetime(Duration::from_secs(600));
        printed.debug(&builder);
        let token = builder.build().unwrap();
        printed.debug(&token);
        let text = issuer.issue(&token).unwrap();
        let verifier = SessionVerifier::builder()
            .key(key.verifying_key())
            .issuer(ISSUER)
            .audience(AUDIENCE)
            .clock(now)
            .build()
            .unwrap();
        print_verifier(&printed, &verifier, text.as_bytes());
        add_token(&mut secrets, text.as_bytes());

        for broken in broken_jwks(&jwk) {
            for error in [
                SigningKey::from_jwk(&broken).err(),
                VerifyingKey::from_jwk(&broken).err(),
                KeySet::from_jwks(&broken).err(),
                KeySet::from_jwks(format!("{{\"keys\":[{broken}]}}")).err(),
            ] {
                error.iter().for_each(|error| printed.error(error));
            }
        }
        for pem in [
            pem.replacen('M', "!", 3),
            pem[..pem.len() / 2].to_owned(),
            pem.replace("PRIVATE", "PUBLIC"),
        ] {
            for error in [
                SigningKey::es256_pem(&pem).err(),
                SigningKey::ed25519_pem(&pem).err(),
                SigningKey::rs256_pem(&pem).err(),
                VerifyingKey::rs256_pem(&pem).err(),
                VerifyingKey::es256_pem(&pem).err(),
                VerifyingKey::hs256(&pem).err(),
            ] {
                error.iter().for_each(|error| printed.error(error));
            }
        }
        only_secret(&mut secrets, &[ISSUER, AUDIENCE]);
        printed.assert_holds_none_of(&secrets, name);
    }
}

/// A key with each member of another type, cut short, and the text cut off.
fn broken_jwks(jwk: &Value) -> Vec<String> {
    let mut broken = vec![jwk.to_string()[1..].to_owned()];
    broken.push(json!([jwk]).to_string());
    for (name, value) in jwk.as_object().unwrap() {
        let text = value.as_str().unwrap();
        for instead in [
            json!([text]),
            json!({ text: text }),
            json!(format!("{text}!")),
            json!(&text[..text.len() - 1]),
            Value::Null,
        ] {
            let mut jwk = jwk.clone();
            jwk[name] = instead;
            broken.push(jwk.to_string());
        }
        broken.push(value.to_string());
    }
    broken
}

#[test]
fn a_field_that_holds_a_token_is_marked_sensitive() {
    let token = good_token();
    for headers in everywhere(token.as_bytes()) {
        let layer = SessionLayer::new(verifier()).token_sources(sources());
        let mut request = Request::new(());
        *request.headers_mut() = headers;
        let seen =
            crate::support::see(&layer, request, |request| request.headers().clone()).unwrap();
        for (name, value) in &seen {
            let holds = value
                .as_bytes()
                .windows(token.len())
                .any(|value| value == token.as_bytes());
            assert!(!holds || value.is_sensitive(), "{name}");
        }
        // Browsers' WebSocket has only the field from which the token is removed.
        if let Some(protocols) = seen.get("sec-websocket-protocol") {
            assert_eq!(protocols, "chat, superchat");
        }
    }
}

/// No logging crate is in the tree without dev-dependencies and the feature `https`, whose HTTP client
/// has one, and no printing macro in `src`.
#[test]
fn no_dependency_logs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let features = manifest["features"].as_table().unwrap().keys();
    let features: Vec<_> = features
        .map(String::as_str)
        .filter(|feature| *feature != "https")
        .collect();
    let features = features.join(",");
    let tree = Command::new(env!("CARGO"))
        .current_dir(folder)
        .args(["tree", "--offline", "-e", "normal", "--features", &features])
        .args(["--prefix", "none", "--format", "{lib}"])
        .output()
        .unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.lines().any(|line| line == "serde_json"), "{tree}");
    for name in tree.lines() {
        assert!(
            !["log", "tracing", "tracing_core", "slog", "defmt"].contains(&name),
            "{name}"
        );
    }
    let mut folders = vec![folder.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            for line in code {
                for word in ["print!(", "println!(", "eprint!(", "eprintln!(", "dbg!("] {
                    assert!(!line.contains(word), "{}: {line}", path.display());
                }
            }
        }
    }
}

/// Values that an application builds itself, and no request prints.
#[test]
fn debug_prints_no_secret_and_no_claim() {
    let (secret, printed) = (marker("a secret of more than 32 bytes"), Printed::default());
    let key = SigningKey::hs256(&secret).unwrap();
    printed.debug(&key);
    printed.debug(&VerifyingKey::hs256(&secret).unwrap());
    printed.debug(&SessionIssuer::new(key));
    let user = User::new(marker("sub"))
        .with_name(marker("name"))
        .with_login(marker("login"));
    printed.debug(&user);
    let session = session(&marked_claims(&json!({})));
    printed.session(&session);
    printed.debug(&session.nested(user.clone()).scope(marker("scope")));
    printed.debug(&Session::system(user));
    let list = RevocationList::new();
    let (issuer, token) = (marker("iss"), session.token().unwrap());
    list.revoke(&Revocation::session(&issuer, session.id(), now()));
    list.revoke(&Revocation::token(&issuer, token.id().unwrap(), now()));
    list.revoke(&Revocation::user_before(
        &issuer,
        session.user().id(),
        now(),
        now(),
    ));
    printed.debug(&list);
    let verifier = builder().revocation(list).build().unwrap();
    printed.debug(&SessionLayer::new(verifier));

    let mut secrets = BTreeSet::from(["Marker-of".to_owned()]);
    add_bytes(&mut secrets, secret.as_bytes());
    printed.assert_holds_none_of(&secrets, "made by the application");
}

#[test]
fn errors_have_fixed_text_alone() {
    let printed = Printed::default();
    for claim in ["exp", "iss", "locale", "client_kind", "act"] {
        let token = token(&json!({ claim: { marker("name"): marker("value") } }));
        let error = verifier().verify(token.as_bytes()).unwrap_err();
        // Another library's error could contain anything.
        assert!(error.source().is_none(), "{claim}");
        printed.error(&error);
    }
    printed.error(&VerifyingKey::hs256(marker("short")).unwrap_err());
    printed.assert_holds_none_of(&BTreeSet::from(["Marker-of".to_owned()]), "errors");
}
