//! The claims (RFC 7519 §4, OpenID Connect Core §5.1, RFC 8693 §4, and the profile's own), read
//! and written.

use std::fmt;

use serde::{
    Serialize, Serializer,
    de::{self, DeserializeSeed, Deserializer, MapAccess, Visitor},
};

use super::{
    flat,
    json::{
        AudienceSeed, IntegerSeed, NumericDateSeed, Reading, Skip, SpanSeed, TextSeed, no_text,
    },
    text::{Audience, PayloadText, Span},
};
use crate::{
    error::SessionError,
    identity::{Actor, ApplicationId, SessionId, UserId},
    token::{Limits, time::NumericDate},
};

/// What a payload says, each claim of its type and within its size; whether the claims that are
/// there make a session is decided in `form`. Texts are where they stand in the payload.
#[derive(Clone, Default)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(in crate::token) struct Claims {
    pub(in crate::token) iss: Option<Span>,
    pub(in crate::token) aud: Option<Audience>,
    pub(in crate::token) sub: Option<Span>,
    pub(in crate::token) exp: Option<NumericDate>,
    pub(in crate::token) nbf: Option<NumericDate>,
    pub(in crate::token) iat: Option<NumericDate>,
    pub(in crate::token) jti: Option<Span>,
    pub(in crate::token) sid: Option<Span>,
    pub(in crate::token) client_id: Option<Span>,
    pub(in crate::token) azp: Option<Span>,
    pub(in crate::token) client_kind: Option<Span>,
    pub(in crate::token) name: Option<Span>,
    pub(in crate::token) preferred_username: Option<Span>,
    pub(in crate::token) access_level: Option<Span>,
    pub(in crate::token) locale: Option<Span>,
    pub(in crate::token) ui_locale: Option<Span>,
    pub(in crate::token) utc_offset: Option<i64>,
    pub(in crate::token) zoneinfo: Option<Span>,
    pub(in crate::token) server: Option<Span>,
    pub(in crate::token) instance: Option<Span>,
    pub(in crate::token) scope: Option<Span>,
    pub(in crate::token) act: Option<Box<Actor>>,
    /// Whether there is a `cnf`, whatever it is.
    pub(in crate::token) cnf: Option<()>,
}

/// The claims of a token, with the text that they stand in.
#[derive(Clone)]
pub(in crate::token) struct Payload {
    pub(in crate::token) claims: Claims,
    text: PayloadText,
}

impl Payload {
    pub(in crate::token) fn parse(json: String, limits: &Limits) -> Result<Self, SessionError> {
        if json.len() > PayloadText::MAX {
            return Err(SessionError::malformed("the payload is too long"));
        }
        let (claims, unescaped) = match flat::scan_claims(&json, limits) {
            Some(claims) => (claims, String::new()),
            None => Claims::parse_strictly(&json, limits)?,
        };
        let text = PayloadText::new(json, unescaped);
        Ok(Self { claims, text })
    }

    /// The text of one of its claims.
    pub(in crate::token) fn get(&self, claim: Option<Span>) -> Option<&str> {
        claim.map(|span| self.text.get(span))
    }

    pub(in crate::token) fn audience(&self) -> impl Iterator<Item = &str> {
        let spans = self.claims.aud.iter().flat_map(Audience::spans);
        spans.map(|span| self.text.get(span))
    }

    pub(in crate::token) fn json(&self) -> &str {
        self.text.json()
    }

    pub(in crate::token) fn heap_bytes(&self) -> usize {
        let audience = self.claims.aud.as_ref().map_or(0, Audience::heap_bytes);
        self.text.heap_bytes().saturating_add(audience)
    }
}

impl Claims {
    /// Also gives the texts that follow the JSON.
    pub(super) fn parse_strictly(
        json: &str,
        limits: &Limits,
    ) -> Result<(Self, String), SessionError> {
        let reading = Reading::new(json);
        let claims = reading.object(ClaimsVisitor {
            reading: &reading,
            limits,
        })?;
        Ok((claims, reading.into_unescaped()))
    }
}

struct ClaimsVisitor<'r> {
    reading: &'r Reading<'r>,
    limits: &'r Limits,
}

impl<'de> Visitor<'de> for ClaimsVisitor<'_> {
    type Value = Claims;

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
        let others = reading.others();
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
            let of = |max| SpanSeed { reading, max };
            let text = of(limits.claim_bytes());
            let moment = NumericDateSeed { reading };
            match &*name {
                "iss" => claim!(iss, text),
                "aud" => claim!(aud, AudienceSeed { item: text }),
                "sub" => claim!(sub, text),
                "exp" => claim!(exp, moment),
                "nbf" => claim!(nbf, moment),
                "iat" => claim!(iat, moment),
                "jti" => claim!(jti, text),
                "sid" => claim!(sid, text),
                "client_id" => claim!(client_id, text),
                "azp" => claim!(azp, text),
                "client_kind" => claim!(client_kind, text),
                "name" => claim!(name, text),
                "preferred_username" => claim!(preferred_username, text),
                "access_level" => claim!(access_level, text),
                "locale" => claim!(locale, of(limits.locale_bytes())),
                "ui_locale" => claim!(ui_locale, of(limits.locale_bytes())),
                "utc_offset" => claim!(utc_offset, IntegerSeed { reading }),
                // How long it may be depends on the type of the token; see `form`.
                "zoneinfo" => claim!(zoneinfo, of(usize::MAX)),
                "server" => claim!(server, text),
                "instance" => claim!(instance, text),
                "scope" => claim!(scope, of(limits.scope_bytes())),
                "act" => claim!(act, actor),
                "cnf" => claim!(cnf, skip),
                _ => reading.skip(&mut map, &name, levels)?,
            }
        }
        reading.distinct(others)?;
        Ok(claims)
    }
}

/// Reads `act`: an actor and those in it, nearest first.
#[derive(Clone, Copy)]
struct ActorSeed<'r> {
    reading: &'r Reading<'r>,
    limits: &'r Limits,
    levels: usize,
    /// How many actors may still come.
    actors: usize,
}

impl<'de> DeserializeSeed<'de> for ActorSeed<'_> {
    type Value = Box<Actor>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        // Not `deserialize_map`, whose error would hold all of a text that is none.
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ActorSeed<'_> {
    type Value = Box<Actor>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an actor")
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
        no_text()
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
        let others = reading.others();
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
                _ => reading.skip(&mut map, &name, levels)?,
            }
        }
        reading.distinct(others)?;
        let sub = sub
            .filter(|sub| is_subject(sub))
            .ok_or_else(|| reading.refuse(ACT))?;
        Ok(Box::new(Actor {
            user_id: UserId::from(&*sub),
            session_id: sid.as_deref().map(SessionId::from),
            application_id: client_id.as_deref().map(ApplicationId::from),
            actor: act,
        }))
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    /// Of a hundred, about one is twice.
    fn name() -> impl Strategy<Value = String> {
        prop_oneof![1 => "[A-Z]{1,2}", 20 => "[A-Z]{3,9}"]
    }

    proptest! {
        /// Few names are sorted and many looked up; with escapes or without, the answer is that of
        /// a set.
        #[test]
        fn a_name_that_occurs_twice_is_found(
            names in prop::collection::vec((name(), any::<bool>()), 0..200),
        ) {
            let member = |(name, is_escaped): &(String, bool)| match is_escaped {
                true => name.bytes().map(|it| format!("\\u{it:04x}")).collect(),
                false => name.clone(),
            };
            let members = names.iter().map(|it| format!(r#","{}":1"#, member(it)));
            let json = format!(r#"{{"iss":"i"{}}}"#, members.collect::<String>());
            let refused = Claims::parse_strictly(&json, &Limits::default()).is_err();
            let distinct: HashSet<_> = names.iter().map(|(name, _)| name).collect();
            prop_assert_eq!(refused, distinct.len() < names.len());
        }
    }

    #[test]
    fn actors_count_as_levels() {
        let deep = SessionError::malformed("JSON is nested too deeply");
        for (json, want) in [
            (r#"{"act":{"sub":"a","act":{"sub":"b","x":[1]}}}"#, None),
            (
                r#"{"act":{"sub":"a","act":{"sub":"b","x":[[1]]}}}"#,
                Some(deep),
            ),
            (
                r#"{"act":{"sub":"a","act":{"sub":"b","act":{"sub":"c"}}}}"#,
                None,
            ),
            (
                r#"{"act":{"sub":"a","act":{"sub":"b","act":{"sub":"c","act":{"sub":"d"}}}}}"#,
                Some(deep),
            ),
        ] {
            let limits = Limits::default().with_nesting(4);
            let refused = Claims::parse_strictly(json, &limits).err();
            assert_eq!(refused, want, "{json}");
        }
    }

    /// serde_json takes a number for an object with this member where a build turns its feature
    /// `arbitrary_precision` on; the tests run with it and without.
    #[test]
    fn no_object_is_a_number_and_no_number_an_object() {
        let exp = Some(SessionError::claim("exp"));
        let utc_offset = Some(SessionError::claim("utc_offset"));
        for (json, want) in [
            (r#"{"x":{"$serde_json::private::Number":1}}"#, None),
            (
                r#"{"x":{"$serde_json::private::Number":"no number"}}"#,
                None,
            ),
            (r#"{"x":{"$serde_json::private::Number":"1","y":[]}}"#, None),
            (r#"{"exp":{"$serde_json::private::Number":"1"}}"#, exp),
            (r#"{"exp":{"\u0024serde_json::private::Number":"1"}}"#, exp),
            (r#"{"exp":{}}"#, exp),
            (r#"{"exp":1.5e3}"#, None),
            (r#"{"exp":1e999}"#, exp),
            (r#"{"exp":"1"}"#, exp),
            (
                r#"{"utc_offset":{"$serde_json::private::Number":"1"}}"#,
                utc_offset,
            ),
            (r#"{"utc_offset":-60,"x":[1,-0.5,1e3]}"#, None),
            (r#"{"utc_offset":-0,"x":[]}"#, utc_offset),
            (r#"{"utc_offset":6e1}"#, utc_offset),
        ] {
            let refused = Claims::parse_strictly(json, &Limits::default()).err();
            assert_eq!(refused, want, "{json}");
        }
    }

    #[test]
    fn names_are_told_apart_in_each_object_alone() {
        let many: String = (0..200).map(|at| format!(r#""m{at}":1,"#)).collect();
        for (json, ok) in [
            (r#"{"x":1,"act":{"sub":"a","x":1}}"#.to_owned(), true),
            (r#"{"act":{"sub":"a","x":1},"x":1}"#.to_owned(), true),
            (r#"{"x":1,"act":{"sub":"a","x":1},"x":1}"#.to_owned(), false),
            (r#"{"x":1,"act":{"sub":"a","y":1,"y":1}}"#.to_owned(), false),
            (r#"{"act":{"sub":"a","y":1,"\u0079":1}}"#.to_owned(), false),
            (
                format!(r#"{{{many}"act":{{{many}"sub":"a"}},"x":1}}"#),
                true,
            ),
            (
                format!(r#"{{{many}"act":{{{many}"sub":"a"}},"m7":1}}"#),
                false,
            ),
            (
                format!(r#"{{{many}"act":{{{many}"sub":"a","m7":1}}}}"#),
                false,
            ),
        ] {
            let refused = Claims::parse_strictly(&json, &Limits::default()).err();
            let twice = Some(SessionError::malformed("a member occurs twice"));
            assert_eq!(refused, if ok { None } else { twice }, "{json}");
        }
    }
}
