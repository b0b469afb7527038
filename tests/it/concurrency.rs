//! Keys are swapped and sessions revoked while other threads verify.
//!
//! No test waits for time. A writer says in one number what it is about to do, and in another what
//! it has done; a reader reads `done` before it verifies and `begun` after, and so knows what must
//! have been the answer, however the threads ran.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use tower_session_token::{
    KeySet, KeyStore, Revocation, RevocationCheck, RevocationList, RevocationStatus, Session,
    SessionErrorKind as Kind, SessionId, SessionLayer, SessionVerifier, SessionVerifierBuilder,
    SigningKey, User, testing::TestIssuer,
};

use crate::support::{
    AUDIENCE, Guest, ISSUER, bearer, bytes_per_thread, meeting, now, rejection, see_session,
};

const SWAPS: usize = 80;
const REVOCATIONS: usize = 80;
const READERS: usize = 3;
/// How many rounds all readers together make between two changes, at least.
const ROUNDS_PER_CHANGE: usize = 2;

/// Bytes for each thread: none, too few for all entries, and room for all of them.
const CACHES: [usize; 3] = [0, 20_000, 1 << 20];

fn key(id: &str, secret: usize) -> SigningKey {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&secret.to_le_bytes());
    SigningKey::hs256(bytes).unwrap().with_id(id)
}

fn set(keys: &[SigningKey]) -> KeySet {
    KeySet::new(keys.iter().map(SigningKey::verifying_key)).unwrap()
}

fn token(key: &SigningKey, issuer: &str, session: &str) -> String {
    let issuer = TestIssuer::with_key(key.clone()).issuer(issuer);
    issuer.clock().set(now());
    let token = issuer.audience(AUDIENCE).token(User::new("ann"));
    token.with("sid", session).issue()
}

fn verifier(store: &KeyStore, cache_bytes: usize) -> SessionVerifier {
    builder(store, cache_bytes).build().unwrap()
}

fn builder(store: &KeyStore, cache_bytes: usize) -> SessionVerifierBuilder {
    SessionVerifier::builder()
        .keys(store.clone())
        .any_issuer()
        .audience(AUDIENCE)
        .clock(now)
        .cache_bytes(cache_bytes)
}

fn until() -> chrono::DateTime<chrono::Utc> {
    now() + chrono::TimeDelta::hours(1)
}

/// A row of changes, one after the other.
#[derive(Default)]
struct Changes {
    begun: AtomicUsize,
    done: AtomicUsize,
}

impl Changes {
    fn make(&self, number: usize, change: impl FnOnce()) {
        self.begun.store(number, Ordering::SeqCst);
        change();
        self.done.store(number, Ordering::SeqCst);
    }
}

/// Lets readers and writers run side by side on however few processors.
#[derive(Default)]
struct Pace {
    rounds: AtomicUsize,
    writers_left: AtomicUsize,
    /// A thread panicked, and nobody must wait for it.
    broken: AtomicBool,
}

impl Pace {
    /// Until the readers have made so many rounds.
    fn wait_for(&self, rounds: usize) {
        while self.rounds.load(Ordering::SeqCst) < rounds && !self.broken.load(Ordering::SeqCst) {
            thread::yield_now();
        }
    }

    fn runs(&self) -> bool {
        self.writers_left.load(Ordering::SeqCst) > 0 && !self.broken.load(Ordering::SeqCst)
    }
}

struct Breaks<'a>(&'a Pace);

impl Drop for Breaks<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.broken.store(true, Ordering::SeqCst);
        }
    }
}

/// The keys of each swap. One is always there; `named` has another id each time; `turning` keeps
/// its id and has another secret.
struct Tokens {
    steady: String,
    named: Vec<String>,
    turning: Vec<String>,
    sessions: Vec<String>,
}

fn keys_of(swap: usize) -> [SigningKey; 3] {
    [
        key("steady", 0),
        key(&format!("named-{swap}"), swap),
        key("turning", swap),
    ]
}

impl Tokens {
    fn sign() -> Self {
        let of = |at: usize| {
            (0..=SWAPS)
                .map(|swap| token(&keys_of(swap)[at], ISSUER, "s"))
                .collect()
        };
        Self {
            steady: token(&key("steady", 0), ISSUER, "s"),
            named: of(1),
            turning: of(2),
            sessions: (0..REVOCATIONS)
                .map(|at| token(&key("steady", 0), ISSUER, &format!("session {at}")))
                .collect(),
        }
    }
}

/// What must come of a token whose key is in the set of one swap alone.
fn check_swapped(swaps: &Changes, of: usize, gone: Kind, verify: impl Fn() -> Option<Kind>) {
    let done = swaps.done.load(Ordering::SeqCst);
    let rejected = verify();
    let begun = swaps.begun.load(Ordering::SeqCst);
    if done > of || begun < of {
        assert_eq!(rejected, Some(gone), "key {of} after swap {done}");
    } else if done == of && begun == of {
        assert_eq!(rejected, None, "key {of} at swap {done}");
    } else {
        assert!(
            rejected.is_none_or(|value| value == gone),
            "key {of}, {rejected:?}"
        );
    }
}

fn check_revoked(
    revocations: &Changes,
    number: usize,
    see: impl Fn() -> Result<Option<Session>, Kind>,
) {
    let done = revocations.done.load(Ordering::SeqCst);
    let seen = see();
    let begun = revocations.begun.load(Ordering::SeqCst);
    let rejected = seen.as_ref().err();
    if number <= done {
        assert_eq!(rejected, Some(&Kind::SessionRevoked), "session {number}");
    } else if number > begun {
        assert_eq!(rejected, None, "session {number}");
    } else {
        assert!(rejected.is_none_or(|value| *value == Kind::SessionRevoked));
    }
}

#[test]
fn withdrawn_keys_and_revoked_sessions_are_rejected_and_all_else_accepted() {
    let tokens = Tokens::sign();
    for cache_bytes in CACHES {
        swap_and_revoke_under(&tokens, bytes_per_thread(cache_bytes));
    }
}

fn swap_and_revoke_under(tokens: &Tokens, cache_bytes: usize) {
    let store = KeyStore::new(set(&keys_of(0)));
    let list = RevocationList::with_clock(now);
    let verifier = builder(&store, cache_bytes).revocation(list.clone());
    let verifier = verifier.build().unwrap();
    let layer = SessionLayer::new(verifier.clone());
    let (swaps, revocations, pace) = (Changes::default(), Changes::default(), Pace::default());
    pace.writers_left.store(2, Ordering::SeqCst);

    let read = |reader: usize| {
        let _breaks = Breaks(&pace);
        let mut round = reader;
        // One time more when all is done, so that the last state is looked at too.
        let mut is_last = false;
        loop {
            let swap = swaps.done.load(Ordering::SeqCst);
            // The set before, that of now, the next one, and an old one.
            for of in [
                swap.saturating_sub(1),
                swap,
                (swap + 1).min(SWAPS),
                round % SWAPS,
            ] {
                // Seen three times, a token is in the cache.
                for _ in 0..3 {
                    let named = || rejection(&verifier, &tokens.named[of]);
                    check_swapped(&swaps, of, Kind::TokenUnacceptable, named);
                    let turning = || rejection(&verifier, &tokens.turning[of]);
                    check_swapped(&swaps, of, Kind::SignatureInvalid, turning);
                    assert_eq!(rejection(&verifier, &tokens.steady), None);
                }
            }
            let next = revocations.done.load(Ordering::SeqCst);
            for at in [next.saturating_sub(1), next, round] {
                let at = at % REVOCATIONS;
                for _ in 0..3 {
                    let see = || see_session(&layer, bearer(&tokens.sessions[at]));
                    // The first revocation has the number 1.
                    check_revoked(&revocations, at + 1, see);
                }
            }
            assert!(verifier.cache_stats().bytes <= cache_bytes);
            pace.rounds.fetch_add(1, Ordering::SeqCst);
            round += 1;
            if is_last {
                return;
            }
            is_last = !pace.runs();
        }
    };
    let write = |changes: &Changes, count: usize, change: &dyn Fn(usize)| {
        let _breaks = Breaks(&pace);
        for number in 1..=count {
            pace.wait_for(number * ROUNDS_PER_CHANGE);
            changes.make(number, || change(number));
        }
        pace.writers_left.fetch_sub(1, Ordering::SeqCst);
    };
    thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|reader| {
                let read = &read;
                scope.spawn(move || read(reader))
            })
            .collect();
        scope.spawn(|| {
            write(&swaps, SWAPS, &|swap| {
                let generation = store.replace(set(&keys_of(swap)));
                assert_eq!(generation, u64::try_from(swap).unwrap() + 1);
            });
        });
        scope.spawn(|| {
            write(&revocations, REVOCATIONS, &|number| {
                let session = SessionId::from(format!("session {}", number - 1));
                list.revoke(&Revocation::session(ISSUER, &session, until()));
            });
        });
        // Not the scope's own wait, which ends before the threads do.
        readers
            .into_iter()
            .for_each(|reader| reader.join().unwrap());
    });
    let stats = verifier.cache_stats();
    assert_eq!((stats.sessions, stats.bytes), (0, 0), "{cache_bytes}");
    // In the last round each token was looked at three times with the same keys.
    assert_eq!(stats.hits > 0, cache_bytes > 0, "{cache_bytes}");
    assert_eq!(list.len(), REVOCATIONS);
}

#[test]
fn writers_of_one_store_take_turns() {
    const WRITERS: usize = 4;
    const TURNS: usize = 300;

    let withdrawn = key("withdrawn", 0);
    let steady = key("steady", 0);
    let writer_key = |writer: usize| key(&format!("writer-{writer}"), writer);
    let store = KeyStore::new(set(&[withdrawn.clone(), steady.clone()]));
    let verifier = verifier(&store, 1 << 20);
    let (old, good) = (token(&withdrawn, ISSUER, "s"), token(&steady, ISSUER, "s"));
    let own: Vec<_> = (0..WRITERS)
        .map(|writer| token(&writer_key(writer), ISSUER, "s"))
        .collect();
    for _ in 0..3 {
        assert_eq!(rejection(&verifier, &old), None);
    }

    let write = |writer: usize| {
        let mut generations = Vec::new();
        for turn in 0..TURNS {
            // An equal set would not be a swap.
            let own = key(&format!("turn-{writer}-{turn}"), 0);
            let generation = store.replace(set(&[steady.clone(), writer_key(writer), own]));
            assert!(store.generation() >= generation);
            // No set that anybody puts in force has the old key, and each has the steady one.
            assert_eq!(rejection(&verifier, &old), Some(Kind::TokenUnacceptable));
            assert_eq!(rejection(&verifier, &good), None);
            generations.push((generation, writer));
        }
        generations
    };
    let mut generations: Vec<_> = thread::scope(|scope| {
        let (host, guests) = meeting(WRITERS);
        let threads: Vec<_> = guests
            .into_iter()
            .enumerate()
            .map(|(writer, guest)| {
                let write = &write;
                scope.spawn(move || {
                    guest.wait();
                    write(writer)
                })
            })
            .collect();
        host.wait();
        let ended = threads.into_iter().map(|thread| thread.join().unwrap());
        ended.flatten().collect()
    });

    // Each swap has a number of its own, and none is left out.
    generations.sort_unstable();
    let numbers = generations.iter().map(|(generation, _)| *generation);
    assert!(numbers.eq(2..=u64::try_from(WRITERS * TURNS).unwrap() + 1));
    // In force is the set of whoever got the last number.
    let (last, winner) = *generations.last().unwrap();
    assert_eq!(store.generation(), last);
    for (writer, token) in own.iter().enumerate() {
        let want = (writer != winner).then_some(Kind::TokenUnacceptable);
        assert_eq!(rejection(&verifier, token), want, "of writer {writer}");
    }
}

#[test]
fn of_an_issuer_that_several_threads_revoke_first_nothing_is_lost() {
    const THREADS: usize = 4;
    const ISSUERS: usize = 600;

    let key = key("steady", 0);
    let verifier = verifier(&KeyStore::new(set(std::slice::from_ref(&key))), 0);
    let list = RevocationList::with_clock(now);
    let sessions: Vec<Vec<_>> = (0..ISSUERS)
        .map(|issuer| {
            let issuer = format!("https://{issuer}.example");
            let session = |thread| {
                let token = token(&key, &issuer, &format!("of thread {thread}"));
                verifier.verify(token.as_bytes()).unwrap()
            };
            (0..THREADS).map(session).collect()
        })
        .collect();
    let is_revoked = |session: &Session| list.check(session) == RevocationStatus::Revoked;
    let revoke = |thread: usize, guest: &Guest| {
        for of_issuer in &sessions {
            let own = &of_issuer[thread];
            assert!(!is_revoked(own), "it was not yet");
            guest.wait();
            let issuer = own.token().unwrap().issuer().unwrap();
            list.revoke(&Revocation::session(issuer, own.id(), until()));
            assert!(is_revoked(own), "a revocation was lost");
        }
    };
    thread::scope(|scope| {
        let (host, guests) = meeting(THREADS);
        for (thread, guest) in guests.into_iter().enumerate() {
            let revoke = &revoke;
            scope.spawn(move || revoke(thread, &guest));
        }
        sessions.iter().for_each(|_| host.wait());
    });
    assert!(sessions.iter().flatten().all(is_revoked));
    assert_eq!(list.len(), THREADS * ISSUERS);
}

#[test]
fn the_counts_of_the_cache_are_exact_when_threads_come_and_go() {
    const TIMES: u64 = 20;

    let steady = key("steady", 0);
    let store = KeyStore::new(set(std::slice::from_ref(&steady)));
    let max_bytes = bytes_per_thread(30_000);
    let verifier = verifier(&store, max_bytes);
    let tokens: Vec<_> = (0..40)
        .map(|at| token(&steady, ISSUER, &format!("session {at}")))
        .collect();
    let turns = AtomicUsize::new(0);
    let work = || {
        for token in tokens.iter().flat_map(|token| [token; 3]) {
            assert_eq!(rejection(&verifier, token), None);
            assert!(verifier.cache_stats().bytes <= max_bytes);
        }
        // An equal set would leave the cache as it is.
        let turn = turns.fetch_add(1, Ordering::SeqCst);
        store.replace(set(&[steady.clone(), key("other", turn)]));
    };
    for _ in 0..TIMES {
        thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
            threads
                .into_iter()
                .for_each(|thread| thread.join().unwrap());
        });
        // Anything that was counted wrong would stay, and in the end nothing would fit.
        let stats = verifier.cache_stats();
        assert_eq!((stats.sessions, stats.bytes), (0, 0));
    }
    // Threads without a table do not count.
    let stats = verifier.cache_stats();
    let verified = TIMES * 4 * 40 * 3;
    assert!(
        (TIMES * 40 * 3..=verified).contains(&(stats.hits + stats.misses)),
        "{stats:?}"
    );
    assert!(stats.hits > 0, "{stats:?}");
}
