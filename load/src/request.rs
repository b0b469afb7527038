//! Requests, each with the answer that is right.

use std::time::{Duration, SystemTime};

use tower_session_token::{SessionIssuer, SessionToken, SessionTokenBuilder, SigningKey, User};
use uuid::Uuid;

use crate::{
    Failure,
    server::{AUDIENCE, ISSUER, Keys, STAYING, jwk},
};

/// So many sessions of the key that stays.
const SESSIONS: usize = 4000;
/// So many of each key that does not.
const SESSIONS_OF_A_SWAP: usize = 50;
/// Longer than any run.
const DAY: Duration = Duration::from_secs(86_400);
const CULTURES: [&str; 6] = ["de-CH", "en-GB", "fr", "ja-JP", "ru-RU", "zh-Hant-TW"];

/// What is sent, and what has to come back.
pub struct Request {
    pub bytes: Vec<u8>,
    pub expected: Expected,
    /// Which of its kind, for the report.
    pub kind: &'static str,
    pub is_hostile: bool,
    /// By the key of a swap: after two more it is withdrawn.
    pub of_swap: Option<u64>,
}

#[derive(Clone, Debug)]
pub enum Expected {
    /// 200, and a body that has all of these.
    Session([String; 3]),
    /// The status, and the code in the body.
    Refused(u16, &'static str),
    /// The status of the server itself, which then closes the connection.
    Closed(u16),
}

struct Signed {
    token: String,
    /// Parts of the answer that no other session has.
    answer: [String; 3],
}

pub struct Requests {
    random: Random,
    staying: Vec<Signed>,
    /// Of the newest key, and of one that is withdrawn.
    newest: (u64, Vec<Signed>),
    former: Vec<(u64, String)>,
    withdrawn: Option<String>,
    expired: String,
    early: String,
    of_others: String,
    unknown_key: String,
}

impl Requests {
    pub fn new(keys: &Keys) -> Result<Self, Failure> {
        let issuer = issuer(STAYING)?;
        let now = SystemTime::now();
        let sign = |it: SessionTokenBuilder| Ok::<_, Failure>(issuer.issue(&it.build()?)?);
        let sessions = (0..SESSIONS).map(|at| signed(&issuer, at));
        Ok(Self {
            random: Random::new(),
            staying: sessions.collect::<Result<_, _>>()?,
            newest: (keys.newest(), sessions_of(keys.newest())?),
            former: Vec::new(),
            withdrawn: None,
            expired: sign(builder().issued_at((now - 2 * DAY).into()))?,
            early: sign(builder().not_before((now + DAY / 2).into()))?,
            of_others: issuer.issue(&builder_for("invoices").build()?)?,
            unknown_key: self::issuer(STAYING - 1)?.issue(&builder().build()?)?,
        })
    }

    /// From now on the newest key is another.
    pub fn sign_with(&mut self, keys: &Keys) -> Result<(), Failure> {
        let (number, sessions) = std::mem::replace(
            &mut self.newest,
            (keys.newest(), sessions_of(keys.newest())?),
        );
        self.former
            .extend(sessions.into_iter().next().map(|it| (number, it.token)));
        while let Some(at) = (self.former.iter()).position(|(it, _)| *it <= keys.withdrawn()) {
            self.withdrawn = Some(self.former.remove(at).1);
        }
        Ok(())
    }

    /// Any request of those that are sent at full load: 30 of 100 are hostile.
    pub fn any(&mut self) -> Request {
        match self.random.below(100) {
            0..70 => self.good(),
            _ => self.hostile(),
        }
    }

    fn good(&mut self) -> Request {
        match self.random.below(4) {
            0 => {
                let (number, sessions) = &self.newest;
                let signed = &sessions[self.random.below(sessions.len())];
                accepted(signed, Some(*number))
            }
            _ => self.good_by_staying_key(),
        }
    }

    pub fn good_by_staying_key(&mut self) -> Request {
        accepted(&self.staying[self.random.below(SESSIONS)], None)
    }

    fn hostile(&mut self) -> Request {
        let good = &self.staying[self.random.below(SESSIONS)].token;
        let other = &self.staying[self.random.below(SESSIONS)].token;
        let bearer = |token: &str| format!("Bearer {token}").into_bytes();
        let one = |token: &str| get(&[("Authorization", &bearer(token))]);
        let (kind, bytes, expected) = match self.random.below(16) {
            0 | 1 => {
                let mut forged = good.clone().into_bytes();
                let at = forged.len() - 2 - self.random.below(40);
                forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
                let forged = String::from_utf8_lossy(&forged).into_owned();
                ("forged", one(&forged), refused(401, "signature_invalid"))
            }
            2 => ("expired", one(&self.expired), refused(401, "token_expired")),
            3 => (
                "early",
                one(&self.early),
                refused(401, "token_not_yet_valid"),
            ),
            4 => {
                let token = format!("{good}{}", "A".repeat(9000));
                (
                    "oversized token",
                    one(&token),
                    refused(401, "token_malformed"),
                )
            }
            5 => {
                let token = self.random.text(200);
                ("garbage", one(&token), refused(401, "token_malformed"))
            }
            6 => {
                let bytes: Vec<_> = (0..100).map(|_| 0x80 | self.random.byte()).collect();
                let field = [b"Bearer ", &bytes[..]].concat();
                let bytes = get(&[("Authorization", &field)]);
                ("bytes", bytes, refused(400, "request_invalid"))
            }
            7 => {
                let field = bearer(good);
                let bytes = get(&[("Authorization", &field), ("Authorization", &field)]);
                ("two fields", bytes, refused(400, "request_invalid"))
            }
            8 if good != other => {
                let bytes = get(&[
                    ("Authorization", &bearer(good)),
                    ("X-Session-Token", other.as_bytes()),
                ]);
                ("two tokens", bytes, refused(400, "request_invalid"))
            }
            9 => {
                let header = base64_simd::URL_SAFE_NO_PAD
                    .encode_to_string(br#"{"alg":"none","typ":"session+jwt"}"#);
                let (_, rest) = good.split_once('.').unwrap_or_default();
                let (payload, _) = rest.split_once('.').unwrap_or_default();
                let token = format!("{header}.{payload}.");
                ("alg none", one(&token), refused(401, "token_unacceptable"))
            }
            10 => (
                "unknown key",
                one(&self.unknown_key),
                refused(401, "token_unacceptable"),
            ),
            11 if let Some(token) = &self.withdrawn => (
                "withdrawn key",
                one(token),
                refused(401, "token_unacceptable"),
            ),
            12 => (
                "for others",
                one(&self.of_others),
                refused(401, "audience_invalid"),
            ),
            13 => {
                let bytes = [b"GET ", self.random.text(100).as_bytes(), b"\r\n\r\n"].concat();
                ("no HTTP", bytes, Expected::Closed(400))
            }
            14 => {
                let field = "x".repeat(600_000);
                let bytes = get(&[("X-Large", field.as_bytes())]);
                ("oversized field", bytes, Expected::Closed(431))
            }
            _ => ("no token", get(&[]), refused(401, "token_missing")),
        };
        Request {
            bytes,
            expected,
            kind,
            is_hostile: true,
            of_swap: None,
        }
    }
}

fn accepted(signed: &Signed, of_swap: Option<u64>) -> Request {
    let field = format!("Bearer {}", signed.token);
    Request {
        bytes: get(&[("Authorization", field.as_bytes())]),
        expected: Expected::Session(signed.answer.clone()),
        kind: "accepted",
        is_hostile: false,
        of_swap,
    }
}

fn refused(status: u16, code: &'static str) -> Expected {
    Expected::Refused(status, code)
}

fn get(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = b"GET /session HTTP/1.1\r\nHost: localhost\r\n".to_vec();
    for (name, value) in fields {
        bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    bytes.extend(b"\r\n");
    bytes
}

fn issuer(number: u64) -> Result<SessionIssuer, Failure> {
    let key = SigningKey::from_jwk(jwk(number).to_string())?;
    Ok(SessionIssuer::new(key))
}

fn sessions_of(number: u64) -> Result<Vec<Signed>, Failure> {
    let issuer = issuer(number)?;
    (0..SESSIONS_OF_A_SWAP)
        .map(|at| signed(&issuer, at))
        .collect()
}

fn builder() -> SessionTokenBuilder {
    builder_for(AUDIENCE)
}

fn builder_for(audience: &str) -> SessionTokenBuilder {
    SessionToken::builder(User::new("ann"))
        .issuer(ISSUER)
        .audience(audience)
        .application_id(Uuid::new_v4())
        .lifetime(DAY)
}

fn signed(issuer: &SessionIssuer, at: usize) -> Result<Signed, Failure> {
    let (user, culture) = (Uuid::new_v4(), CULTURES[at % CULTURES.len()]);
    let token = SessionToken::builder(User::new(user).with_name("Иван Петров"))
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .application_id(Uuid::new_v4())
        .culture(&culture.parse()?)
        .lifetime(DAY)
        .build()?;
    let session = token.claim::<String>("sid")?.ok_or("it has a session")?;
    Ok(Signed {
        token: issuer.issue(&token)?,
        answer: [
            format!(r#""id":"{session}""#),
            format!(r#""id":"{user}""#),
            format!(r#""client_culture":{{"source":"token","value":"{culture}"}}"#),
        ],
    })
}

/// Good enough to choose by (xorshift64*).
pub struct Random(u64);

impl Random {
    fn new() -> Self {
        let (seed, _) = Uuid::new_v4().as_u64_pair();
        Self(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap_or_default() % end
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    /// Letters of base64url.
    fn text(&mut self, len: usize) -> String {
        let bytes: Vec<_> = (0..len).map(|_| self.byte()).collect();
        base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
    }
}
