//! Verifies a token without a server, and runs code in its session.
//!
//! ```text
//! cargo run --example in_process
//! ```

use std::{error::Error, time::Duration};

use chrono::{TimeZone, Utc};
use tower_session_token::{SessionContext, SessionIssuer, SessionVerifier, SigningKey, User};

fn main() -> Result<(), Box<dyn Error>> {
    let key = SigningKey::hs256(b"an example is no place for a secret")?;
    let issuer = SessionIssuer::new(key.clone())
        .issuer("https://issuer.example")
        .audience("session-demo")
        .lifetime(Duration::from_secs(3600));
    let token = issuer
        .token(User::new("ann").with_name("Ann Example"))
        .application_id("web-shop")
        .culture("de-CH")
        .time_zone("Europe/Zurich");
    let token = issuer.issue(&token.build()?)?;

    let verifier = SessionVerifier::builder()
        .key(key.verifying_key())
        .issuer("https://issuer.example")
        .audience("session-demo")
        .build()?;
    let session = verifier.verify(&token)?;
    assert_eq!(session.user().id(), "ann");
    SessionContext::sync_scope(session, report);

    // Every reason for a rejection has a code.
    let reversed: String = token.chars().rev().collect();
    if let Err(error) = verifier.verify(reversed) {
        println!("{}: {error}", error.code());
    }
    Ok(())
}

/// Takes no session as a parameter: it reads the ambient one.
fn report() {
    let Some(session) = SessionContext::current() else {
        return;
    };
    println!("{}, {}", session.user().id(), session.client_culture());
    for month in [1, 7] {
        let noon = Utc.with_ymd_and_hms(2026, month, 1, 12, 0, 0).single();
        let there = noon.map(|noon| session.to_client_time(noon));
        println!("noon in UTC is {} there", there.unwrap_or_default());
    }
}
