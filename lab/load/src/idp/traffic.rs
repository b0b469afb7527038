//! Requests in front of a provider, and the answers that are right.

use std::{
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::time::{sleep, timeout};
use tower_session_token::{Algorithm, SessionErrorKind, SigningKey, User, testing::TestIssuer};

use super::{kind::Kind, provider::Provider, report::Report};
use crate::{
    aliases::{Failure, Shared},
    client::{Answer, Connection, PATIENCE},
    keys::{AUDIENCE, ISSUER},
    random::Random,
    request::{Expected, get, invalid},
    session::{DAY, Session},
};

/// The pause of a client whose token was rejected.
const PAUSE: Duration = Duration::from_millis(250);

struct Request {
    kind: Kind,
    token: String,
    /// The number of the key of a good token, and the answer to its session.
    good: Option<(u64, Rc<str>)>,
}

/// The kinds of clients.
#[derive(Clone, Copy)]
pub enum Part {
    /// Sends tokens that are accepted or rejected at once, 30 % of them hostile.
    Busy,
    /// Sends tokens of the newest key until the server has it.
    New,
    /// Sends tokens with unknown keys, and waits.
    Waiting,
}

/// Payloads of a stranger, who signs with a key that is never published.
pub struct Hostile {
    random: Random,
    plausible: String,
    hopeless: Vec<String>,
}

impl Hostile {
    pub fn new(seed: u64) -> Result<Self, Failure> {
        let key = SigningKey::generate(Algorithm::ES256)?;
        let issuer = TestIssuer::with_key(key).issuer(ISSUER).audience(AUDIENCE);
        let tomorrow = (issuer.clock().now() + DAY).timestamp();
        let token = || issuer.token(User::new("eve")).with("exp", tomorrow);
        let rejected = |kind| token().rejected_as(kind).issue();
        let early = token().with("nbf", tomorrow).issue();
        let hopeless = [
            rejected(SessionErrorKind::TokenExpired),
            rejected(SessionErrorKind::AudienceInvalid),
            rejected(SessionErrorKind::IssuerInvalid),
            early,
        ];
        Ok(Self {
            random: Random::new(seed),
            plausible: rest(&token().issue()),
            hopeless: hopeless.iter().map(|token| rest(token)).collect(),
        })
    }

    /// A header with a key ID of which there are 2^96, or always the same one.
    fn header(&mut self, typ: &str) -> String {
        let kid = if self.random.below(2) == 0 {
            self.random.text(12)
        } else {
            "stray".to_owned()
        };
        let header = json!({ "alg": "ES256", "typ": typ, "kid": kid }).to_string();
        base64_simd::URL_SAFE_NO_PAD.encode_to_string(header)
    }

    fn plausible(&mut self) -> String {
        format!("{}.{}", self.header("session+jwt"), self.plausible)
    }

    fn hopeless(&mut self) -> String {
        let which = self.random.below(self.hopeless.len() + 1);
        let is_typ = which == self.hopeless.len();
        let header = self.header(if is_typ { "at+jwt" } else { "session+jwt" });
        let rest = self.hopeless.get(which).unwrap_or(&self.plausible);
        format!("{header}.{rest}")
    }
}

/// A token without its header.
fn rest(token: &str) -> String {
    let (_, rest) = token.split_once('.').unwrap_or_default();
    rest.to_owned()
}

pub struct Client {
    pub address: SocketAddr,
    pub provider: Provider,
    pub hostile: Shared<Hostile>,
    pub report: Shared<Report>,
    /// Since when the request of each client that waits is under way.
    pub under_way: Shared<Vec<Option<Instant>>>,
}

impl Client {
    /// Sends each request when the one before is answered.
    pub async fn run(self, part: Part, end: Instant) {
        let mut connection = None;
        let at = {
            let mut under_way = self.under_way.borrow_mut();
            under_way.push(None);
            under_way.len() - 1
        };
        while Instant::now() < end {
            let Some(request) = self.request(part) else {
                sleep(PAUSE).await;
                continue;
            };
            let was_broken = self.provider.is_broken();
            let start = Instant::now();
            self.under_way.borrow_mut()[at] = Some(start);
            let answer = self.ask(&mut connection, &request).await;
            self.under_way.borrow_mut()[at] = None;
            let is_broken = was_broken || self.provider.is_broken();
            let is_accepted = self.judge(&request, answer, is_broken, start.elapsed());
            if !(is_accepted || matches!(part, Part::Busy)) {
                sleep(PAUSE).await;
            }
        }
    }

    /// `None` where there is nothing to send for now.
    fn request(&self, part: Part) -> Option<Request> {
        let ring = self.provider.ring.borrow();
        let mut hostile = self.hostile.borrow_mut();
        let hostile = &mut *hostile;
        let good = |kind, number, session: &Session| Request {
            kind,
            token: session.token.clone(),
            good: Some((number, session.answer.clone())),
        };
        let bad = |kind, token| Request {
            kind,
            token,
            good: None,
        };
        Some(match part {
            Part::Busy => {
                // Two of three of the permanent key.
                let key = ring.known(hostile.random.below(6));
                let session = hostile.random.of(&key.sessions)?;
                match hostile.random.below(100) {
                    0..70 => good(Kind::Known, key.number, session),
                    70..95 => bad(Kind::Hopeless, hostile.hopeless()),
                    _ => {
                        let (signed, _) = session.token.rsplit_once('.')?;
                        let forged = format!("{signed}.{}", hostile.random.text(64));
                        bad(Kind::Forged, forged)
                    }
                }
            }
            Part::New => {
                let key = ring.newest();
                let session = hostile.random.of(&key.sessions)?;
                (!key.is_known).then(|| good(Kind::New, key.number, session))?
            }
            Part::Waiting => match ring.dropped() {
                Some(key) if hostile.random.below(4) == 0 => {
                    let session = hostile.random.of(&key.sessions)?;
                    bad(Kind::Withdrawn, session.token.clone())
                }
                _ => bad(Kind::Plausible, hostile.plausible()),
            },
        })
    }

    async fn ask(
        &self,
        connection: &mut Option<Connection>,
        request: &Request,
    ) -> Result<Answer, Failure> {
        let mut open = Connection::kept_or_open(connection, self.address).await?;
        let field = format!("Bearer {}", request.token);
        let bytes = get(&[("Authorization", field.as_bytes())]);
        let answer = timeout(PATIENCE, open.exchange(&bytes)).await??;
        *connection = Some(open);
        Ok(answer)
    }

    /// Returns whether the token was accepted.
    fn judge(
        &self,
        request: &Request,
        answer: Result<Answer, Failure>,
        is_broken: bool,
        took: Duration,
    ) -> bool {
        let mut report = self.report.borrow_mut();
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                report.wrong(request.kind, error);
                return false;
            }
        };
        let mut ring = self.provider.ring.borrow_mut();
        let mut right = Vec::new();
        let unacceptable = || invalid("token_unacceptable");
        match (request.kind, &request.good) {
            (Kind::Known, Some((_, session))) => {
                right.push(("accepted", Expected::Session(session.clone())));
            }
            (Kind::New, Some((number, session))) => {
                right.push(("keys_unavailable", Expected::Unavailable));
                // It cannot be known before the provider has sent it.
                if ring.key(*number).is_some_and(|key| key.is_sent) {
                    right.push(("accepted", Expected::Session(session.clone())));
                }
            }
            (Kind::Forged, _) => right.push(("signature_invalid", invalid("signature_invalid"))),
            (Kind::Hopeless, _) => right.push(("unacceptable", unacceptable())),
            _ => {
                right.push(("unacceptable", unacceptable()));
                right.push(("keys_unavailable", Expected::Unavailable));
            }
        }
        let is_right = |(_, expected): &&(_, _)| answer.differs_from(expected).is_none();
        let Some((code, _)) = right.iter().find(is_right) else {
            let how = right
                .first()
                .and_then(|(_, expected)| answer.differs_from(expected));
            report.wrong(request.kind, how.unwrap_or_default());
            return false;
        };
        report.right(request.kind, code, is_broken, took);
        let is_accepted = *code == "accepted";
        if let (Kind::New, Some((number, _)), true) = (request.kind, &request.good, is_accepted)
            && let Some(key) = ring.key(*number)
            && !key.is_known
        {
            key.is_known = true;
            report.found_after.push(key.began_at.elapsed());
        }
        is_accepted
    }
}
