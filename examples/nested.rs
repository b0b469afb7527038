//! Work for another user inside a session: nested tokens and the ambient context.
//!
//! ```text
//! cargo run --example nested
//! ```

use std::{error::Error, time::Duration};

use chrono::FixedOffset;
use tower_session_token::{
    AccessLevel, ApplicationId, Session, SessionContext, SessionIssuer, SessionToken,
    SessionVerifier, SigningKey, TokenType, User,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let key = SigningKey::hs256(b"an example is no place for a secret")?;

    // The session that a request came with; behind the layer it is in the extensions.
    let token = SessionToken::builder(User::new("ann").with_name("Ann, the manager"))
        .issuer("https://issuer.example")
        .audience("session-demo")
        .application_id(ApplicationId::from("nested-example"))
        .culture("de-CH")
        .utc_offset(FixedOffset::east_opt(3600).ok_or("an offset")?)
        .lifetime(Duration::from_secs(3600))
        .build()?;
    let session = Session::in_process(token);

    // Something is done in Bob's name: all code inside the scope sees Bob, and Ann behind him.
    let nested = session
        .nested(User::new("bob").with_name("Bob, the employee"))
        .lifetime(Duration::from_secs(60))
        .build()?;
    SessionContext::scope(Session::in_process(nested.clone()), file_report()).await;

    // More rights than Ann has are refused, unless the code says so by name.
    let refused = session
        .nested(User::new("root"))
        .access_level(AccessLevel::Administrator)
        .build();
    if let Err(error) = refused {
        println!("without `elevated`: {error}");
    }
    let elevated = session
        .nested(User::new("root"))
        .elevated(AccessLevel::Administrator)
        .build()?;
    println!("with it: {:?}", elevated.claim::<bool>("elevated")?);

    // To travel the nested token is signed, and its receiver accepts its type by name.
    let signed = SessionIssuer::new(key.clone()).issue(&nested)?;
    let receiver = SessionVerifier::builder()
        .key(key.verifying_key())
        .issuer("https://issuer.example")
        .audience("session-demo")
        .accept_type(TokenType::NestedSession)
        .build()?;
    let received = receiver.verify(signed.as_bytes())?;
    println!("received: a session of {}", received.user().id());
    Ok(())
}

/// No session is handed to it: it reads the ambient one.
async fn file_report() {
    let Some(session) = SessionContext::current() else {
        return;
    };
    let user = session.user().name().unwrap_or("-");
    let actor = session.actor().map(|actor| actor.user_id().to_string());
    println!("report of {user}, filed by {}", actor.unwrap_or_default());
    println!(
        "culture {}, offset {}",
        session.client_culture(),
        session.client_utc_offset()
    );
}
