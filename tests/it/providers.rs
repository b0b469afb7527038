//! Access tokens in the shapes of well-known identity providers, read by the recipes of
//! docs/identity-providers.md. The payloads are those that the providers document, with values made up.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tower_session_token::{
    AccessLevel, ClaimNames, SessionErrorKind, SessionVerifier, SessionVerifierBuilder, TokenType,
    VerifyingKey,
};

use crate::support::{SECRET, change, sign};

struct Provider {
    name: &'static str,
    typ: Option<&'static str>,
    payload: Value,
    audience: &'static str,
    names: ClaimNames,
    /// User ID, application, login, token ID, scope and roles.
    session: Value,
    /// What differs in a token that is not for this service, such as an ID token, and its rejection.
    other: (Value, SessionErrorKind),
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_785_000_010, 0).unwrap()
}

fn providers() -> Vec<Provider> {
    let wrong_audience = |audience: &str| {
        (
            json!({ "aud": audience }),
            SessionErrorKind::AudienceInvalid,
        )
    };
    vec![
        Provider {
            name: "Entra v2",
            typ: Some("JWT"),
            payload: json!({
                "aud": "6f0c1d2e-aaaa-4bbb-8ccc-000000000001",
                "iss": "https://login.microsoftonline.com/2b1d/v2.0",
                "iat": 1785000000, "nbf": 1785000000, "exp": 1785004500,
                "azp": "9a31", "azpacr": "1", "name": "Ann Ek", "oid": "5e7a",
                "preferred_username": "ann@example.com", "roles": ["Orders.Admin"],
                "scp": "Orders.Read Orders.Write", "sid": "00c4", "sub": "Qm3v-pairwise",
                "tid": "2b1d", "uti": "x1Yz", "ver": "2.0",
            }),
            audience: "6f0c1d2e-aaaa-4bbb-8ccc-000000000001",
            names: ClaimNames::new()
                .user_id("oid")
                .application_id("azp")
                .token_id("uti")
                .scope("scp")
                .require("ver", "2.0"),
            session: json!([
                "5e7a",
                "9a31",
                "ann@example.com",
                "x1Yz",
                ["Orders.Read", "Orders.Write"],
                ["Orders.Admin"]
            ]),
            other: wrong_audience("9a31"),
        },
        Provider {
            name: "Entra v1",
            typ: Some("JWT"),
            payload: json!({
                "aud": "api://orders", "iss": "https://sts.windows.net/2b1d/", "appid": "9a31",
                "appidacr": "1", "idtyp": "app", "oid": "77aa", "sub": "77aa",
                "roles": ["Orders.Read.All"], "tid": "2b1d", "uti": "k9", "ver": "1.0",
                "iat": 1785000000, "nbf": 1785000000, "exp": 1785003600,
            }),
            audience: "api://orders",
            names: ClaimNames::new()
                .user_id("oid")
                .application_id("appid")
                .token_id("uti")
                .scope("scp")
                .login("unique_name")
                .require("ver", "1.0"),
            session: json!(["77aa", "9a31", null, "k9", [], ["Orders.Read.All"]]),
            other: wrong_audience("9a31"),
        },
        Provider {
            name: "Cognito",
            typ: None,
            payload: json!({
                "sub": "c2d4", "cognito:groups": ["admins"],
                "iss": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Ab3dEfGhI",
                "version": 2, "client_id": "4k2j9s0example", "origin_jti": "0f", "event_id": "11",
                "token_use": "access", "scope": "orders/read openid", "auth_time": 1785000000,
                "exp": 1785003600, "iat": 1785000000, "jti": "22", "username": "ann",
            }),
            audience: "4k2j9s0example",
            names: ClaimNames::new()
                .audience("client_id")
                .require("token_use", "access")
                .roles("cognito:groups")
                .login("username"),
            session: json!([
                "c2d4",
                "4k2j9s0example",
                "ann",
                "22",
                ["orders/read", "openid"],
                ["admins"]
            ]),
            other: (
                json!({ "token_use": "id", "aud": "4k2j9s0example" }),
                SessionErrorKind::ClaimInvalid,
            ),
        },
        Provider {
            name: "Keycloak",
            typ: Some("JWT"),
            payload: json!({
                "exp": 1785000300, "iat": 1785000000, "jti": "onrtac:5c1e",
                "iss": "https://id.example.com/realms/shop", "aud": ["orders", "account"],
                "sub": "3f2b", "typ": "Bearer", "azp": "web-shop", "sid": "a91c", "acr": "1",
                "allowed-origins": ["https://shop.example.com"],
                "realm_access": {"roles": ["offline_access", "staff"]},
                "resource_access": {
                    "orders": {"roles": ["orders-admin"]}, "account": {"roles": ["view-profile"]},
                },
                "scope": "openid profile email", "email_verified": true, "name": "Ann Ek",
                "preferred_username": "ann", "locale": "de",
            }),
            audience: "orders",
            names: ClaimNames::new()
                .require("typ", "Bearer")
                .roles(["realm_access", "roles"])
                .roles(["resource_access", "orders", "roles"]),
            session: json!([
                "3f2b",
                "web-shop",
                "ann",
                "onrtac:5c1e",
                ["openid", "profile", "email"],
                ["offline_access", "staff", "orders-admin"]
            ]),
            other: (json!({ "typ": "ID" }), SessionErrorKind::ClaimInvalid),
        },
        Provider {
            name: "Auth0",
            typ: Some("JWT"),
            payload: json!({
                "iss": "https://shop.eu.auth0.com/", "sub": "auth0|66a1",
                "aud": ["https://orders.example.com", "https://shop.eu.auth0.com/userinfo"],
                "iat": 1785000000, "exp": 1785086400, "scope": "openid read:orders",
                "azp": "cX3a", "permissions": ["read:orders", "write:orders"],
                "https://example.com/roles": ["admin"],
            }),
            audience: "https://orders.example.com",
            names: ClaimNames::new()
                .scope("scope")
                .scope("permissions")
                .roles("https://example.com/roles"),
            session: json!([
                "auth0|66a1",
                "cX3a",
                null,
                null,
                ["openid", "read:orders", "read:orders", "write:orders"],
                ["admin"]
            ]),
            other: wrong_audience("cX3a"),
        },
        Provider {
            name: "Okta",
            typ: None,
            payload: json!({
                "ver": 1, "jti": "AT.9xQ", "iss": "https://example.okta.com/oauth2/default",
                "aud": "api://default", "iat": 1785000000, "exp": 1785003600, "cid": "0oa1",
                "uid": "00u1", "scp": ["openid", "orders.read"], "auth_time": 1784999990,
                "sub": "ann@example.com", "groups": ["Everyone"],
            }),
            audience: "api://default",
            names: ClaimNames::new()
                .user_id("uid")
                .login("sub")
                .application_id("cid")
                .scope("scp")
                .roles("groups"),
            session: json!([
                "00u1",
                "0oa1",
                "ann@example.com",
                "AT.9xQ",
                ["openid", "orders.read"],
                ["Everyone"]
            ]),
            other: (
                json!({ "uid": null, "aud": "0oa1" }),
                SessionErrorKind::ClaimInvalid,
            ),
        },
        Provider {
            name: "Google",
            typ: Some("JWT"),
            payload: json!({
                "iss": "https://accounts.google.com", "azp": "123-abc.apps.googleusercontent.com",
                "aud": "123-abc.apps.googleusercontent.com", "sub": "10769150350006150715113082367",
                "hd": "example.com", "email": "ann@example.com", "email_verified": true,
                "name": "Ann Ek", "locale": "en", "iat": 1785000000, "exp": 1785003600,
                "jti": "ab12",
            }),
            audience: "123-abc.apps.googleusercontent.com",
            names: ClaimNames::new().login("email"),
            session: json!([
                "10769150350006150715113082367",
                "123-abc.apps.googleusercontent.com",
                "ann@example.com",
                "ab12",
                [],
                []
            ]),
            other: wrong_audience("another.apps.googleusercontent.com"),
        },
        Provider {
            name: "Firebase",
            typ: Some("JWT"),
            payload: json!({
                "iss": "https://securetoken.google.com/shop-prod", "aud": "shop-prod",
                "auth_time": 1785000000, "user_id": "uK3", "sub": "uK3", "iat": 1785000000,
                "exp": 1785003600, "email": "ann@example.com", "email_verified": true,
                "firebase": {"identities": {"email": ["ann@example.com"]}, "sign_in_provider": "password"},
            }),
            audience: "shop-prod",
            names: ClaimNames::new()
                .login("email")
                .require(["firebase", "sign_in_provider"], "password"),
            session: json!(["uK3", null, "ann@example.com", null, [], []]),
            other: (
                json!({ "firebase": {"sign_in_provider": "anonymous"} }),
                SessionErrorKind::ClaimInvalid,
            ),
        },
        Provider {
            name: "Kubernetes",
            typ: None,
            payload: json!({
                "aud": ["orders"], "exp": 1785003600, "iat": 1785000000,
                "iss": "https://kubernetes.default.svc.cluster.local", "jti": "6c0f",
                "kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "web", "uid": "44"}},
                "nbf": 1785000000, "sub": "system:serviceaccount:shop:web",
            }),
            audience: "orders",
            names: ClaimNames::new().require(["kubernetes.io", "namespace"], "shop"),
            session: json!(["system:serviceaccount:shop:web", null, null, "6c0f", [], []]),
            other: (
                json!({ "kubernetes.io": {"namespace": "lab"} }),
                SessionErrorKind::ClaimInvalid,
            ),
        },
    ]
}

fn builder(issuer: &str, audience: &str, names: ClaimNames) -> SessionVerifierBuilder {
    SessionVerifier::builder()
        .key(VerifyingKey::hs256(SECRET).unwrap())
        .issuer(issuer)
        .audience(audience)
        .accept_type(TokenType::Jwt)
        .claim_names(names)
        .clock(now)
}

#[test]
fn a_token_of_each_provider_is_the_session_that_its_recipe_says() {
    for provider in providers() {
        let header = match provider.typ {
            Some(typ) => json!({ "alg": "HS256", "typ": typ }),
            None => json!({ "alg": "HS256" }),
        };
        let issuer = provider.payload["iss"].as_str().unwrap();
        let verifier = builder(issuer, provider.audience, provider.names)
            .build()
            .unwrap();
        let session = verifier.verify(sign(&header, &provider.payload.to_string()));
        let session = session.unwrap_or_else(|error| panic!("{}: {error}", provider.name));
        let token = session.token().unwrap();
        let got = json!([
            session.user().id().to_string(),
            session.application_id().map(ToString::to_string),
            session.user().login(),
            token.id().map(ToString::to_string),
            session.scope().collect::<Vec<_>>(),
            session.roles().collect::<Vec<_>>(),
        ]);
        assert_eq!(got, provider.session, "{}", provider.name);

        let (changes, kind) = provider.other;
        let mut payload = provider.payload;
        change(&mut payload, &changes);
        let error = verifier
            .verify(sign(&header, &payload.to_string()))
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{}", provider.name);
    }
}

fn verify(names: ClaimNames, changes: &Value) -> Result<tower_session_token::Session, String> {
    let mut payload = json!({
        "iss": "i", "aud": "a", "sub": "ann", "iat": 1785000000, "exp": 1785003600,
    });
    change(&mut payload, changes);
    let token = sign(&json!({ "alg": "HS256" }), &payload.to_string());
    let verifier = builder("i", "a", names).build().unwrap();
    verifier
        .verify(token)
        .map_err(|error| format!("{} {error}", error.code()))
}

#[test]
fn a_named_claim_is_read_as_strictly_as_the_standard_one() {
    let names = || {
        ClaimNames::new()
            .user_id("uid")
            .scope("scp")
            .roles(["a", "roles"])
    };
    for (changes, claim) in [
        (json!({ "uid": null }), "sub"),
        (json!({ "uid": 7 }), "sub"),
        (json!({ "uid": "" }), "sub"),
        (json!({ "uid": "u".repeat(257) }), "sub"),
        (json!({ "scp": {} }), "scope"),
        (json!({ "scp": [1] }), "scope"),
        (json!({ "a": [] }), "roles"),
        (json!({ "a": "roles" }), "roles"),
        (json!({ "a": { "roles": {} } }), "roles"),
        (json!({ "a": { "roles": vec!["r"; 65] } }), "roles"),
        (json!({ "a": { "roles": "r ".repeat(65) } }), "roles"),
        (json!({ "a": { "roles": "r".repeat(257) } }), "roles"),
    ] {
        let mut valid = json!({ "uid": "u" });
        change(&mut valid, &changes);
        let error = verify(names(), &valid).unwrap_err();
        assert!(
            error.starts_with("claim_invalid ") && error.ends_with(&format!(": {claim}")),
            "{error}: {changes}"
        );
    }
    // A claim that is present but `null` is not absent.
    let token = r#"{"iss":"i","aud":"a","sub":"ann","exp":1785003600,"uid":null}"#;
    let token = sign(&json!({ "alg": "HS256" }), token);
    let error = builder("i", "a", names())
        .build()
        .unwrap()
        .verify(token)
        .unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::ClaimInvalid);
}

#[test]
fn the_standard_claim_is_the_applications_own_where_another_is_named() {
    let names = ClaimNames::new()
        .user_id("uid")
        .roles("groups")
        .application_id("app");
    let changes = json!({ "sub": 7, "roles": {"x": 1}, "azp": "z", "uid": "u", "groups": "a b" });
    let session = verify(names, &changes).unwrap();
    assert_eq!(session.user().id(), "u");
    assert_eq!(session.roles().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(session.application_id(), None);
    assert_eq!(session.claim::<i64>("sub").unwrap(), Some(7));
}

#[test]
fn a_path_to_two_members_of_one_name_is_rejected() {
    let names = ClaimNames::new().roles(["a", "roles"]);
    let token =
        r#"{"iss":"i","aud":"a","sub":"ann","exp":1785003600,"a":{"roles":["x"],"roles":["y"]}}"#;
    let token = sign(&json!({ "alg": "HS256" }), token);
    let error = builder("i", "a", names)
        .build()
        .unwrap()
        .verify(token)
        .unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::TokenMalformed);
}

#[test]
fn the_administrator_role_makes_administrators_of_others_tokens() {
    let names = || ClaimNames::new().administrator_role("admin");
    for (roles, level) in [
        (json!(["clerk", "admin"]), AccessLevel::Administrator),
        (json!(["administrator"]), AccessLevel::Regular),
        (json!(["admin clerk"]), AccessLevel::Regular),
    ] {
        let session = verify(names(), &json!({ "roles": roles })).unwrap();
        assert_eq!(session.user().access_level(), level);
    }
}

#[test]
fn claims_of_our_own_types_keep_their_names() {
    let names = ClaimNames::new()
        .user_id("uid")
        .require("x", "y")
        .administrator_role("admin");
    let verifier = crate::support::builder()
        .claim_names(names)
        .build()
        .unwrap();
    let claims = crate::support::claims(&json!({ "uid": 7, "roles": ["admin"] }));
    let header = json!({ "alg": "HS256", "typ": "session+jwt" });
    let session = verifier.verify(sign(&header, &claims.to_string())).unwrap();
    assert_eq!(session.user().id(), "3f2b8a54-9d0c-4d5e-8f6a-7b1c2d3e4f50");
    assert!(!session.user().is_administrator());
}

#[test]
fn a_second_name_of_an_id_replaces_the_first() {
    let names = ClaimNames::new().user_id("oid").user_id("uid");
    let session = verify(names.clone(), &json!({ "oid": "o", "uid": "u" })).unwrap();
    assert_eq!(session.user().id(), "u");
    let error = verify(names, &json!({ "oid": "o" })).unwrap_err();
    assert!(error.ends_with(": sub"), "{error}");
}

#[test]
fn an_item_of_a_scope_array_is_one_scope_token() {
    let names = || ClaimNames::new().scope("groups").scope("scp");
    for names in [names(), ClaimNames::new().scope("groups")] {
        let groups = json!({ "groups": ["My orders.admin", "staff"], "scp": "read write" });
        let session = verify(names.clone(), &groups).unwrap();
        assert!(!session.has_scope("orders.admin") && session.has_scope("staff"));
    }
    let both = verify(
        names(),
        &json!({ "groups": ["staff"], "scp": "read write" }),
    )
    .unwrap();
    assert_eq!(both.scope().collect::<Vec<_>>(), ["staff", "read", "write"]);
}
