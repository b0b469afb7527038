//! Requests while keys are swapped, sessions are revoked, the clock is set and futures are
//! dropped: each answer is that of a model which remembers no token.
//!
//! An input is a list of steps. Three layers, which differ in the size of their verifier's cache
//! alone, get the same requests.

#![no_main]

use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::Future,
    iter,
    pin::Pin,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use arbitrary::Arbitrary;
use chrono::{DateTime, Utc};
use http::{Request, Response};
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use tower::{Layer, Service, service_fn};
use tower_session_token::{
    KeySet, KeyStore, Revocation, RevocationList, Session, SessionContext, SessionError, SessionId,
    SessionLayer, SessionVerifier, TokenType, User, UserId,
};
use tower_session_token_fuzz::{
    culture,
    setup::{AUDIENCE, ISSUER, KIDS, NOW, secret_key, sign},
};

const LEEWAY: i64 = 60;
const DAY: i64 = 24 * 60 * 60;

/// A claims set, as far as it differs from the others.
struct Token {
    text: String,
    kid: Option<usize>,
    /// With which secret it is signed.
    secret: usize,
    typ: &'static str,
    sub: &'static str,
    sid: &'static str,
    /// User and session of the one that it is nested in, and when that user authenticated.
    outer: Option<(&'static str, &'static str, i64)>,
    jti: String,
    nbf: i64,
    iat: i64,
    auth_time: Option<i64>,
    exp: i64,
    zone: Option<culture::Zone>,
}

impl Token {
    /// Its session and the one that it is nested in.
    fn sids(&self) -> impl Iterator<Item = &'static str> {
        iter::once(self.sid).chain(self.outer.map(|(_, sid, _)| sid))
    }

    /// Whose these are, and when they began.
    fn users(&self) -> impl Iterator<Item = (&'static str, i64)> {
        let began_at = self.began_at();
        let outer = self.outer.map(|(sub, _, at)| (sub, at.min(began_at)));
        iter::once((self.sub, began_at)).chain(outer)
    }

    /// The earlier of `iat` and `auth_time` in a type of ours, and `iat` in another.
    fn began_at(&self) -> i64 {
        let auth_time = self.auth_time.filter(|_| self.typ != "at+jwt");
        auth_time.unwrap_or(self.iat).min(self.iat)
    }
}

/// A row of [`TOKENS`]: key, secret, type, user, session, the one that it is nested in, `auth_time`,
/// `nbf` and `exp`, the times in seconds from now.
type Row = (
    Option<usize>,
    usize,
    &'static str,
    &'static str,
    &'static str,
    Option<(&'static str, &'static str, i64)>,
    Option<i64>,
    i64,
    i64,
);

static TOKENS: LazyLock<Vec<Token>> = LazyLock::new(|| {
    let outer = Some(("bob", "s1", -18));
    let rows: [Row; 8] = [
        (Some(0), 0, "session+jwt", "ann", "s0", None, None, 0, 600),
        (
            Some(0),
            0,
            "session+jwt",
            "ann",
            "s0",
            None,
            Some(-15),
            300,
            3600,
        ),
        (
            Some(1),
            1,
            "session+jwt",
            "bob",
            "s1",
            None,
            Some(5),
            -600,
            DAY,
        ),
        (Some(0), 1, "session+jwt", "bob", "s2", None, None, 0, 600),
        (
            None,
            0,
            "session+jwt",
            "ann",
            "s3",
            None,
            Some(-5),
            0,
            7 * DAY,
        ),
        (
            Some(1),
            1,
            "nested-session+jwt",
            "cid",
            "s4",
            outer,
            Some(-2),
            0,
            600,
        ),
        (
            Some(0),
            0,
            "at+jwt",
            "ann",
            "s5",
            None,
            Some(-15),
            0,
            400 * DAY,
        ),
        (Some(1), 1, "at+jwt", "dan", "s6", None, None, 0, 400 * DAY),
    ];
    rows.into_iter()
        .enumerate()
        .map(|(at, row)| token(at, row))
        .collect()
});

fn token(at: usize, row: Row) -> Token {
    let (kid, secret, typ, sub, sid, outer, auth_time, nbf, exp) = row;
    let (nbf, iat, exp) = (NOW + nbf, NOW - 10 * i64::from(at == 2), NOW + exp);
    let auth_time = auth_time.map(|value| NOW + value);
    let outer = outer.map(|(sub, sid, at)| (sub, sid, NOW + at));
    let zone = (typ == "at+jwt")
        .then(|| culture::zone("Europe/Berlin"))
        .flatten();
    let jti = format!("t{at}");
    let mut header = json!({ "alg": "HS256", "typ": typ });
    if let Some(kid) = kid {
        header["kid"] = KIDS[kid].into();
    }
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": sub, "sid": sid, "jti": jti, "client_id": "c",
        "nbf": nbf, "iat": iat, "exp": exp,
    });
    if let Some(auth_time) = auth_time {
        claims["auth_time"] = auth_time.into();
    }
    if let Some((sub, sid, auth_time)) = outer {
        claims["act"] = json!({ "sub": sub, "sid": sid, "auth_time": auth_time });
    }
    if let Some(zone) = &zone {
        claims["zoneinfo"] = zone.name.as_str().into();
    }
    Token {
        text: sign(
            secret,
            header.to_string().as_bytes(),
            claims.to_string().as_bytes(),
        ),
        kid,
        secret,
        typ,
        sub,
        sid,
        outer,
        jti,
        nbf,
        iat,
        auth_time,
        exp,
        zone,
    }
}

fuzz_target!(|run: Run| {
    let mut world = World::new(run.small_cache);
    for step in run.steps.iter().take(200) {
        if step.in_other_session {
            let other = Session::system(User::new("other"));
            SessionContext::sync_scope(other.clone(), || {
                world.take(&step.action);
                let current = SessionContext::current();
                assert_eq!(
                    current.map(|value| value.id().clone()),
                    Some(other.id().clone())
                );
            });
        } else {
            world.take(&step.action);
        }
        assert!(SessionContext::current().is_none());
    }
    drop(world);
    assert!(SessionContext::current().is_none());
});

#[derive(Arbitrary, Debug)]
struct Run {
    small_cache: u16,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
struct Step {
    in_other_session: bool,
    action: Action,
}

#[derive(Arbitrary, Debug)]
enum Action {
    /// Several requests with one token, each of which runs to its end.
    Requests {
        token: u8,
        count: u8,
    },
    /// The same without HTTP.
    Verify {
        token: u8,
        count: u8,
    },
    /// A request that stays under way.
    Begin {
        token: u8,
        pending: u8,
    },
    Poll(u8),
    Drop(u8),
    /// Which secret each of the two ids stands for, if any.
    Swap([Option<bool>; 2]),
    RevokeSession(u8),
    RevokeToken(u8),
    RevokeUser {
        token: u8,
        before: i16,
    },
    RevokeIssuer {
        before: i16,
    },
    /// Also forgets what need not be remembered.
    CountRevoked,
    Seconds(i16),
    Hours(i16),
    Days(i8),
    /// To the second at which something changes for a token, and so many beyond.
    Edge {
        token: u8,
        edge: u8,
        beyond: i8,
    },
}

/// What there is, and what the model knows of it.
struct World {
    clock: Arc<AtomicI64>,
    latest: i64,
    store: KeyStore,
    keys: [Option<usize>; 2],
    revoked: RevocationList,
    model: Revoked,
    verifiers: [SessionVerifier; 3],
    cache_bytes: [usize; 3],
    layers: [SessionLayer; 3],
    under_way: Vec<Call>,
}

/// Until when each entry has to be remembered.
#[derive(Default)]
struct Revoked {
    sessions: BTreeMap<&'static str, i64>,
    tokens: BTreeMap<&'static str, i64>,
    /// With the moment before which a token is revoked.
    users: BTreeMap<&'static str, (i64, i64)>,
    issuer: Option<(i64, i64)>,
}

/// A response that is waited for.
struct Call {
    future: Pin<Box<dyn Future<Output = Result<Response<()>, Infallible>>>>,
    expected: Expected,
    left: u8,
}

#[derive(Debug)]
enum Expected {
    Accepted,
    Rejected(&'static str),
    /// Revoked, unless the list has forgotten it by now, which it may.
    Either,
}

impl World {
    fn new(small_cache: u16) -> Self {
        let clock = Arc::new(AtomicI64::new(NOW));
        let now = |clock: &Arc<AtomicI64>| {
            let clock = Arc::clone(clock);
            move || DateTime::from_timestamp(clock.load(Ordering::SeqCst), 0).unwrap_or_default()
        };
        let store = KeyStore::new(key_set([Some(0), Some(1)]));
        let revoked = RevocationList::with_clock(now(&clock));
        let cache_bytes = [0, small_cache.into(), 1 << 20];
        let verifiers = cache_bytes.map(|bytes| {
            let builder = SessionVerifier::builder()
                .keys(store.clone())
                .issuer(ISSUER)
                .audience(AUDIENCE)
                .accept_type(TokenType::Session)
                .accept_type(TokenType::NestedSession)
                .accept_type(TokenType::AccessToken)
                .cache_bytes(bytes)
                .revocation(revoked.clone())
                .clock(now(&clock));
            builder.build().expect("the configuration is sound")
        });
        let layers = verifiers.clone().map(SessionLayer::new);
        Self {
            clock,
            latest: NOW,
            store,
            keys: [Some(0), Some(1)],
            revoked,
            model: Revoked::default(),
            verifiers,
            cache_bytes,
            layers,
            under_way: Vec::new(),
        }
    }

    fn now(&self) -> i64 {
        self.clock.load(Ordering::SeqCst)
    }

    fn take(&mut self, action: &Action) {
        match action {
            Action::Requests { token, count } => {
                let token = pick(*token);
                for _ in 0..=count % 4 {
                    for mut call in self.call(token, 0) {
                        assert!(call.poll(), "nothing is waited for");
                    }
                }
            }
            Action::Verify { token, count } => {
                let token = pick(*token);
                for _ in 0..=count % 4 {
                    self.verify(token);
                }
            }
            Action::Begin { token, pending } => {
                let calls = self.call(pick(*token), pending % 4);
                self.under_way.extend(calls);
            }
            Action::Poll(at) => {
                if let Some(at) = self.find(*at)
                    && self.under_way[at].poll()
                {
                    self.under_way.swap_remove(at);
                }
            }
            Action::Drop(at) => {
                if let Some(at) = self.find(*at) {
                    self.under_way.swap_remove(at);
                }
            }
            Action::Swap(keys) => self.swap(keys.map(|value| value.map(usize::from))),
            Action::RevokeSession(token) => self.revoke_session(pick(*token)),
            Action::RevokeToken(token) => self.revoke_token(pick(*token)),
            Action::RevokeUser { token, before } => self.revoke_user(pick(*token), *before),
            Action::RevokeIssuer { before } => self.revoke_issuer(*before),
            Action::CountRevoked => {
                let model = &self.model;
                let most = model.sessions.len() + model.tokens.len() + model.users.len();
                assert!(self.revoked.len() <= most + model.issuer.iter().count());
            }
            Action::Seconds(seconds) => self.set_clock(self.now() + i64::from(*seconds)),
            Action::Hours(hours) => self.set_clock(self.now() + i64::from(*hours) * 3600),
            Action::Days(days) => self.set_clock(self.now() + i64::from(*days) * DAY),
            Action::Edge {
                token,
                edge,
                beyond,
            } => {
                let token = pick(*token);
                let edge = match edge % 3 {
                    0 => token.exp + LEEWAY,
                    1 => token.nbf.max(token.iat) - LEEWAY,
                    _ => token.exp + 5 * LEEWAY,
                };
                self.set_clock(edge + i64::from(beyond % 3));
            }
        }
        for (verifier, most) in self.verifiers.iter().zip(self.cache_bytes) {
            assert!(verifier.cache_stats().bytes <= most);
        }
    }

    fn find(&self, at: u8) -> Option<usize> {
        usize::from(at).checked_rem(self.under_way.len())
    }

    fn set_clock(&mut self, now: i64) {
        self.clock.store(now.max(0), Ordering::SeqCst);
        self.latest = self.latest.max(now);
    }

    fn swap(&mut self, keys: [Option<usize>; 2]) {
        if keys == [None, None] {
            return;
        }
        let generation = self.store.generation();
        // An equal set is not a swap.
        let swaps = u64::from(keys != self.keys);
        assert_eq!(self.store.replace(key_set(keys)), generation + swaps);
        self.keys = keys;
    }

    fn revoke_session(&mut self, token: &'static Token) {
        let id = SessionId::from(token.sid);
        let until = self.last(|value| value.sids().any(|sid| sid == token.sid));
        self.revoke(&Revocation::session(ISSUER, &id, date(until)));
        self.model.sessions.insert(token.sid, until);
    }

    fn revoke_token(&mut self, token: &'static Token) {
        let id = (*token.jti).into();
        self.revoke(&Revocation::token(ISSUER, &id, date(token.exp)));
        self.model.tokens.insert(&token.jti, token.exp);
    }

    fn revoke_user(&mut self, token: &'static Token, before: i16) {
        let (id, before) = (UserId::from(token.sub), NOW + i64::from(before % 20));
        let until = self.last(|value| value.users().any(|(sub, _)| sub == token.sub));
        self.revoke(&Revocation::user_before(
            ISSUER,
            &id,
            date(before),
            date(until),
        ));
        // What was forgotten meanwhile counts no more, but that cannot be seen here.
        let entry = self.model.users.entry(token.sub).or_insert((before, until));
        entry.0 = entry.0.max(before);
    }

    fn revoke_issuer(&mut self, before: i16) {
        let before = NOW + i64::from(before % 20);
        let until = self.last(|_| true);
        self.revoke(&Revocation::issuer_before(
            ISSUER,
            date(before),
            date(until),
        ));
        let entry = self.model.issuer.get_or_insert((before, until));
        entry.0 = entry.0.max(before);
    }

    /// As another process gets it.
    fn revoke(&self, revocation: &Revocation) {
        let received: Revocation = revocation.to_string().parse().expect("it was printed");
        assert_eq!(received, *revocation);
        self.revoked.revoke(&received);
        assert!(!self.revoked.revoke(revocation), "it says nothing new");
    }

    /// When the last of the tokens expires.
    fn last(&self, concerned: impl Fn(&Token) -> bool) -> i64 {
        let tokens = TOKENS.iter().filter(|token| concerned(token));
        tokens.map(|token| token.exp).max().unwrap_or(NOW)
    }

    fn verify(&self, token: &Token) {
        let expected = self.expected(token);
        for verifier in &self.verifiers {
            let answer = verifier.verify(token.text.as_bytes());
            if let Ok(session) = &answer {
                self.check_session(session, token);
            }
            expected.check(answer.as_ref().err());
        }
    }

    fn check_session(&self, session: &Session, token: &Token) {
        assert_eq!(session.id().to_string(), token.sid);
        assert_eq!(session.user().id().to_string(), token.sub);
        let read = session.token().expect("it was read from a token");
        assert_eq!(
            read.id().map(ToString::to_string).as_ref(),
            Some(&token.jti)
        );
        let by_zone = token.zone.as_ref().map(|value| value.offset_at(self.now()));
        let offset = session.client_utc_offset().local_minus_utc();
        assert_eq!(offset, by_zone.unwrap_or(0));
    }

    /// What sections 2 and 3 of the profile say of a token at this moment.
    fn judge(&self, token: &Token) -> Result<(), &'static str> {
        let secret = match (token.kid, self.keys) {
            (Some(kid), keys) => keys[kid],
            (None, [one, None] | [None, one]) => one,
            (None, _) => None,
        };
        let now = self.now();
        let week = 7 * DAY;
        match secret {
            None => Err("token_unacceptable"),
            Some(secret) if secret != token.secret => Err("signature_invalid"),
            _ if now >= token.exp + LEEWAY => Err("token_expired"),
            _ if now + LEEWAY < token.nbf => Err("token_not_yet_valid"),
            _ if now + LEEWAY < token.iat => Err("token_not_yet_valid"),
            _ if token.typ != "at+jwt" && token.exp - token.iat > week => Err("token_unacceptable"),
            _ => Ok(()),
        }
    }

    fn expected(&self, token: &Token) -> Expected {
        if let Err(code) = self.judge(token) {
            return Expected::Rejected(code);
        }
        let model = &self.model;
        let users = token.users().filter_map(|(sub, began_at)| {
            let (before, until) = model.users.get(sub)?;
            (began_at < *before).then_some(until)
        });
        let issuer = model.issuer.iter();
        let issuer = issuer.filter(|(before, _)| token.began_at() < *before);
        let untils: Vec<_> = token
            .sids()
            .filter_map(|sid| model.sessions.get(sid))
            .chain(model.tokens.get(&*token.jti))
            .chain(users)
            .chain(issuer.map(|(_, until)| until))
            .collect();
        match untils.iter().max() {
            None => Expected::Accepted,
            Some(until) if **until + 5 * LEEWAY <= self.latest => Expected::Either,
            Some(_) => Expected::Rejected("session_revoked"),
        }
    }

    /// Calls each layer with the token, and a handler that is ready after so many polls more.
    fn call(&self, token: &'static Token, pending: u8) -> Vec<Call> {
        let before = SessionContext::current().map(|value| value.id().clone());
        let call = |layer: &SessionLayer| {
            let mut service = layer.layer(service_fn(move |request: Request<()>| {
                let session = request.extensions().get::<Session>().cloned();
                Handler {
                    session: session.expect("it is a session that is needed"),
                    token,
                    pending,
                }
            }));
            let request =
                Request::get("/").header("authorization", format!("Bearer {}", token.text));
            let request = request.body(()).expect("it is a request");
            let expected = self.expected(token);
            let future = Box::pin(service.call(request));
            let after = SessionContext::current().map(|value| value.id().clone());
            assert_eq!(after, before);
            Call {
                future,
                expected,
                left: pending,
            }
        };
        self.layers.iter().map(call).collect()
    }
}

impl Call {
    /// Whether it is ready, and then as it has to be.
    fn poll(&mut self) -> bool {
        let before = SessionContext::current().map(|value| value.id().clone());
        let mut context = Context::from_waker(Waker::noop());
        let poll = self.future.as_mut().poll(&mut context);
        let after = SessionContext::current().map(|value| value.id().clone());
        assert_eq!(after, before);
        let Poll::Ready(Ok(response)) = poll else {
            assert!(self.left > 0, "it is ready sooner");
            self.left -= 1;
            return false;
        };
        let error = response.extensions().get::<SessionError>();
        if error.is_none() {
            assert_eq!(self.left, 0, "it waits");
        }
        self.expected.check(error);
        true
    }
}

impl Expected {
    /// Panics unless the answer, a session or this error, is one that it allows.
    fn check(&self, error: Option<&SessionError>) {
        let got = error.map(SessionError::code);
        let allowed: &[_] = match self {
            Self::Accepted => &[None],
            Self::Rejected(code) => &[Some(*code)],
            Self::Either => &[None, Some("session_revoked")],
        };
        assert!(allowed.contains(&got), "{got:?}, but {self:?}");
    }
}

/// Sees its session as the ambient one whenever it runs, its drop included.
struct Handler {
    session: Session,
    token: &'static Token,
    pending: u8,
}

impl Handler {
    fn check(&self) {
        let current = SessionContext::current().map(|value| value.id().clone());
        assert_eq!(current.as_ref(), Some(self.session.id()));
        assert_eq!(self.session.id().to_string(), self.token.sid);
    }
}

impl Future for Handler {
    type Output = Result<Response<()>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.check();
        match self.pending.checked_sub(1) {
            Some(left) => {
                self.pending = left;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            None => Poll::Ready(Ok(Response::new(()))),
        }
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.check();
    }
}

fn pick(at: u8) -> &'static Token {
    &TOKENS[usize::from(at) % TOKENS.len()]
}

fn date(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}

/// The set in which each id stands for one of the secrets, if any.
fn key_set(keys: [Option<usize>; 2]) -> KeySet {
    let keys = keys.into_iter().enumerate().filter_map(|(kid, secret)| {
        let key = secret_key(secret?);
        Some(key.with_id(KIDS[kid]))
    });
    KeySet::new(keys).expect("there is one at least")
}
