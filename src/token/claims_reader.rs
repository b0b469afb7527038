//! Reads every claims set, strictly.

use std::fmt;

use std::borrow::Cow;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::claims::{Audience, Claims, is_subject};
use crate::{
    error::SessionError,
    identity::{Actor, ApplicationId, SessionId, UserId},
    json::reader::{IntegerSeed, NumericDateSeed, Reading, Skip, SpanSeed, TextSeed, no_text},
    limits::Limits,
};

impl Claims {
    /// Also gives the texts that follow the JSON.
    pub(crate) fn parse_strictly(
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

/// Reads a text, or an array of texts.
#[derive(Clone, Copy)]
struct AudienceSeed<'r> {
    item: SpanSeed<'r>,
}

impl<'de> DeserializeSeed<'de> for AudienceSeed<'_> {
    type Value = Audience;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Audience, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AudienceSeed<'_> {
    type Value = Audience;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or an array of texts")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Audience, E> {
        self.visit_str(text)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Audience, E> {
        let max = self.item.max;
        TextSeed { max }.check::<E>(Cow::Borrowed(text))?;
        Ok(Audience::one(self.item.reading.span(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Audience, A::Error> {
        let mut spans = Vec::new();
        while let Some(span) = items.next_element_seed(self.item)? {
            self.item.reading.add(&mut spans, span);
        }
        Ok(spans.into())
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
