//! The cache of verified tokens: when it answers, when it must not, and how large it gets.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    thread,
};

use chrono::DateTime;
use proptest::prelude::*;
use serde_json::json;
use tower_session_token::{
    CacheStats, KeySet, KeyStore, Revocation, RevocationList, Session, SessionError,
    SessionErrorKind as Kind, SessionLayer, SessionVerifier, SessionVerifierBuilder, TokenType,
    VerifyingKey,
};

use crate::support::{
    NOW, SECRET, bearer, builder, claims, good_token, header, meeting, now, refusal, see_session,
    sign, token, verifier,
};

const MEBIBYTE: usize = 1 << 20;

fn session(verifier: &SessionVerifier, token: &str) -> Session {
    verifier.verify(token.as_bytes()).unwrap()
}

/// A verifier whose clock shows `NOW` and as many seconds more.
fn verifier_at(builder: SessionVerifierBuilder) -> (SessionVerifier, Arc<AtomicI64>) {
    let later = Arc::new(AtomicI64::new(0));
    let shown = Arc::clone(&later);
    let clock = move || DateTime::from_timestamp(NOW + shown.load(Ordering::SeqCst), 0).unwrap();
    (builder.clock(clock).build().unwrap(), later)
}

fn distinct(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|at| token(&json!({ "jti": format!("token {at}") })))
}

#[test]
fn the_third_time_a_token_is_not_verified_again() {
    let (verifier, token) = (verifier(), good_token());
    for (hits, misses, sessions) in [(0, 1, 0), (0, 2, 1), (1, 2, 1), (2, 2, 1)] {
        let session = session(&verifier, &token);
        assert_eq!(session.user().name(), Some("Иван Петров"));
        assert_eq!(session.client_ui_culture().as_str(), "en-US");
        let CacheStats {
            hits: h,
            misses: m,
            sessions: s,
            ..
        } = verifier.cache_stats();
        assert_eq!((h, m, s), (hits, misses, sessions));
    }
}

#[test]
fn the_layer_uses_it() {
    let verifier = verifier();
    let layer = SessionLayer::new(verifier.clone());
    for _ in 0..5 {
        let session = see_session(&layer, bearer(&good_token())).unwrap().unwrap();
        assert_eq!(session.server_code(), Some("main"));
    }
    assert_eq!(verifier.cache_stats().hits, 3);
}

#[test]
fn it_can_be_turned_off() {
    let verifier = builder().cache_bytes(0).build().unwrap();
    for _ in 0..5 {
        session(&verifier, &good_token());
    }
    assert_eq!(verifier.cache_stats(), CacheStats::default());
}

#[test]
fn a_clone_is_the_same_cache_and_another_verifier_is_not() {
    let (one, token) = (verifier(), good_token());
    for _ in 0..3 {
        session(&one.clone(), &token);
    }
    assert_eq!(one.cache_stats().hits, 1);

    // The other has the same key, and wants another audience.
    let other = SessionVerifier::builder()
        .key(VerifyingKey::hs256(SECRET).unwrap())
        .any_issuer()
        .audience("invoices")
        .clock(now)
        .build()
        .unwrap();
    for _ in 0..3 {
        assert_eq!(refusal(&other, &token), Some(Kind::AudienceInvalid));
    }
    assert_eq!(other.cache_stats().sessions, 0);
}

#[test]
fn a_token_that_differs_in_one_byte_is_another() {
    let (verifier, token) = (verifier(), good_token());
    for _ in 0..3 {
        session(&verifier, &token);
    }
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(verifier.verify(&changed).is_err(), "byte {at}");
    }
    // Other claims under the same signature.
    let (_, signature) = token.rsplit_once('.').unwrap();
    let other = sign(
        &header(),
        &claims(&json!({ "access_level": "administrator" })).to_string(),
    );
    let (input, _) = other.rsplit_once('.').unwrap();
    let mixed = format!("{input}.{signature}");
    assert_eq!(refusal(&verifier, &mixed), Some(Kind::SignatureInvalid));
    for longer in [
        format!("{token}A"),
        format!("A{token}"),
        format!("{token}."),
    ] {
        assert!(verifier.verify(longer.as_bytes()).is_err());
    }
    assert_eq!(verifier.cache_stats().hits, 1);
}

#[test]
fn what_is_refused_never_enters() {
    let (good, own) = (verifier(), good_token());
    let forged = format!("{}{}", &own[..own.len() - 4], "AAAA");
    for (token, want) in [
        (forged, Kind::SignatureInvalid),
        (token(&json!({ "exp": NOW - 3600 })), Kind::TokenExpired),
        (token(&json!({ "nbf": NOW + 3600 })), Kind::TokenNotYetValid),
        (token(&json!({ "aud": "invoices" })), Kind::AudienceInvalid),
        (token(&json!({ "sub": 1 })), Kind::ClaimInvalid),
    ] {
        for _ in 0..3 {
            assert_eq!(refusal(&good, &token), Some(want));
        }
    }
    let stats = good.cache_stats();
    assert_eq!((stats.hits, stats.misses, stats.sessions), (0, 0, 0));
}

#[test]
fn an_entry_dies_with_its_token() {
    let (verifier, later) = verifier_at(builder());
    let token = token(&json!({ "exp": NOW + 100, "nbf": NOW - 10 }));
    for _ in 0..3 {
        session(&verifier, &token);
    }
    assert_eq!(verifier.cache_stats().hits, 1);
    // The leeway is 60 seconds.
    later.store(159, Ordering::SeqCst);
    session(&verifier, &token);
    assert_eq!(verifier.cache_stats().hits, 2);
    later.store(160, Ordering::SeqCst);
    assert_eq!(refusal(&verifier, &token), Some(Kind::TokenExpired));
    assert_eq!(verifier.cache_stats().sessions, 0);
}

#[test]
fn a_clock_that_goes_back_finds_no_session_before_its_time() {
    let (verifier, later) = verifier_at(builder());
    let token = token(&json!({ "nbf": NOW - 10, "iat": NOW - 20 }));
    for _ in 0..3 {
        session(&verifier, &token);
    }
    later.store(-70, Ordering::SeqCst);
    session(&verifier, &token);
    later.store(-71, Ordering::SeqCst);
    assert_eq!(refusal(&verifier, &token), Some(Kind::TokenNotYetValid));
    assert_eq!(verifier.cache_stats().hits, 2);
}

#[test]
fn sessions_that_have_expired_are_swept_out() {
    let (verifier, later) = verifier_at(builder());
    let old: Vec<_> = distinct(64).collect();
    for token in old.iter().chain(&old) {
        session(&verifier, token);
    }
    assert_eq!(verifier.cache_stats().sessions, 64);
    later.store(7200, Ordering::SeqCst);
    let expires_at = NOW + 10_000;
    for at in 0..100 {
        session(
            &verifier,
            &token(&json!({ "jti": at.to_string(), "exp": expires_at, "iat": NOW })),
        );
    }
    assert_eq!(verifier.cache_stats().sessions, 0);
}

#[cfg(feature = "time_zone")]
#[test]
fn the_offset_of_a_zone_follows_the_clock() {
    // Berlin leaves winter time on 2026-03-29 at 01:00 UTC.
    let builder = builder().max_lifetime(std::time::Duration::MAX);
    let (verifier, later) = verifier_at(builder);
    let exp = NOW + 100 * 86_400;
    let zone = token(&json!({ "utc_offset": null, "zoneinfo": "Europe/Berlin", "exp": exp }));
    let offset = |verifier| session(verifier, &zone).client_utc_offset().to_string();
    for _ in 0..3 {
        assert_eq!(offset(&verifier), "+01:00");
    }
    assert_eq!(verifier.cache_stats().hits, 1);
    later.store(80 * 86_400, Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(offset(&verifier), "+02:00");
    }
    assert!(verifier.cache_stats().hits > 1);
}

#[test]
fn no_session_outlives_a_swap_of_keys() {
    let key = |id: &str| VerifyingKey::hs256(SECRET).unwrap().with_id(id);
    let store = KeyStore::new(KeySet::new([key("old")]).unwrap());
    let verifier = SessionVerifier::builder()
        .key_store(store.clone())
        .any_issuer()
        .any_audience()
        .clock(now)
        .build()
        .unwrap();
    let mut named = header();
    named["kid"] = json!("old");
    let token = sign(&named, &claims(&json!({})).to_string());
    for _ in 0..3 {
        session(&verifier, &token);
    }
    let before = verifier.cache_stats();
    assert_eq!((before.hits, before.sessions), (1, 1));
    // An equal set leaves the cache as it is.
    store.replace(KeySet::new([key("old")]).unwrap());
    session(&verifier, &token);
    let before = verifier.cache_stats();
    assert_eq!((before.hits, before.sessions), (2, 1));
    store.replace(KeySet::new([key("new")]).unwrap());
    assert_eq!(refusal(&verifier, &token), Some(Kind::TokenUnacceptable));
    let after = verifier.cache_stats();
    assert_eq!((after.hits, after.sessions), (2, 0));
    assert!(after.bytes < before.bytes);
    // Back again: what was cached before the swap stays forgotten.
    store.replace(KeySet::new([key("old")]).unwrap());
    session(&verifier, &token);
    assert_eq!(verifier.cache_stats().hits, 2);
}

#[test]
fn revocation_is_asked_at_each_request() {
    let list = RevocationList::with_clock(now);
    let verifier = builder().revocation(list.clone()).build().unwrap();
    let layer = SessionLayer::new(verifier.clone());
    let see = || see_session(&layer, bearer(&good_token()));
    let id = see().unwrap().unwrap().id().clone();
    see().unwrap();
    see().unwrap();
    assert_eq!(verifier.cache_stats().hits, 1);
    list.revoke(&Revocation::session(
        crate::support::ISSUER,
        &id,
        now() + chrono::TimeDelta::hours(2),
    ));
    assert_eq!(see().unwrap_err(), Kind::SessionRevoked);
}

#[test]
fn a_call_that_says_another_culture_leaves_the_cached_session_as_it_is() {
    let verifier = verifier();
    let headers = tower_session_token::ClientHeaders::all();
    let layer = SessionLayer::new(verifier.clone()).client_headers(headers);
    for _ in 0..3 {
        let mut request = bearer(&good_token());
        request
            .headers_mut()
            .insert("client-culture", "fr".parse().unwrap());
        let session = see_session(&layer, request).unwrap().unwrap();
        assert_eq!(session.client_culture().as_str(), "fr");
        let session = see_session(&layer, bearer(&good_token())).unwrap().unwrap();
        assert_eq!(session.client_culture().as_str(), "ru-RU");
    }
    assert_eq!(verifier.cache_stats().hits, 4);
}

#[test]
fn a_flood_of_tokens_stays_within_the_bound() {
    for max_bytes in [1, 1000, 100_000, MEBIBYTE] {
        let verifier = builder().cache_bytes(max_bytes).build().unwrap();
        let hot = good_token();
        for token in distinct(2000) {
            for _ in 0..2 {
                session(&verifier, &token);
                assert!(verifier.cache_stats().bytes <= max_bytes, "of {max_bytes}");
            }
            session(&verifier, &hot);
        }
        let stats = verifier.cache_stats();
        let roomy = max_bytes >= 100_000;
        assert_eq!(stats.evictions > 0, roomy, "of {max_bytes}: {stats:?}");
        // What is of use all the time stays.
        assert_eq!(stats.hits > 1900, roomy, "of {max_bytes}: {stats:?}");
        let is_full = stats.bytes > max_bytes / 2;
        assert!(is_full || !roomy, "of {max_bytes}: {stats:?}");
    }
}

#[test]
fn tokens_that_come_once_push_nobody_out() {
    let verifier = builder().cache_bytes(MEBIBYTE).build().unwrap();
    let hot: Vec<_> = distinct(50).collect();
    for token in hot.iter().cycle().take(5 * 50) {
        session(&verifier, token);
    }
    let sessions = verifier.cache_stats().sessions;
    assert_eq!(sessions, 50);
    for at in 0..5000 {
        session(&verifier, &token(&json!({ "jti": format!("once {at}") })));
    }
    let stats = verifier.cache_stats();
    assert_eq!((stats.sessions, stats.evictions), (sessions, 0));
}

#[test]
fn all_threads_together_stay_within_the_bound() {
    let verifier = builder().cache_bytes(MEBIBYTE).build().unwrap();
    let tokens: Vec<_> = distinct(600).collect();
    thread::scope(|scope| {
        let work = || {
            for token in tokens.iter().flat_map(|it| [it; 3]) {
                session(&verifier, token);
                assert!(verifier.cache_stats().bytes <= MEBIBYTE);
            }
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        // Not the scope's own wait, which ends before the threads do.
        threads.into_iter().for_each(|it| it.join().unwrap());
    });
    // The threads have ended: their memory is free, and what they counted is not lost.
    let stats = verifier.cache_stats();
    assert_eq!((stats.sessions, stats.bytes), (0, 0));
    assert_eq!(stats.hits + stats.misses, 4 * 3 * 600);
    assert!(stats.hits > 0);
}

#[test]
fn threads_that_wait_leave_room_for_one_that_works() {
    // Twice: they keep the token, and so have a share.
    for times in [1, 2] {
        let verifier = builder().cache_bytes(MEBIBYTE).build().unwrap();
        let many: Vec<_> = distinct(600).collect();
        let hot: Vec<_> = distinct(5).collect();
        for token in many.iter().chain(&many) {
            session(&verifier, token);
        }
        thread::scope(|scope| {
            let (host, guests) = meeting(64);
            for guest in guests {
                let (verifier, hot) = (&verifier, &hot);
                scope.spawn(move || {
                    for _ in 0..times {
                        session(verifier, &hot[0]);
                    }
                    guest.wait();
                    // Until the other has worked.
                    guest.wait();
                });
            }
            host.wait();
            for token in many.iter().chain(&many) {
                session(&verifier, token);
            }
            let before = verifier.cache_stats();
            for token in hot.iter().cycle().take(1000) {
                session(&verifier, token);
            }
            let after = verifier.cache_stats();
            host.wait();
            let hits = after.hits - before.hits;
            assert!(hits > 800, "{hits} of 1000, {after:?}");
        });
    }
}

#[test]
fn a_thread_that_has_everything_gives_way_to_another() {
    let verifier = builder().cache_bytes(MEBIBYTE).build().unwrap();
    let (many, hot) = (distinct(800).collect::<Vec<_>>(), good_token());
    for token in many.iter().cycle().take(8 * many.len()) {
        session(&verifier, token);
    }
    let hit = many
        .iter()
        .find(|it| {
            let before = verifier.cache_stats().hits;
            session(&verifier, it);
            verifier.cache_stats().hits > before
        })
        .unwrap();
    thread::scope(|scope| {
        let (host, guests) = meeting(1);
        for guest in guests {
            let (verifier, hot) = (&verifier, &hot);
            scope.spawn(move || {
                session(verifier, hot);
                session(verifier, hot);
                // It has asked for its share, and goes on when it was given.
                guest.wait();
                guest.wait();
                // Let in at the latest when its patience ends.
                for _ in 0..20 {
                    session(verifier, hot);
                }
                guest.wait();
            });
        }
        host.wait();
        let before = verifier.cache_stats();
        // It only finds what it looks for; what it does not give back is no other thread's.
        for _ in 0..20_000 {
            session(&verifier, hit);
            if verifier.cache_stats().sessions < before.sessions / 2 {
                break;
            }
        }
        let before = verifier.cache_stats();
        host.wait();
        host.wait();
        let hits = verifier.cache_stats().hits - before.hits;
        assert!(hits >= 10, "{hits} of 20");
    });
}

#[test]
fn a_clock_that_swaps_the_keys_brings_no_session_of_the_old_ones_back() {
    let key = |id: &str| VerifyingKey::hs256(SECRET).unwrap().with_id(id);
    let store = KeyStore::new(KeySet::new([key("old")]).unwrap());
    let sign_by = |id: &str| {
        let mut named = header();
        named["kid"] = json!(id);
        sign(&named, &claims(&json!({})).to_string())
    };
    let (old, new) = (sign_by("old"), sign_by("new"));
    // At its second time the old token is judged by the old keys, and meanwhile the table
    // has come to know the new ones.
    let inner = OnceLock::<SessionVerifier>::new();
    let inner = Arc::new(inner);
    let (times, within) = (AtomicI64::new(0), Arc::clone(&inner));
    let (swapped, seen) = (store.clone(), new.clone());
    let verifier = SessionVerifier::builder()
        .key_store(store)
        .any_issuer()
        .any_audience()
        .clock(move || {
            if times.fetch_add(1, Ordering::SeqCst) == 1 {
                swapped.replace(KeySet::new([key("new")]).unwrap());
                session(within.get().unwrap(), &seen);
            }
            now()
        })
        .build()
        .unwrap();
    inner.set(verifier.clone()).unwrap();
    session(&verifier, &old);
    session(&verifier, &old);
    assert_eq!(refusal(&verifier, &old), Some(Kind::TokenUnacceptable));
}

#[test]
fn a_verifier_that_is_gone_leaves_nothing_that_answers() {
    let token = good_token();
    for _ in 0..20 {
        let verifier = verifier();
        session(&verifier, &token);
        session(&verifier, &token);
        assert_eq!(verifier.cache_stats().hits, 0);
    }
}

proptest! {
    /// Whatever a token's times and the clock, the answer is that of a verifier without a cache.
    #[test]
    fn the_answer_is_that_of_no_cache(
        iat in prop::option::of(-200..200_i64),
        nbf in prop::option::of(-200..200_i64),
        exp in -200..400_i64,
        leeway in 0..100_u64,
        longest in prop::option::of(1..300_u64),
        clock in prop::collection::vec(-400..600_i64, 1..30),
    ) {
        let at = |moment: Option<i64>| moment.map(|it| json!(NOW + it)).unwrap_or_default();
        let claims = claims(&json!({ "iat": at(iat), "nbf": at(nbf), "exp": NOW + exp }));
        let token = sign(&json!({ "alg": "HS256", "typ": "JWT" }), &claims.to_string());
        let configured = |cache_bytes| {
            let mut builder = builder()
                .accept_type(TokenType::Jwt)
                .leeway(std::time::Duration::from_secs(leeway))
                .cache_bytes(cache_bytes);
            if let Some(longest) = longest {
                builder = builder.max_lifetime(std::time::Duration::from_secs(longest));
            }
            verifier_at(builder)
        };
        let ((cached, one), (plain, two)) = (configured(MEBIBYTE), configured(0));
        let mut accepted = 0;
        for moment in clock {
            for _ in 0..3 {
                one.store(moment, Ordering::SeqCst);
                two.store(moment, Ordering::SeqCst);
                let answers = [&cached, &plain].map(|it| it.verify(token.as_bytes()));
                prop_assert_eq!(answers.each_ref().map(|it| it.as_ref().err()).map(|it| it.map(SessionError::kind)),
                    [refusal(&plain, &token); 2]);
                if let [Ok(cached), Ok(plain)] = answers {
                    prop_assert_eq!(cached.client_context(), plain.client_context());
                    prop_assert_eq!(cached.id(), plain.id());
                    prop_assert_eq!(cached.client_kind(), plain.client_kind());
                    accepted += 1;
                }
            }
        }
        // Twice it is verified; a moment at which it is refused, or has another offset, begins anew.
        prop_assert!(accepted < 3 || cached.cache_stats().hits > 0);
    }
}
