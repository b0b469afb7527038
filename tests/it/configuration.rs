//! Every mistake of configuration is found at start-up, and names its option.

use std::time::Duration;

use chrono::FixedOffset;

use tower_session_token::{
    KeySet, KeyStore, Limits, SessionVerifier, SessionVerifierBuilder, TokenSource, VerifyingKey,
};

use crate::support::{SECRET, builder};

fn key() -> VerifyingKey {
    VerifyingKey::hs256(SECRET).unwrap()
}

fn bare() -> SessionVerifierBuilder {
    SessionVerifier::builder().key(key())
}

#[test]
fn an_incomplete_or_contradictory_verifier_is_rejected() {
    let store = KeyStore::new(KeySet::new([key()]).unwrap());
    for (option, builder) in [
        (
            "key",
            SessionVerifier::builder().any_issuer().any_audience(),
        ),
        ("key", builder().keys(store)),
        ("issuer", bare().audience("a")),
        ("issuer", bare().audience("a").issuer("i").any_issuer()),
        ("issuer", bare().audience("a").issuer("i").issuer("j")),
        ("audience", bare().issuer("i")),
        (
            "supported_culture",
            builder().supported_culture("not a tag"),
        ),
        ("default_culture", builder().default_culture("-")),
        ("default_ui_culture", builder().default_ui_culture("a_")),
        (
            "default_time_zone",
            builder().default_time_zone("Mars/Olympus"),
        ),
        ("audience", bare().issuer("i").audience("a").any_audience()),
        (
            "default_utc_offset",
            builder().default_utc_offset(FixedOffset::east_opt(61).unwrap()),
        ),
        (
            "default_utc_offset",
            builder().default_utc_offset(FixedOffset::east_opt(15 * 3600).unwrap()),
        ),
        ("issuer", bare().issuer("").audience("a")),
        ("audience", bare().issuer("i").audience("")),
        ("leeway", builder().leeway(Duration::from_secs(301))),
        ("max_lifetime", builder().max_lifetime(Duration::ZERO)),
        (
            "limits",
            builder().limits(Limits::default().with_token_bytes(0)),
        ),
        (
            "limits",
            builder().limits(Limits::default().with_token_bytes(usize::MAX)),
        ),
        (
            "limits",
            builder().limits(Limits::default().with_nesting(101)),
        ),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.option(), option);
        assert!(error.to_string().starts_with(option));
    }
    assert!(builder().leeway(Duration::from_secs(300)).build().is_ok());
    // Several keys are distinguished by their ids.
    assert!(builder().key(key().with_id("b")).build().is_err());
}

#[test]
fn a_source_with_an_invalid_name_is_rejected() {
    for name in ["", "a=b", "a;", "a b", "é"] {
        assert_eq!(
            TokenSource::cookie(name).unwrap_err().option(),
            "cookie",
            "{name}"
        );
        let error = TokenSource::websocket_protocol(name).unwrap_err();
        assert_eq!(error.option(), "websocket_protocol", "{name}");
    }
}
