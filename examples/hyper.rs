//! The session layer around a plain hyper server: no axum.
//!
//! ```text
//! cargo run --example hyper
//! ```
//!
//! It prints a line to paste, such as:
//!
//! ```text
//! curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:3001/
//! ```

use std::{convert::Infallible, error::Error, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, service_fn};
use tower_session_token::{
    Session, SessionIssuer, SessionLayer, SessionVerifier, SigningKey, User,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Real services read their secret from where it is kept safe.
    let key = SigningKey::hs256(b"an example is no place for a secret")?;
    let verifier = SessionVerifier::builder()
        .key(key.verifying_key())
        .issuer("https://issuer.example")
        .audience("session-demo")
        .build()?;
    let issuer = SessionIssuer::new(key)
        .issuer("https://issuer.example")
        .audience("session-demo")
        .lifetime(Duration::from_secs(3600));
    let token = issuer
        .token(User::new("ann").with_name("Ann Example"))
        .application_id("web-shop")
        .culture("de-CH");
    let token = issuer.issue(&token.build()?)?;

    let service = ServiceBuilder::new()
        .layer(SessionLayer::new(verifier).problem_details())
        .service(service_fn(greet));
    let listener = TcpListener::bind("127.0.0.1:3001").await?;
    println!("curl -H 'Authorization: Bearer {token}' http://127.0.0.1:3001/");
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let connection = auto::Builder::new(TokioExecutor::new());
            // A broken connection concerns its client alone.
            let _ = connection
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn greet(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = match request.extensions().get::<Session>() {
        Some(session) => format!(
            "{} ({}), {}\n",
            session.user().name().unwrap_or("-"),
            session.user().id(),
            session.client_culture()
        ),
        None => "no session\n".to_owned(),
    };
    Ok(Response::new(text.into()))
}
