//! Verifies a token with no server at all, and works in its session.
//!
//! ```text
//! cargo run --example in_process
//! ```

use std::{error::Error, time::Duration};

use chrono::{DateTime, Utc};
use tower_session_token::{
    ApplicationId, SessionContext, SessionIssuer, SessionToken, SessionVerifier, SigningKey, User,
};

fn main() -> Result<(), Box<dyn Error>> {
    let key = SigningKey::hs256(b"an example is no place for a secret")?;
    let token = SessionToken::builder(User::new("ann").with_name("Ann Example"))
        .issuer("https://issuer.example")
        .audience("session-demo")
        .application_id(ApplicationId::from("in-process-example"))
        .culture("de-CH")
        .time_zone("Europe/Zurich")
        .lifetime(Duration::from_secs(3600))
        .build()?;
    let text = SessionIssuer::new(key.clone()).issue(&token)?;

    let verifier = SessionVerifier::builder()
        .key(key.verifying_key())
        .issuer("https://issuer.example")
        .audience("session-demo")
        .build()?;
    let session = verifier.verify(text.as_bytes())?;
    SessionContext::sync_scope(session, report);

    // Whatever is wrong with a token has a name.
    let mut broken = text.into_bytes();
    broken.rotate_left(1);
    if let Err(error) = verifier.verify(&broken) {
        println!("{}: {error}", error.code());
    }
    Ok(())
}

fn report() {
    let Some(session) = SessionContext::current() else {
        return;
    };
    let summer: DateTime<Utc> = DateTime::UNIX_EPOCH + Duration::from_secs(1_782_900_000);
    println!("{}, {}", session.user().id(), session.client_culture());
    println!("{summer} is {} there", session.to_client_time(summer));
}
