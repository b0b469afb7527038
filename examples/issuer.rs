//! Two services: one signs tokens and publishes its keys, and the other reads these over HTTP. It
//! accepts a new key, and drops an old one, without a restart.
//!
//! ```text
//! cargo run --example issuer --features https
//! ```

use std::{error::Error, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header::AUTHORIZATION},
    routing::get,
};
use tokio::net::TcpListener;
use tower::ServiceExt;
use tower_session_token::{
    Algorithm, ConfigError, DocumentService, KeySet, KeyStore, RemoteKeys, Session, SessionIssuer,
    SessionLayer, SessionVerifier, SigningKey, User,
};

const ISSUER: &str = "https://id.example.com";
const AUDIENCE: &str = "orders";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The service that signs. Its public keys are open to everybody.
    let old = SigningKey::generate(Algorithm::ES256)?.with_id("2026-01");
    let published = KeyStore::new(KeySet::new([old.verifying_key()])?);
    let document = DocumentService::jwks(published.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let jwks_uri = format!("http://{}/jwks.json", listener.local_addr()?);
    let issuer = Router::new().route_service("/jwks.json", document);
    tokio::spawn(async { axum::serve(listener, issuer).await });

    // The service that verifies.
    let keys = RemoteKeys::at(jwks_uri).start()?;
    let orders = orders(&keys)?;
    let old_token = sign(&old)?;
    assert_eq!(ask(&orders, &old_token).await?, StatusCode::OK);

    // A new key, beside the old one, signs at once: the first request with it waits for one read.
    let new = SigningKey::generate(Algorithm::ES256)?.with_id("2026-02");
    published.replace(KeySet::new([new.verifying_key(), old.verifying_key()])?);
    let new_token = sign(&new)?;
    assert_eq!(ask(&orders, &new_token).await?, StatusCode::OK);
    assert_eq!(ask(&orders, &old_token).await?, StatusCode::OK);
    assert_eq!(keys.status().reads, 2);

    // The old key is withdrawn. From the next read on, in minutes or now, its tokens are rejected; the
    // first one only after 3 seconds, in which the issuer is asked again.
    published.replace(KeySet::new([new.verifying_key()])?);
    keys.refresh().await?;
    assert_eq!(ask(&orders, &old_token).await?, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(&orders, &new_token).await?, StatusCode::OK);

    println!("{:?}", keys.status());
    Ok(())
}

fn orders(keys: &RemoteKeys) -> Result<Router, ConfigError> {
    let verifier = SessionVerifier::builder()
        .keys(keys)
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .build()?;
    let hello = async |session: Session| format!("hello, {}\n", session.user().id());
    Ok(Router::new()
        .route("/hello", get(hello))
        .route_layer(SessionLayer::new(verifier).wait_for_keys()))
}

fn sign(key: &SigningKey) -> Result<String, Box<dyn Error>> {
    let issuer = SessionIssuer::new(key.clone())
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .lifetime(Duration::from_secs(3600));
    let token = issuer.token(User::new("ann")).application_id("web-shop");
    Ok(issuer.issue(&token.build()?)?)
}

async fn ask(service: &Router, token: &str) -> Result<StatusCode, Box<dyn Error>> {
    let request = Request::get("/hello")
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .body(Body::empty())?;
    Ok(service.clone().oneshot(request).await?.status())
}
