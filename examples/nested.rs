//! Work for another user inside a session: nested tokens and the ambient context.
//!
//! ```text
//! cargo run --example nested
//! ```

use std::{error::Error, time::Duration};

use tower_session_token::{
    AccessLevel, Session, SessionContext, SessionIssuer, SessionVerifier, SigningKey, TokenType,
    User,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let key = SigningKey::hs256(b"an example is no place for a secret")?;

    let issuer = SessionIssuer::new(key.clone())
        .issuer("https://issuer.example")
        .audience("session-demo")
        .lifetime(Duration::from_secs(3600));

    // The session of a request; behind the layer it is in the extensions.
    let token = issuer
        .token(User::new("ann").with_name("Ann, the manager"))
        .application_id("web-shop")
        .culture("de-CH")
        .time_zone("Europe/Zurich");
    let session = Session::in_process(token.build()?);

    // Work in Bob's name: code inside the scope sees Bob as the user and Ann as the actor.
    let nested = session
        .nested(User::new("bob").with_name("Bob, the employee"))
        .lifetime(Duration::from_secs(60))
        .build()?;
    SessionContext::scope(Session::in_process(nested.clone()), file_report()).await;

    // A higher access level than Ann's is an error, unless the code asks for it by name.
    let rejected = session
        .nested(User::new("root"))
        .access_level(AccessLevel::Administrator)
        .build();
    if let Err(error) = rejected {
        println!("without `elevated`: {error}");
    }
    let elevated = session
        .nested(User::new("root"))
        .elevated(AccessLevel::Administrator)
        .build()?;
    println!("with it: {:?}", elevated.claim::<bool>("elevated")?);

    // Another service gets the nested token signed, and accepts its type by name.
    let signed = issuer.issue(&nested)?;
    let receiver = SessionVerifier::builder()
        .key(key.verifying_key())
        .issuer("https://issuer.example")
        .audience("session-demo")
        .accept_type(TokenType::NestedSession)
        .build()?;
    let received = receiver.verify(signed)?;
    assert_eq!(received.user().id(), "bob");
    println!("received: a session of {}", received.user().id());
    Ok(())
}

/// Takes no session as a parameter: it reads the ambient one.
async fn file_report() {
    let Some(session) = SessionContext::current() else {
        return;
    };
    let user = session.user().name().unwrap_or("-");
    if let Some(actor) = session.actor() {
        println!("report of {user}, filed by {}", actor.user_id());
    }
    println!("in {}", session.client_culture());
}
