//! The claims (RFC 7519 §4, OpenID Connect Core §5.1, RFC 8693 §4, and the profile's own), read
//! and written.

use std::fmt;

use serde::{
    Serialize, Serializer,
    de::{DeserializeSeed, Deserializer, MapAccess, Visitor},
};

use super::{
    flat,
    json::{IntegerSeed, NumericDateSeed, Reading, Skip, Text, TextSeed, Texts, TextsSeed},
};
use crate::{
    error::SessionError,
    session::{Actor, ApplicationId, SessionId, UserId},
    token::{Limits, time::NumericDate},
};

/// What a payload says, each claim of its type and within its size; whether the claims that are
/// there make a session is decided in `form`.
#[derive(Default)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(in crate::token) struct Claims<'a> {
    pub(in crate::token) iss: Option<Text<'a>>,
    pub(in crate::token) aud: Option<Texts<'a>>,
    pub(in crate::token) sub: Option<Text<'a>>,
    pub(in crate::token) exp: Option<NumericDate>,
    pub(in crate::token) nbf: Option<NumericDate>,
    pub(in crate::token) iat: Option<NumericDate>,
    pub(in crate::token) jti: Option<Text<'a>>,
    pub(in crate::token) sid: Option<Text<'a>>,
    pub(in crate::token) client_id: Option<Text<'a>>,
    pub(in crate::token) azp: Option<Text<'a>>,
    pub(in crate::token) client_kind: Option<Text<'a>>,
    pub(in crate::token) name: Option<Text<'a>>,
    pub(in crate::token) preferred_username: Option<Text<'a>>,
    pub(in crate::token) access_level: Option<Text<'a>>,
    pub(in crate::token) locale: Option<Text<'a>>,
    pub(in crate::token) ui_locale: Option<Text<'a>>,
    pub(in crate::token) utc_offset: Option<i64>,
    pub(in crate::token) zoneinfo: Option<Text<'a>>,
    pub(in crate::token) server: Option<Text<'a>>,
    pub(in crate::token) instance: Option<Text<'a>>,
    pub(in crate::token) scope: Option<Text<'a>>,
    pub(in crate::token) act: Option<Actor>,
    /// Whether there is a `cnf`, whatever it is.
    pub(in crate::token) cnf: Option<()>,
}

impl<'a> Claims<'a> {
    pub(in crate::token) fn parse(json: &'a str, limits: &Limits) -> Result<Self, SessionError> {
        match flat::scan_claims(json, limits) {
            Some(claims) => Ok(claims),
            None => Self::parse_strictly(json, limits),
        }
    }

    pub(super) fn parse_strictly(json: &'a str, limits: &Limits) -> Result<Self, SessionError> {
        let reading = Reading::new();
        reading.object(
            json,
            ClaimsVisitor {
                reading: &reading,
                limits,
            },
        )
    }
}

struct ClaimsVisitor<'r> {
    reading: &'r Reading,
    limits: &'r Limits,
}

impl<'de> Visitor<'de> for ClaimsVisitor<'_> {
    type Value = Claims<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a claims set")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self { reading, limits } = self;
        let levels = reading.deeper(limits.nesting())?;
        let skip = Skip { reading, levels };
        let actor = ActorSeed {
            reading,
            limits,
            levels,
            actors: limits.max_actors(),
        };
        let mut claims = Claims::default();
        let mut others = Vec::new();
        while let Some(name) = map.next_key_seed(TextSeed::NAME)? {
            macro_rules! claim {
                ($place:ident, $seed:expr) => {
                    reading.member(
                        &mut map,
                        &mut claims.$place,
                        $seed,
                        SessionError::claim(stringify!($place)),
                    )?
                };
            }
            let text = TextSeed {
                max: limits.claim_bytes(),
            };
            let locale = TextSeed {
                max: limits.locale_bytes(),
            };
            let scope = TextSeed {
                max: limits.scope_bytes(),
            };
            match &*name {
                "iss" => claim!(iss, text),
                "aud" => claim!(aud, TextsSeed { item: text }),
                "sub" => claim!(sub, text),
                "exp" => claim!(exp, NumericDateSeed),
                "nbf" => claim!(nbf, NumericDateSeed),
                "iat" => claim!(iat, NumericDateSeed),
                "jti" => claim!(jti, text),
                "sid" => claim!(sid, text),
                "client_id" => claim!(client_id, text),
                "azp" => claim!(azp, text),
                "client_kind" => claim!(client_kind, text),
                "name" => claim!(name, text),
                "preferred_username" => claim!(preferred_username, text),
                "access_level" => claim!(access_level, text),
                "locale" => claim!(locale, locale),
                "ui_locale" => claim!(ui_locale, locale),
                "utc_offset" => claim!(utc_offset, IntegerSeed),
                // How long it may be depends on the type of the token; see `form`.
                "zoneinfo" => claim!(zoneinfo, TextSeed { max: usize::MAX }),
                "server" => claim!(server, text),
                "instance" => claim!(instance, text),
                "scope" => claim!(scope, scope),
                "act" => claim!(act, actor),
                "cnf" => claim!(cnf, skip),
                _ => {
                    reading.skip(&mut map, levels)?;
                    others.push(name);
                }
            }
        }
        reading.distinct(others)?;
        Ok(claims)
    }
}

/// Reads `act`: an actor and those in it, nearest first.
#[derive(Clone, Copy)]
struct ActorSeed<'r> {
    reading: &'r Reading,
    limits: &'r Limits,
    levels: usize,
    /// How many actors may still come.
    actors: usize,
}

impl<'de> DeserializeSeed<'de> for ActorSeed<'_> {
    type Value = Actor;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ActorSeed<'_> {
    type Value = Actor;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an actor")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        const ACT: SessionError = SessionError::claim("act");
        let reading = self.reading;
        let levels = reading.deeper(self.levels)?;
        let actors = self
            .actors
            .checked_sub(1)
            .ok_or_else(|| reading.refuse(ACT))?;
        let text = TextSeed {
            max: self.limits.claim_bytes(),
        };
        let (mut sub, mut sid, mut client_id, mut act) = (None, None, None, None);
        let mut others = Vec::new();
        while let Some(name) = map.next_key_seed(TextSeed::NAME)? {
            match &*name {
                "sub" => reading.member(&mut map, &mut sub, text, ACT)?,
                "sid" => reading.member(&mut map, &mut sid, text, ACT)?,
                "client_id" => reading.member(&mut map, &mut client_id, text, ACT)?,
                "act" => {
                    let seed = ActorSeed {
                        levels,
                        actors,
                        ..self
                    };
                    reading.member(&mut map, &mut act, seed, ACT)?;
                }
                _ => {
                    reading.skip(&mut map, levels)?;
                    others.push(name);
                }
            }
        }
        reading.distinct(others)?;
        let sub = sub
            .filter(|sub| is_subject(sub))
            .ok_or_else(|| reading.refuse(ACT))?;
        Ok(Actor {
            user_id: UserId::from(&*sub),
            session_id: sid.as_deref().map(SessionId::from),
            application_id: client_id.as_deref().map(ApplicationId::from),
            actor: act.map(Box::new),
        })
    }
}

/// The names that the profile gives a meaning.
pub(in crate::token) const NAMES: [&str; 24] = [
    "iss",
    "aud",
    "sub",
    "exp",
    "nbf",
    "iat",
    "jti",
    "sid",
    "client_id",
    "azp",
    "client_kind",
    "name",
    "preferred_username",
    "access_level",
    "locale",
    "ui_locale",
    "utc_offset",
    "zoneinfo",
    "server",
    "instance",
    "scope",
    "act",
    "cnf",
    ELEVATED,
];

/// Records that a nested session has a higher access level than its parent.
pub(in crate::token) const ELEVATED: &str = "elevated";

/// `sub` is 1 to 255 bytes long.
pub(in crate::token) fn is_subject(sub: &str) -> bool {
    (1..=255).contains(&sub.len())
}

/// The claims of a token that is made here, in the order in which they are written.
#[derive(Clone, Default, Serialize)]
pub(in crate::token) struct NewClaims {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::token) iss: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "audience")]
    pub(in crate::token) aud: Vec<String>,
    pub(in crate::token) sub: String,
    pub(in crate::token) exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::token) nbf: Option<u64>,
    pub(in crate::token) iat: u64,
    pub(in crate::token) jti: Option<String>,
    pub(in crate::token) sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::token) client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::token) client_kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::token) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::token) preferred_username: Option<String>,
    pub(in crate::token) access_level: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::token) locale: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::token) ui_locale: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::token) utc_offset: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::token) zoneinfo: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::token) server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::token) instance: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::token) scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::token) act: Option<NewActor>,
    /// The application's own.
    #[serde(flatten)]
    pub(in crate::token) others: serde_json::Map<String, serde_json::Value>,
}

/// One audience is written as text, several as an array (RFC 7519 §4.1.3).
fn audience<S: Serializer>(audience: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    match audience {
        [one] => serializer.serialize_str(one),
        several => several.serialize(serializer),
    }
}

/// The claim `act` of a token that is made here.
#[derive(Clone, Serialize)]
pub(in crate::token) struct NewActor {
    sub: UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<ApplicationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<Box<Self>>,
}

impl From<&Actor> for NewActor {
    fn from(actor: &Actor) -> Self {
        Self {
            sub: actor.user_id.clone(),
            sid: actor.session_id.clone(),
            client_id: actor.application_id.clone(),
            act: actor.actor().map(|actor| Box::new(actor.into())),
        }
    }
}
