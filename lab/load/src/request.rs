//! Requests, each with its expected answer.

use std::{
    collections::VecDeque,
    rc::Rc,
    time::{Duration, SystemTime},
};

use tower_session_token::{SessionErrorKind, SigningKey, User, testing::TestIssuer};

use crate::{
    aliases::Failure,
    keys::{AUDIENCE, ISSUER, Keys, PERMANENT, jwk},
    random::Random,
    session::{self, DAY, Session},
};

/// Sessions of the permanent key.
const SESSIONS: usize = 4000;
/// Sessions that begin with each swap, for each way to end.
const ENDING: usize = 15;
/// Ends between two swaps, since tokens have whole seconds and swaps run at half ones.
const SHORT: Duration = Duration::from_secs(2);

/// A request and its expected answer.
pub struct Request {
    pub bytes: Vec<u8>,
    pub expected: Expected,
    /// The kind of request, for the report.
    pub kind: &'static str,
    pub is_hostile: bool,
    /// When the server starts to reject it.
    pub end: Option<End>,
}

#[derive(Clone, Debug)]
pub enum Expected {
    /// 200, and this text.
    Session(Rc<str>),
    /// The status, the code in the body, and the `error` in the challenge.
    Rejected(u16, &'static str, Option<&'static str>),
    /// 503 for want of keys, and when to try again.
    Unavailable,
    /// The status from the HTTP server itself, which then closes the connection.
    Closed(u16),
}

/// What ends a session that was accepted.
#[derive(Clone, Copy)]
pub enum End {
    /// The swap that withdraws its key.
    Withdrawn(u64),
    /// The swap that revokes it.
    Revoked(u64),
    Expired(SystemTime),
}

impl End {
    /// Whether each request that is sent now is rejected.
    fn has_come(self, keys: &Keys) -> bool {
        self.has_come_with(keys.swaps)
    }

    /// Whether a request that is answered now may have been rejected: the next swap may be under way.
    pub fn may_have_come(self, keys: &Keys) -> bool {
        self.has_come_with(keys.swaps + 1)
    }

    fn has_come_with(self, swaps: u64) -> bool {
        match self {
            Self::Withdrawn(swap) | Self::Revoked(swap) => swap <= swaps,
            Self::Expired(at) => at <= SystemTime::now(),
        }
    }

    pub fn rejection(self) -> Expected {
        invalid(match self {
            Self::Withdrawn(_) => "token_unacceptable",
            Self::Revoked(_) => "session_revoked",
            Self::Expired(_) => "token_expired",
        })
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Withdrawn(_) => "key just withdrawn",
            Self::Revoked(_) => "just revoked",
            Self::Expired(_) => "just expired",
        }
    }
}

pub struct Requests {
    random: Random,
    permanent: Vec<Session>,
    /// The sessions that began with each of the last swaps, the newest first.
    ending: VecDeque<Vec<(Session, End)>>,
    /// Sessions that ended with the last swap or before. Each was accepted many times.
    ended: Vec<(Session, End)>,
    expired: String,
    early: String,
    of_others: String,
    unknown_key: String,
}

impl Requests {
    /// Requests in an order that `seed` determines.
    pub fn new(seed: u64) -> Result<Self, Failure> {
        let issuer = issuer(PERMANENT)?;
        let tomorrow = (issuer.clock().now() + DAY).timestamp();
        let token = || issuer.token(User::new("ann")).with("exp", tomorrow);
        let rejected = |kind| token().rejected_as(kind).issue();
        let sessions = (0..SESSIONS).map(|at| session::new(&issuer, at, DAY));
        Ok(Self {
            random: Random::new(seed),
            permanent: sessions.collect::<Result<_, _>>()?,
            ending: VecDeque::new(),
            ended: Vec::new(),
            expired: rejected(SessionErrorKind::TokenExpired),
            // The `nbf` of the knob would pass during a long run.
            early: token().with("nbf", tomorrow).issue(),
            of_others: rejected(SessionErrorKind::AudienceInvalid),
            unknown_key: self::issuer(PERMANENT - 1)?.token(User::new("ann")).issue(),
        })
    }

    /// Ids of the sessions that this swap revokes.
    pub fn revoked_with(&self, swap: u64) -> impl Iterator<Item = &str> {
        let all = self.ending.iter().flatten();
        all.filter_map(move |(session, end)| match end {
            End::Revoked(at) if *at == swap => Some(session.id.as_str()),
            _ => None,
        })
    }

    /// Follows a swap: adds the sessions that begin with it, and retires the oldest.
    pub fn follow_swap(&mut self, keys: &Keys) -> Result<(), Failure> {
        let permanent = issuer(PERMANENT)?;
        let newest = issuer(keys.swaps)?;
        let end = keys.withdrawn_by();
        let mut begun = Vec::new();
        for at in 0..ENDING {
            let expiring = session::new(&permanent, at, SHORT)?;
            let expires_at = expiring.expires_at;
            begun.push((session::new(&newest, at, DAY)?, End::Withdrawn(end)));
            begun.push((session::new(&permanent, at, DAY)?, End::Revoked(end)));
            begun.push((expiring, End::Expired(expires_at)));
        }
        self.ending.push_front(begun);
        if u64::try_from(self.ending.len())? > Keys::IN_FORCE {
            self.ended = self.ending.pop_back().unwrap_or_default();
        }
        Ok(())
    }

    /// A random request: 30 of 100 are hostile.
    pub fn any(&mut self, keys: &Keys) -> Request {
        if self.random.below(100) < 70 {
            self.good(keys)
        } else {
            self.hostile(keys)
        }
    }

    fn good(&mut self, keys: &Keys) -> Request {
        match self.random.below(4) {
            0 => match self.any_ending() {
                Some((session, end)) if !end.has_come(keys) => accepted(session, Some(*end)),
                _ => self.accepted_always(),
            },
            _ => self.accepted_always(),
        }
    }

    /// A session that ends later, but none of the oldest swap: the next one would end requests under way.
    fn any_ending(&mut self) -> Option<&(Session, End)> {
        let swap = self.random.below(2);
        self.random.of(self.ending.get(swap)?)
    }

    /// A session that ended just now.
    fn any_ended(&mut self, keys: &Keys) -> Option<&(Session, End)> {
        let ended = match self.random.below(2) {
            0 => self.random.of(&self.ended),
            // One that may still be in the cache, which a swap empties.
            _ => self.random.of(self.ending.get(1)?),
        };
        ended.filter(|(_, end)| end.has_come(keys))
    }

    /// A good request whose session outlives the run.
    pub fn accepted_always(&mut self) -> Request {
        accepted(&self.permanent[self.random.below(SESSIONS)], None)
    }

    fn hostile(&mut self, keys: &Keys) -> Request {
        let good = &self.permanent[self.random.below(SESSIONS)].token;
        let other = &self.permanent[self.random.below(SESSIONS)].token;
        let bearer = |token: &str| format!("Bearer {token}").into_bytes();
        let one = |token: &str| get(&[("Authorization", &bearer(token))]);
        let (kind, bytes, expected) = match self.random.below(18) {
            0 => {
                let mut forged = good.clone().into_bytes();
                let at = forged.len() - 2 - self.random.below(40);
                forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
                let forged = String::from_utf8_lossy(&forged).into_owned();
                ("forged", one(&forged), invalid("signature_invalid"))
            }
            1 if good != other => {
                let (claims, _) = good.rsplit_once('.').unwrap_or_default();
                let (_, signature) = other.rsplit_once('.').unwrap_or_default();
                let forged = format!("{claims}.{signature}");
                (
                    "signed as another",
                    one(&forged),
                    invalid("signature_invalid"),
                )
            }
            2 => ("expired", one(&self.expired), invalid("token_expired")),
            3 => ("early", one(&self.early), invalid("token_not_yet_valid")),
            4 => {
                let token = format!("{good}{}", "A".repeat(9000));
                ("oversized token", one(&token), invalid("token_malformed"))
            }
            5 => {
                let token = self.random.text(200);
                ("garbage", one(&token), invalid("token_malformed"))
            }
            6 => {
                let bytes: Vec<_> = (0..100).map(|_| 0x80 | self.random.byte()).collect();
                let field = [b"Bearer ", &bytes[..]].concat();
                ("bytes", get(&[("Authorization", &field)]), BAD_REQUEST)
            }
            7 => {
                let field = bearer(good);
                let bytes = get(&[("Authorization", &field), ("Authorization", &field)]);
                ("two fields", bytes, BAD_REQUEST)
            }
            8 if good != other => {
                let bytes = get(&[
                    ("Authorization", &bearer(good)),
                    ("X-Session-Token", other.as_bytes()),
                ]);
                ("two tokens", bytes, BAD_REQUEST)
            }
            9 => {
                let header = base64_simd::URL_SAFE_NO_PAD
                    .encode_to_string(br#"{"alg":"none","typ":"session+jwt"}"#);
                let (_, rest) = good.split_once('.').unwrap_or_default();
                let (payload, _) = rest.split_once('.').unwrap_or_default();
                let token = format!("{header}.{payload}.");
                ("alg none", one(&token), invalid("token_unacceptable"))
            }
            10 => (
                "unknown key",
                one(&self.unknown_key),
                invalid("token_unacceptable"),
            ),
            11 => (
                "for others",
                one(&self.of_others),
                invalid("audience_invalid"),
            ),
            12 => {
                let bytes = [b"GET ", self.random.text(100).as_bytes(), b"\r\n\r\n"].concat();
                ("no HTTP", bytes, Expected::Closed(400))
            }
            13 => {
                let field = "x".repeat(600_000);
                let bytes = get(&[("X-Large", field.as_bytes())]);
                ("oversized field", bytes, Expected::Closed(431))
            }
            14 => (
                "no token",
                get(&[]),
                Expected::Rejected(401, "token_missing", None),
            ),
            _ => match self.any_ended(keys) {
                Some((session, end)) => (end.kind(), one(&session.token), end.rejection()),
                None => ("expired", one(&self.expired), invalid("token_expired")),
            },
        };
        Request {
            bytes,
            expected,
            kind,
            is_hostile: true,
            end: None,
        }
    }
}

fn accepted(session: &Session, end: Option<End>) -> Request {
    let field = format!("Bearer {}", session.token);
    Request {
        bytes: get(&[("Authorization", field.as_bytes())]),
        expected: Expected::Session(session.answer.clone()),
        kind: "accepted",
        is_hostile: false,
        end,
    }
}

const BAD_REQUEST: Expected = Expected::Rejected(400, "request_invalid", Some("invalid_request"));

pub fn invalid(code: &'static str) -> Expected {
    Expected::Rejected(401, code, Some("invalid_token"))
}

pub fn get(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = b"GET /session HTTP/1.1\r\nHost: localhost\r\n".to_vec();
    for (name, value) in fields {
        bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    bytes.extend(b"\r\n");
    bytes
}

fn issuer(number: u64) -> Result<TestIssuer, Failure> {
    let key = SigningKey::from_jwk(jwk(number).to_string())?;
    Ok(TestIssuer::with_key(key).issuer(ISSUER).audience(AUDIENCE))
}
