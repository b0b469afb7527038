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
    NOW, SECRET, bearer, builder, bytes_per_thread, claims, good_token, header, meeting, now,
    rejection, see_session, sign, token, verifier,
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
fn a_token_is_verified_twice_and_then_found_in_the_cache() {
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
fn the_layer_uses_the_cache() {
    let verifier = verifier();
    let layer = SessionLayer::new(verifier.clone());
    for _ in 0..5 {
        let session = see_session(&layer, bearer(&good_token())).unwrap().unwrap();
        assert_eq!(session.server_code(), Some("main"));
    }
    assert_eq!(verifier.cache_stats().hits, 3);
}

#[test]
fn cache_bytes_of_0_turns_the_cache_off() {
    let verifier = builder().cache_bytes(0).build().unwrap();
    for _ in 0..5 {
        session(&verifier, &good_token());
    }
    assert_eq!(verifier.cache_stats(), CacheStats::default());
}

#[test]
fn clones_of_a_verifier_share_a_cache_and_two_verifiers_do_not() {
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
        assert_eq!(rejection(&other, &token), Some(Kind::AudienceInvalid));
    }
    assert_eq!(other.cache_stats().sessions, 0);
}

#[test]
fn a_token_that_differs_in_one_byte_is_a_miss() {
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
    assert_eq!(rejection(&verifier, &mixed), Some(Kind::SignatureInvalid));
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
fn a_rejected_token_is_never_cached() {
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
            assert_eq!(rejection(&good, &token), Some(want));
        }
    }
    let stats = good.cache_stats();
    assert_eq!((stats.hits, stats.misses, stats.sessions), (0, 0, 0));
}

#[test]
fn an_expired_token_is_rejected_and_its_entry_removed() {
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
    assert_eq!(rejection(&verifier, &token), Some(Kind::TokenExpired));
    assert_eq!(verifier.cache_stats().sessions, 0);
}

#[test]
fn a_clock_that_goes_back_finds_no_session_that_is_not_yet_valid() {
    let (verifier, later) = verifier_at(builder());
    let token = token(&json!({ "nbf": NOW - 10, "iat": NOW - 20 }));
    for _ in 0..3 {
        session(&verifier, &token);
    }
    later.store(-70, Ordering::SeqCst);
    session(&verifier, &token);
    later.store(-71, Ordering::SeqCst);
    assert_eq!(rejection(&verifier, &token), Some(Kind::TokenNotYetValid));
    assert_eq!(verifier.cache_stats().hits, 2);
}

#[test]
fn expired_sessions_make_room_for_new_ones() {
    let (verifier, later) = verifier_at(builder().cache_bytes(bytes_per_thread(100_000)));
    for token in distinct(200).flat_map(|token| [token.clone(), token]) {
        session(&verifier, &token);
    }
    let full = verifier.cache_stats();
    assert!(full.sessions > 20 && full.evictions > 0, "{full:?}");
    later.store(7200, Ordering::SeqCst);
    let new =
        |at: usize| token(&json!({ "jti": format!("new {at}"), "exp": NOW + 10_000, "iat": NOW }));
    // One insertion in eight looks for room, and finds it for many.
    for token in (0..20).map(new).flat_map(|token| [token.clone(), token]) {
        session(&verifier, &token);
    }
    let hits = verifier.cache_stats().hits;
    (0..20)
        .map(new)
        .for_each(|token| _ = session(&verifier, &token));
    let stats = verifier.cache_stats();
    assert!(stats.hits >= hits + 13, "{full:?} {stats:?}");
    assert_eq!(stats.evictions, full.evictions);
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
    let hits = verifier.cache_stats().hits;
    assert_eq!(hits, 3);
    // A clock that goes back beyond the change, and the last instant before it.
    let change = 1_774_746_000 - NOW;
    for (second, want) in [
        (0, "+01:00"),
        (change - 1, "+01:00"),
        (change, "+02:00"),
        (change - 1, "+01:00"),
    ] {
        later.store(second, Ordering::SeqCst);
        for _ in 0..3 {
            assert_eq!(offset(&verifier), want, "{second}");
        }
    }
    assert!(verifier.cache_stats().hits > hits);
}

#[cfg(feature = "time_zone")]
#[test]
fn the_offset_of_the_default_zone_follows_the_clock() {
    let builder = builder()
        .max_lifetime(std::time::Duration::MAX)
        .default_time_zone("Europe/Berlin");
    let (verifier, later) = verifier_at(builder);
    let plain = token(&json!({ "utc_offset": null, "exp": NOW + 100 * 86_400 }));
    for (days, want) in [(0, "+01:00"), (80, "+02:00"), (0, "+01:00")] {
        later.store(days * 86_400, Ordering::SeqCst);
        for _ in 0..3 {
            let session = session(&verifier, &plain);
            assert_eq!(session.client_utc_offset().to_string(), want);
        }
    }
    assert!(verifier.cache_stats().hits > 0);
}

#[test]
fn a_swap_of_keys_empties_the_cache() {
    let key = |id: &str| VerifyingKey::hs256(SECRET).unwrap().with_id(id);
    let store = KeyStore::new(KeySet::new([key("old")]).unwrap());
    let verifier = SessionVerifier::builder()
        .keys(store.clone())
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
    assert_eq!(rejection(&verifier, &token), Some(Kind::TokenUnacceptable));
    let after = verifier.cache_stats();
    assert_eq!((after.hits, after.sessions), (2, 0));
    assert!(after.bytes < before.bytes);
    // Back again: what was cached before the swap stays forgotten.
    store.replace(KeySet::new([key("old")]).unwrap());
    session(&verifier, &token);
    assert_eq!(verifier.cache_stats().hits, 2);
}

#[test]
fn revocation_is_checked_at_each_hit() {
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
fn client_headers_leave_the_cached_session_as_it_is() {
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
fn a_flood_of_tokens_stays_within_cache_bytes() {
    for per_thread in [0, 1, 1000, 2000, 3000, 100_000, MEBIBYTE] {
        let max_bytes = bytes_per_thread(per_thread).max(1);
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
        let roomy = per_thread >= 100_000;
        assert!(stats.evictions > 0 || !roomy, "of {max_bytes}: {stats:?}");
        // A token that is hit all the time stays.
        assert!(stats.hits > 1900 || !roomy, "of {max_bytes}: {stats:?}");
        let is_full = stats.bytes > per_thread / 2;
        assert!(is_full || !roomy, "of {max_bytes}: {stats:?}");
    }
}

#[test]
fn tokens_seen_once_evict_no_session() {
    let verifier = builder()
        .cache_bytes(bytes_per_thread(MEBIBYTE))
        .build()
        .unwrap();
    let hot: Vec<_> = distinct(50).collect();
    for token in hot.iter().cycle().take(5 * 50) {
        session(&verifier, token);
    }
    // Where tokens go is random, so that a pair of sets may fill up and evict a few.
    let before = verifier.cache_stats();
    assert!(before.sessions > 40, "{before:?}");
    for at in 0..5000 {
        session(&verifier, &token(&json!({ "jti": format!("once {at}") })));
    }
    let stats = verifier.cache_stats();
    // The filter takes one in 64 for known, at most.
    assert!(stats.sessions < 50 + 5000 / 64, "{stats:?}");
    assert!(stats.evictions < before.evictions + 10, "{stats:?}");
    hot.iter().for_each(|token| _ = session(&verifier, token));
    assert!(verifier.cache_stats().hits > stats.hits + 35, "{stats:?}");
}

#[test]
fn all_threads_together_stay_within_cache_bytes() {
    // Twice as many as may have a table.
    let threads = bytes_per_thread(2);
    let max_bytes = bytes_per_thread(MEBIBYTE / 2);
    let verifier = builder().cache_bytes(max_bytes).build().unwrap();
    let tokens: Vec<_> = distinct(300).collect();
    let (misses, hits) = thread::scope(|scope| {
        let (host, guests) = meeting(threads);
        let threads: Vec<_> = guests
            .into_iter()
            .map(|guest| {
                let (verifier, tokens) = (&verifier, &tokens);
                scope.spawn(move || {
                    for token in tokens.iter().flat_map(|token| [token; 3]) {
                        session(verifier, token);
                        assert!(verifier.cache_stats().bytes <= max_bytes);
                    }
                    guest.wait();
                })
            })
            .collect();
        host.wait();
        let stats = verifier.cache_stats();
        // Not the scope's own wait, which ends before the threads do.
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        (stats.misses, stats.hits)
    });
    // Threads without a table do not count.
    assert_eq!(hits + misses, u64::try_from(threads / 2 * 900).unwrap());
    assert!(hits > 0);
    // The threads have ended: their memory is free, their counts are kept, and others may have a table.
    let stats = verifier.cache_stats();
    assert_eq!(
        (stats.sessions, stats.bytes, stats.hits, stats.misses),
        (0, 0, hits, misses)
    );
    thread::scope(|scope| {
        let thread = scope.spawn(|| (0..3).for_each(|_| _ = session(&verifier, &tokens[0])));
        thread.join().unwrap();
    });
    assert_eq!(verifier.cache_stats().hits, hits + 1);
}

#[test]
fn a_session_verified_during_a_swap_of_keys_is_not_found_after_it() {
    let key = |id: &str| VerifyingKey::hs256(SECRET).unwrap().with_id(id);
    let store = KeyStore::new(KeySet::new([key("old")]).unwrap());
    let sign_by = |id: &str| {
        let mut named = header();
        named["kid"] = json!(id);
        sign(&named, &claims(&json!({})).to_string())
    };
    let (old, new) = (sign_by("old"), sign_by("new"));
    // The first reading of the clock is before `iat`, so that it is read again once the key is
    // chosen: then the keys are swapped, and the table has met the new generation when the session of
    // the old one is noted.
    let inner = Arc::new(OnceLock::<SessionVerifier>::new());
    let (times, within) = (AtomicI64::new(0), Arc::clone(&inner));
    let (swapped, seen) = (store.clone(), new.clone());
    let verifier = SessionVerifier::builder()
        .keys(store)
        .any_issuer()
        .any_audience()
        .leeway(std::time::Duration::ZERO)
        .clock(move || match times.fetch_add(1, Ordering::SeqCst) {
            1 => DateTime::from_timestamp(NOW - 61, 0).unwrap(),
            2 => {
                swapped.replace(KeySet::new([key("new")]).unwrap());
                session(within.get().unwrap(), &seen);
                now()
            }
            _ => now(),
        })
        .build()
        .unwrap();
    inner.set(verifier.clone()).unwrap();
    session(&verifier, &old);
    session(&verifier, &old);
    assert_eq!(verifier.cache_stats().misses, 3);
    assert_eq!(rejection(&verifier, &old), Some(Kind::TokenUnacceptable));
    assert_eq!(verifier.cache_stats().hits, 0);
}

#[test]
fn a_new_verifier_finds_no_session_of_a_dropped_one() {
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
    fn a_verifier_with_a_cache_answers_as_one_without(
        iat in prop::option::of(-200..200_i64),
        nbf in prop::option::of(-200..200_i64),
        exp in -200..400_i64,
        leeway in 0..100_u64,
        longest in prop::option::of(1..300_u64),
        clock in prop::collection::vec(-400..600_i64, 1..30),
    ) {
        let at = |moment: Option<i64>| moment.map(|value| json!(NOW + value)).unwrap_or_default();
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
                let answers = [&cached, &plain].map(|value| value.verify(token.as_bytes()));
                prop_assert_eq!(answers.each_ref().map(|value| value.as_ref().err()).map(|value| value.map(SessionError::kind)),
                    [rejection(&plain, &token); 2]);
                if let [Ok(cached), Ok(plain)] = answers {
                    prop_assert_eq!(cached.client_context(), plain.client_context());
                    prop_assert_eq!(cached.id(), plain.id());
                    prop_assert_eq!(cached.client_kind(), plain.client_kind());
                    accepted += 1;
                }
            }
        }
        // Twice it is verified; a moment at which it is rejected, or has another offset, begins again.
        prop_assert!(accepted < 3 || cached.cache_stats().hits > 0);
    }
}
