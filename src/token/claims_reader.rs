//! Reads a claims set.

use super::claims::{Claim, Claims, Strings, is_subject, read_claim};
use crate::{
    error::SessionError,
    identity::{Actor, ApplicationId, SessionId, UserId},
    json::{Cursor, Names, Reader, Span, WrongType},
    limits::Limits,
    time::NumericDate,
};

/// The longest zone name (RFC 9557 §4.1 sets none; those of the IANA database have 32 at most).
const ZONE_BYTES: usize = 64;
/// The longest `name` and `preferred_username` of another issuer's token.
const OTHERS_NAME_BYTES: usize = 1024;
const MAX_ROLES: usize = 64;
const ROLE_BYTES: usize = 256;

/// Reads the claims, and the strings among them that are written with escapes. `is_ours`: whether
/// nothing may be wrong, or claims that are only displayed may count as absent.
pub(super) fn read_claims(
    json: &str,
    is_ours: bool,
    limits: &Limits,
) -> Result<(Claims, String), SessionError> {
    let mut reader = Reader::new(json);
    let mut claims = Claims::default();
    match read(&mut reader, &mut claims, is_ours, limits) {
        Some(()) => Ok((claims, reader.into_unescaped())),
        None => Err(reader.into_reason()),
    }
}

fn read(
    reader: &mut Reader<'_>,
    claims: &mut Claims,
    is_ours: bool,
    limits: &Limits,
) -> Option<()> {
    let levels = reader.deeper(limits.nesting())?;
    let mut cursor = reader.cursor();
    let mut names = Names::default();
    let mut seen = 0;
    if reader.begin(&mut cursor)? {
        loop {
            let name = reader.name(&mut cursor)?;
            if let Some(claim) = Claim::find(name, || reader.text(name.span)) {
                if seen & claim.bit() != 0 {
                    return reader.fail(Reader::DUPLICATE);
                }
                seen |= claim.bit();
                let mut value = Value {
                    reader,
                    cursor: &mut cursor,
                    limits,
                    levels,
                    is_ours,
                };
                read_claim!(claims, claim, value, limits);
            } else {
                names.add(name.span, reader)?;
                reader.skip(&mut cursor, levels)?;
            }
            if !reader.more(&mut cursor) {
                break;
            }
        }
    }
    reader.end(&mut cursor)?;
    names.check(reader)
}

/// The value of a claim, which comes next. Each method returns `None` where the token is rejected,
/// `Some(None)` where the claim counts as absent.
struct Value<'v, 'a> {
    reader: &'v mut Reader<'a>,
    cursor: &'v mut Cursor<'a>,
    limits: &'v Limits,
    levels: usize,
    is_ours: bool,
}

impl Value<'_, '_> {
    #[inline(always)]
    fn string(&mut self, wrong: SessionError, max: usize) -> Option<Option<Span>> {
        self.reader
            .string(self.cursor, max, WrongType::Reject(wrong))
    }

    #[inline(always)]
    fn date(&mut self, wrong: SessionError) -> Option<Option<NumericDate>> {
        self.reader.date(self.cursor, wrong).map(Some)
    }

    /// What is only displayed: it degrades in another issuer's token.
    fn of_display(&self, wrong: SessionError) -> WrongType {
        let levels = self.levels;
        if self.is_ours {
            WrongType::Reject(wrong)
        } else {
            WrongType::Ignore { levels }
        }
    }

    #[inline(always)]
    fn display(&mut self, wrong: SessionError, max: usize) -> Option<Option<Span>> {
        let wrong = self.of_display(wrong);
        self.reader.string(self.cursor, max, wrong)
    }

    #[inline(always)]
    fn display_name(&mut self, wrong: SessionError, max: usize) -> Option<Option<Span>> {
        self.display(wrong, if self.is_ours { max } else { OTHERS_NAME_BYTES })
    }

    fn zone(&mut self, wrong: SessionError) -> Option<Option<Span>> {
        self.display(wrong, ZONE_BYTES)
    }

    fn display_integer(&mut self, wrong: SessionError) -> Option<Option<i64>> {
        let wrong = self.of_display(wrong);
        self.reader.integer(self.cursor, wrong)
    }

    /// A string, or an array of strings (RFC 7519 §4.1.3).
    fn audience(&mut self, wrong: SessionError, max: usize) -> Option<Option<Strings>> {
        if self.is_array() {
            return self.strings(wrong, max, usize::MAX).map(Some);
        }
        let span = self.string(wrong, max)?;
        Some(span.map(Strings::one))
    }

    /// Space-separated words (RFC 8693 §4.2); other issuers also write an array of them.
    fn scope(&mut self, wrong: SessionError, max: usize) -> Option<Option<Strings>> {
        if self.is_ours || !self.is_array() {
            let span = self.string(wrong, max)?;
            return Some(span.map(Strings::one));
        }
        let words = self.strings(wrong, max, usize::MAX)?;
        // As long as if they were one string.
        let bytes: usize = words.spans().map(|word| word.len().saturating_add(1)).sum();
        if bytes > max.saturating_add(1) {
            return self.reader.fail(wrong);
        }
        Some(Some(words))
    }

    fn roles(&mut self, wrong: SessionError) -> Option<Option<Strings>> {
        if !self.is_array() {
            self.reader
                .wrong_type(*self.cursor, WrongType::Reject(wrong))?;
        }
        self.strings(wrong, ROLE_BYTES, MAX_ROLES).map(Some)
    }

    fn is_array(&self) -> bool {
        self.cursor.is_array()
    }

    /// An array of at most `most` strings of at most `max` bytes.
    fn strings(&mut self, wrong: SessionError, max: usize, most: usize) -> Option<Strings> {
        let mut spans = Vec::new();
        self.reader.items(self.cursor, |reader, cursor| {
            let span = reader.string(cursor, max, WrongType::Reject(wrong))??;
            if spans.len() >= most {
                return reader.fail(wrong);
            }
            reader.push(&mut spans, span);
            Some(())
        })?;
        Some(spans.into())
    }

    fn presence(&mut self, _: SessionError) -> Option<Option<()>> {
        self.reader.skip(self.cursor, self.levels)?;
        Some(Some(()))
    }

    fn actor(&mut self, wrong: SessionError) -> Option<Option<Box<Actor>>> {
        let Self {
            reader,
            cursor,
            limits,
            levels,
            ..
        } = self;
        let actor = actor(reader, cursor, limits, *levels, limits.actors(), wrong)?;
        Some(Some(Box::new(actor)))
    }
}

/// An actor and those in it, `actors` at most (RFC 8693 §4.1).
fn actor<'a>(
    reader: &mut Reader<'a>,
    cursor: &mut Cursor<'a>,
    limits: &Limits,
    levels: usize,
    actors: usize,
    wrong: SessionError,
) -> Option<Actor> {
    if !cursor.is_object() {
        reader.wrong_type(*cursor, WrongType::Reject(wrong))?;
    }
    let levels = reader.deeper(levels)?;
    let Some(actors) = actors.checked_sub(1) else {
        return reader.fail(wrong);
    };
    let (mut sub, mut sid, mut client_id, mut auth_time, mut act) = (None, None, None, None, None);
    let mut names = Names::default();
    if reader.begin(cursor)? {
        loop {
            let name = reader.name(cursor)?.span;
            let string = match reader.text(name) {
                "sub" => Some(&mut sub),
                "sid" => Some(&mut sid),
                "client_id" => Some(&mut client_id),
                "auth_time" => {
                    if auth_time.is_some() {
                        return reader.fail(Reader::DUPLICATE);
                    }
                    auth_time = Some(reader.date(cursor, wrong)?);
                    None
                }
                "act" => {
                    if act.is_some() {
                        return reader.fail(Reader::DUPLICATE);
                    }
                    act = Some(Box::new(actor(
                        reader, cursor, limits, levels, actors, wrong,
                    )?));
                    None
                }
                _ => {
                    names.add(name, reader)?;
                    reader.skip(cursor, levels)?;
                    None
                }
            };
            if let Some(place) = string {
                if place.is_some() {
                    return reader.fail(Reader::DUPLICATE);
                }
                *place = reader.string(cursor, limits.claim_bytes(), WrongType::Reject(wrong))?;
            }
            if !reader.more(cursor) {
                break;
            }
        }
    }
    reader.close(cursor)?;
    names.check(reader)?;
    let text = |span: Option<Span>| span.map(|span| reader.text(span));
    let Some(sub) = text(sub).filter(|sub| is_subject(sub)) else {
        return reader.fail(wrong);
    };
    Some(Actor {
        user_id: UserId::from(sub),
        session_id: text(sid).map(SessionId::from),
        application_id: text(client_id).map(ApplicationId::from),
        authenticated_at: auth_time,
        actor: act,
    })
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
            let refused = read_claims(&json, true, &Limits::default()).is_err();
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
            let refused = read_claims(json, true, &limits).err();
            assert_eq!(refused, want, "{json}");
        }
    }

    #[test]
    fn a_scope_array_is_as_long_as_its_words_joined_by_spaces() {
        let limits = Limits::default().with_scope_bytes(3);
        let scope = Some(SessionError::claim("scope"));
        for (json, want) in [
            (r#"{"scope":[]}"#, None),
            (r#"{"scope":["a","b"]}"#, None),
            (r#"{"scope":["abc"]}"#, None),
            (r#"{"scope":["abcd"]}"#, scope),
            (r#"{"scope":["a","bc"]}"#, scope),
            (r#"{"scope":["","","",""]}"#, None),
            (r#"{"scope":["","","","",""]}"#, scope),
        ] {
            let rejected = read_claims(json, false, &limits).err();
            assert_eq!(rejected, want, "{json}");
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
            let refused = read_claims(json, true, &Limits::default()).err();
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
            let refused = read_claims(&json, true, &Limits::default()).err();
            let twice = Some(SessionError::malformed("a member occurs twice"));
            assert_eq!(refused, if ok { None } else { twice }, "{json}");
        }
    }
}
