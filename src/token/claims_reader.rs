//! The reader of a claims set (RFC 7519 §4).

use std::mem;

use super::{
    claim_names::{ClaimNames, ClaimPath},
    claims::{Claim, Claims, Strings, is_subject, read_claim},
};
use crate::{
    error::SessionError,
    identity::{Actor, ApplicationId, SessionId, UserId},
    json::{Cursor, Names, Reader, Span, WrongType},
    limits::Limits,
    time::NumericDate,
};

/// The maximum length of a zone name in bytes. RFC 9557 §4.1 sets none; the names of the IANA
/// database have up to 32.
const ZONE_BYTES: usize = 64;
/// The maximum length of `name` and `preferred_username` in another issuer's token, in bytes.
const OTHERS_NAME_BYTES: usize = 1024;
const MAX_ROLES: usize = 64;
const ROLE_BYTES: usize = 256;

/// Reads the claims of `json` into `claims`, and returns the decoded strings among them that are
/// written with escapes. `others` are the names of claims in another issuer's tokens, in which an
/// invalid display claim counts as absent; in ours (`None`), every claim has to be valid.
pub(super) fn read_claims(
    json: &str,
    claims: &mut Claims,
    others: Option<&ClaimNames>,
    limits: &Limits,
) -> Result<String, SessionError> {
    if json.len() > Span::MAX {
        return Err(SessionError::malformed("the payload is too long"));
    }
    let mut reader = Reader::new(json);
    match read(&mut reader, claims, others, limits) {
        Some(()) => Ok(reader.into_unescaped()),
        None => Err(reader.into_reason()),
    }
}

/// Reads the claim `iss` of a payload that is not verified.
pub(crate) fn unverified_issuer(json: &str, limits: &Limits) -> Result<String, SessionError> {
    const MISSING: SessionError = SessionError::claim("iss");

    if json.len() > Span::MAX {
        return Err(SessionError::malformed("the payload is too long"));
    }
    let mut reader = Reader::new(json);
    let mut read = || {
        let mut value = Value {
            cursor: &mut reader.cursor(),
            form: Form {
                limits,
                levels: reader.deeper(limits.nesting())?,
                is_ours: true,
                is_named: false,
            },
            reader: &mut reader,
        };
        let mut issuer = None;
        let names = value.members(
            |claim| matches!(claim, Claim::iss),
            |value, _| {
                issuer = value.string(MISSING, limits.claim_bytes())?;
                Some(())
            },
        )?;
        value.cursor.end()?;
        names.check(value.reader)?;
        match issuer {
            Some(issuer) => Some(reader.text(issuer).to_owned()),
            None => reader.fail(MISSING),
        }
    };
    read().ok_or_else(|| reader.into_reason())
}

fn read(
    reader: &mut Reader<'_>,
    claims: &mut Claims,
    others: Option<&ClaimNames>,
    limits: &Limits,
) -> Option<()> {
    let form = Form {
        limits,
        levels: reader.deeper(limits.nesting())?,
        is_ours: others.is_none(),
        is_named: false,
    };
    let mut value = Value {
        cursor: &mut reader.cursor(),
        reader,
        form,
    };
    let renamed = others.map_or(0, |names| names.replaced);
    let names = value.members(
        |claim| claim.bit() & renamed == 0,
        |value, claim| {
            claims.present |= claim.bit();
            read_claim!(claims, claim, value, limits);
            Some(())
        },
    )?;
    value.cursor.end()?;
    names.check(value.reader)?;
    match others {
        Some(names) if !names.is_empty() => value.read_named(claims, names),
        _ => Some(()),
    }
}

/// The value at the cursor. Each method returns `None` where the token is rejected, and
/// `Some(None)` where the claim counts as absent.
struct Value<'v, 'a> {
    reader: &'v mut Reader<'a>,
    cursor: &'v mut Cursor<'a>,
    form: Form<'v>,
}

/// How a value is read.
#[derive(Clone, Copy)]
struct Form<'l> {
    limits: &'l Limits,
    levels: usize,
    is_ours: bool,
    /// Whether the claim is renamed by [`ClaimNames`].
    is_named: bool,
}

impl<'a> Value<'_, 'a> {
    /// Reads an object: `read` reads the claims that `is_known` picks, and the names of the other
    /// members are returned for the caller to check.
    #[inline(always)]
    fn members(
        &mut self,
        is_known: impl Fn(Claim) -> bool,
        mut read: impl FnMut(&mut Value<'_, 'a>, Claim) -> Option<()>,
    ) -> Option<Names> {
        let mut names = Names::default();
        let mut seen = 0;
        let form = self.form;
        self.reader.object(self.cursor, |reader, cursor, name| {
            let claim = Claim::find(name, || reader.text(name.span));
            let Some(claim) = claim.filter(|claim| is_known(*claim)) else {
                names.add(name.span, reader)?;
                return reader.skip(cursor, form.levels);
            };
            if seen & claim.bit() != 0 {
                return reader.fail(Reader::DUPLICATE);
            }
            seen |= claim.bit();
            let mut value = Value {
                reader,
                cursor,
                form,
            };
            read(&mut value, claim)
        })?;
        Some(names)
    }

    /// Reads the claims that `names` renames, and checks those that it requires.
    #[cold]
    fn read_named(&mut self, claims: &mut Claims, names: &ClaimNames) -> Option<()> {
        const REQUIRED: SessionError =
            SessionError::claim("one that this service requires of the issuer's tokens");

        self.form.is_named = true;
        let limits = self.form.limits;
        for (claim, path) in &names.paths {
            if !self.seek(path, SessionError::claim(claim.as_str()))? {
                continue;
            }
            // Several claims of scope, or of roles, count together.
            let (scope, roles) = (claims.scope.take(), claims.roles.take());
            claims.present |= claim.bit();
            read_claim!(claims, *claim, self, limits);
            claims.scope = Strings::joined(scope, claims.scope.take());
            claims.roles = Strings::joined(roles, claims.roles.take());
        }
        let roles = claims.roles.as_ref();
        if roles.is_some_and(|roles| roles.spans().len() > MAX_ROLES) {
            return self.reader.fail(SessionError::claim("roles"));
        }
        for (path, required) in &names.required {
            let span = if self.seek(path, REQUIRED)? {
                self.string(REQUIRED, usize::MAX)?
            } else {
                None
            };
            if span.is_none_or(|span| self.reader.text(span) != required) {
                return self.reader.fail(REQUIRED);
            }
        }
        Some(())
    }

    /// Moves the cursor to the value at a path, and returns whether there is one.
    fn seek(&mut self, path: &ClaimPath, wrong: SessionError) -> Option<bool> {
        *self.cursor = self.reader.cursor();
        let mut levels = self.form.levels;
        for (depth, name) in path.0.iter().enumerate() {
            if depth > 0 {
                self.require(self.cursor.is_object(), wrong)?;
                levels = self.reader.deeper(levels)?;
            }
            let mut found = None;
            let before = self.reader.unescaped_len();
            self.reader.object(self.cursor, |reader, cursor, member| {
                if reader.text(member.span) == name && found.replace(*cursor).is_some() {
                    return reader.fail(Reader::DUPLICATE);
                }
                reader.skip(cursor, levels)
            })?;
            self.reader.forget_unescaped(before);
            match found {
                Some(value) => *self.cursor = value,
                None => return Some(false),
            }
        }
        Some(true)
    }

    #[inline(always)]
    fn string(&mut self, wrong: SessionError, max: usize) -> Option<Option<Span>> {
        self.reader
            .string(self.cursor, max, WrongType::Reject(wrong))
    }

    #[inline(always)]
    fn date(&mut self, wrong: SessionError) -> Option<Option<NumericDate>> {
        self.reader.date(self.cursor, wrong).map(Some)
    }

    /// The treatment of a display claim of the wrong type, which another issuer's token may have.
    fn if_displayed(&self, wrong: SessionError) -> WrongType {
        if self.form.is_ours {
            return WrongType::Reject(wrong);
        }
        WrongType::Ignore {
            levels: self.form.levels,
        }
    }

    #[inline(always)]
    fn display(&mut self, wrong: SessionError, max: usize) -> Option<Option<Span>> {
        let wrong = self.if_displayed(wrong);
        self.reader.string(self.cursor, max, wrong)
    }

    #[inline(always)]
    fn display_name(&mut self, wrong: SessionError, max: usize) -> Option<Option<Span>> {
        self.display(
            wrong,
            if self.form.is_ours {
                max
            } else {
                OTHERS_NAME_BYTES
            },
        )
    }

    fn zone(&mut self, wrong: SessionError) -> Option<Option<Span>> {
        self.display(wrong, ZONE_BYTES)
    }

    fn display_integer(&mut self, wrong: SessionError) -> Option<Option<i64>> {
        let wrong = self.if_displayed(wrong);
        self.reader.integer(self.cursor, wrong)
    }

    /// A string, or an array of strings (RFC 7519 §4.1.3).
    fn audience(&mut self, wrong: SessionError, max: usize) -> Option<Option<Strings>> {
        if self.cursor.is_array() {
            return self.strings(wrong, max, usize::MAX);
        }
        let span = self.string(wrong, max)?;
        Some(span.map(Strings::One))
    }

    /// A string of space-separated scope tokens (RFC 8693 §4.2), or another issuer's array of them.
    fn scope(&mut self, wrong: SessionError, max: usize) -> Option<Option<Strings>> {
        if self.form.is_ours || !self.cursor.is_array() {
            let span = self.string(wrong, max)?;
            return Some(span.map(|span| {
                if self.form.is_named {
                    // So that it can be joined with others.
                    Strings::Many(self.reader.words(span))
                } else {
                    Strings::One(span)
                }
            }));
        }
        let words = self.strings(wrong, max, usize::MAX)?;
        // The limit is that of one string, with a space after each scope token.
        let spans = words.iter().flat_map(Strings::spans);
        let bytes: usize = spans.map(|word| word.len().saturating_add(1)).sum();
        if bytes > max.saturating_add(1) {
            return self.reader.fail(wrong);
        }
        // Some issuers write the whole scope as one item of the standard claim. A claim of another
        // name may hold other things than scope tokens, such as groups, with spaces in their names.
        let has_space = |word: &&Span| self.reader.text(**word).contains(' ');
        let mut spans = words.iter().flat_map(Strings::spans);
        if self.form.is_named || spans.find(has_space).is_none() {
            return Some(words);
        }
        let spans = words.iter().flat_map(Strings::spans);
        let split = spans.flat_map(|word| self.reader.words(*word)).collect();
        Some(Some(Strings::Many(split)))
    }

    /// An array of strings, or in a renamed claim a string of roles separated by spaces.
    fn roles(&mut self, wrong: SessionError) -> Option<Option<Strings>> {
        if self.form.is_named && self.cursor.is_string() {
            let max = MAX_ROLES.saturating_mul(ROLE_BYTES);
            let roles = self.string(wrong, max)?;
            let roles = roles.map_or_else(Vec::new, |roles| self.reader.words(roles));
            if roles.iter().any(|role| role.len() > ROLE_BYTES) {
                return self.reader.fail(wrong);
            }
            return Some(Some(Strings::Many(roles)));
        }
        self.require(self.cursor.is_array(), wrong)?;
        self.strings(wrong, ROLE_BYTES, MAX_ROLES)
    }

    /// An array of at most `most` strings, each of at most `max` bytes.
    fn strings(&mut self, wrong: SessionError, max: usize, most: usize) -> Option<Option<Strings>> {
        let mut spans = Vec::new();
        self.reader.items(self.cursor, |reader, cursor| {
            let span = reader.string(cursor, max, WrongType::Reject(wrong))??;
            if spans.len() >= most {
                return reader.fail(wrong);
            }
            reader.push(&mut spans, span);
            Some(())
        })?;
        Some(Some(Strings::Many(spans)))
    }

    /// Rejects the token unless the value is of the right type.
    fn require(&mut self, is_right_type: bool, wrong: SessionError) -> Option<()> {
        if is_right_type {
            return Some(());
        }
        let wrong = WrongType::Reject(wrong);
        self.reader.wrong_type(*self.cursor, wrong).map(|_| ())
    }

    fn presence(&mut self, _: SessionError) -> Option<Option<()>> {
        self.reader.skip(self.cursor, self.form.levels)?;
        Some(Some(()))
    }

    fn actor(&mut self, wrong: SessionError) -> Option<Option<Box<Actor>>> {
        let actor = self.actor_in(self.form.levels, self.form.limits.actors(), wrong)?;
        Some(Some(Box::new(actor)))
    }

    /// An actor and those nested in it, at most `actors` (RFC 8693 §4.1), in an object that is
    /// nested at most `levels` deep.
    fn actor_in(&mut self, levels: usize, actors: usize, wrong: SessionError) -> Option<Actor> {
        self.require(self.cursor.is_object(), wrong)?;
        let levels = self.reader.deeper(levels)?;
        let Some(actors) = actors.checked_sub(1) else {
            return self.reader.fail(wrong);
        };
        let outer = mem::replace(&mut self.form.levels, levels);
        let max = self.form.limits.claim_bytes();
        let (mut sub, mut sid, mut client_id, mut auth_time, mut act) = Default::default();
        let names = self.members(
            |claim| {
                matches!(
                    claim,
                    Claim::sub | Claim::sid | Claim::client_id | Claim::auth_time | Claim::act
                )
            },
            |value, claim| {
                match claim {
                    Claim::sub => sub = value.string(wrong, max)?,
                    Claim::sid => sid = value.string(wrong, max)?,
                    Claim::client_id => client_id = value.string(wrong, max)?,
                    Claim::auth_time => auth_time = value.date(wrong)?,
                    _ => act = Some(Box::new(value.actor_in(levels, actors, wrong)?)),
                }
                Some(())
            },
        )?;
        self.form.levels = outer;
        names.check(self.reader)?;
        let text = |span: Option<Span>| span.map(|span| self.reader.text(span));
        let Some(sub) = text(sub).filter(|sub| is_subject(sub)) else {
            return self.reader.fail(wrong);
        };
        Some(Actor {
            user_id: UserId::from(sub),
            session_id: text(sid).map(SessionId::from),
            application_id: text(client_id).map(ApplicationId::from),
            authenticated_at: auth_time,
            actor: act,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn read(json: &str, is_ours: bool, limits: &Limits) -> Result<String, SessionError> {
        let others = ClaimNames::default();
        let others = Some(&others).filter(|_| !is_ours);
        read_claims(json, &mut Claims::default(), others, limits)
    }

    /// Names of which about one in a hundred is a duplicate.
    fn name() -> impl Strategy<Value = String> {
        prop_oneof![1 => "[A-Z]{1,2}", 20 => "[A-Z]{3,9}"]
    }

    proptest! {
        /// Few names are sorted, and many are hashed. In either case, and with or without escapes,
        /// the result is that of a set.
        #[test]
        fn a_duplicate_name_is_found(
            names in prop::collection::vec((name(), any::<bool>()), 0..200),
        ) {
            let spell = |(name, is_escaped): &(String, bool)| if *is_escaped {
                name.bytes().map(|byte| format!("\\u{byte:04x}")).collect()
            } else {
                name.clone()
            };
            let members = names.iter().map(|name| format!(r#","{}":1"#, spell(name)));
            let json = format!(r#"{{"iss":"i"{}}}"#, members.collect::<String>());
            let is_rejected = read(&json, true, &Limits::default()).is_err();
            let distinct: HashSet<_> = names.iter().map(|(name, _)| name).collect();
            prop_assert_eq!(is_rejected, distinct.len() < names.len());
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
            let error = read(json, true, &limits).err();
            assert_eq!(error, want, "{json}");
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
            let rejected = read(json, false, &limits).err();
            assert_eq!(rejected, want, "{json}");
        }
    }

    /// With its feature `arbitrary_precision`, serde_json represents a number as an object with this
    /// member; the tests run with the feature and without.
    #[test]
    fn an_object_is_never_read_as_a_number() {
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
            let error = read(json, true, &Limits::default()).err();
            assert_eq!(error, want, "{json}");
        }
    }

    #[test]
    fn names_are_compared_within_one_object_only() {
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
            let error = read(&json, true, &Limits::default()).err();
            let twice = Some(SessionError::malformed("a member occurs twice"));
            assert_eq!(error, if ok { None } else { twice }, "{json}");
        }
    }
}
