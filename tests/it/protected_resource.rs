//! The metadata of a protected resource, and the challenges that name it (RFC 9728).

use axum::{Router, body::Body, routing::get};
use futures_executor::block_on;
use http::{Request, header::WWW_AUTHENTICATE};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_session_token::{
    DocumentService, KeySet, KeyStore, ProtectedResource, RequireScope, SessionLayer, User,
    testing::TestIssuer,
};

fn app(issuer: &TestIssuer) -> Router {
    let resource = ProtectedResource::new("https://api.example.com/orders")
        .unwrap()
        .authorization_server("https://id.example.com")
        .scope("orders.read orders.write")
        .unwrap();
    let layer: SessionLayer = issuer.layer().protected_resource(&resource);
    let guard = RequireScope::new("orders.read").unwrap();
    Router::new()
        .route("/orders", get(async || "orders").layer(guard))
        .layer(layer)
        .route_service(resource.metadata_path(), resource.service())
        .route_service(
            "/jwks.json",
            DocumentService::jwks(KeyStore::new(issuer.key_set())),
        )
}

fn send(app: &Router, request: http::request::Builder) -> (u16, String, Vec<u8>) {
    let request = request.body(Body::empty()).unwrap();
    let response = block_on(app.clone().oneshot(request)).unwrap();
    let challenge = response.headers().get(WWW_AUTHENTICATE);
    let challenge = challenge
        .map_or("", |value| value.to_str().unwrap())
        .to_owned();
    let status = response.status().as_u16();
    let body = block_on(response.into_body().collect()).unwrap();
    (status, challenge, body.to_bytes().to_vec())
}

#[test]
fn the_document_is_public_at_the_well_known_path() {
    let path = "/.well-known/oauth-protected-resource/orders";
    let (status, _, body) = send(&app(&TestIssuer::new()), Request::get(path));
    assert_eq!(status, 200);
    let document: Value = serde_json::from_slice(&body).unwrap();
    let want = json!({
        "resource": "https://api.example.com/orders",
        "authorization_servers": ["https://id.example.com"],
        "scopes_supported": ["orders.read", "orders.write"],
        "bearer_methods_supported": ["header"],
    });
    assert_eq!(document, want);
}

#[test]
fn each_challenge_names_the_metadata_and_a_401_the_scope() {
    let issuer = TestIssuer::new();
    let app = app(&issuer);
    let scope = ", scope=\"orders.read orders.write\"";
    let metadata = ", resource_metadata=\
        \"https://api.example.com/.well-known/oauth-protected-resource/orders\"";
    let expired = issuer.token(User::new("ann")).with("exp", 1);
    let poor = issuer.token(User::new("ann"));
    for (request, status, challenge) in [
        (
            Request::get("/orders"),
            401,
            format!("Bearer realm=\"session\"{scope}{metadata}"),
        ),
        (
            expired.request().uri("/orders"),
            401,
            format!("Bearer realm=\"session\", error=\"invalid_token\"{scope}{metadata}"),
        ),
        (
            Request::get("/orders").header("authorization", "Bearer"),
            400,
            format!("Bearer realm=\"session\", error=\"invalid_request\"{metadata}"),
        ),
        (
            poor.request().uri("/orders"),
            403,
            format!(
                "Bearer realm=\"session\", error=\"insufficient_scope\"{metadata}, scope=\"orders.read\""
            ),
        ),
        (
            poor.with("scope", "orders.read").request().uri("/orders"),
            200,
            String::new(),
        ),
    ] {
        let (got, got_challenge, _) = send(&app, request);
        assert_eq!((got, got_challenge), (status, challenge));
    }
}

#[test]
fn the_published_keys_verify_what_the_issuer_signs() {
    let issuer = TestIssuer::new();
    let (status, _, body) = send(&app(&issuer), Request::get("/jwks.json"));
    assert_eq!(status, 200);
    let published = KeySet::from_jwks(String::from_utf8(body).unwrap());
    assert_eq!(published.unwrap(), issuer.key_set());
}
