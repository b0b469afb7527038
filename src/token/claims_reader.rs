//! The reader of a claims set (RFC 7519 §4).

use super::{
    claim_names::{ClaimNames, ClaimPath},
    claims::{Claim, Claims, NAMES, Strings, Text, is_subject, read_claim},
};
use crate::{
    error::SessionError,
    identity::{Actor, ApplicationId, SessionId, UserId},
    json::{Cursor, Member, Names, Reader, Span, Value, WrongType},
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
    let mut values = Values::new(json, limits, others.is_none())?;
    let read = match others.filter(|names| !names.is_empty()) {
        Some(names) => values.read_with_names(claims, names),
        None => values.read(claims),
    };
    match read {
        Some(()) => Ok(values.reader.into_unescaped()),
        None => Err(values.reader.into_reason()),
    }
}

/// Reads the claim `iss` of a payload that is not verified.
pub(crate) fn unverified_issuer(json: &str, limits: &Limits) -> Result<String, SessionError> {
    const MISSING: SessionError = SessionError::claim("iss");

    let mut values = Values::new(json, limits, true)?;
    let mut read = || {
        let (mut cursor, mut issuer) = (values.reader.cursor(), None);
        let iss = Claim::iss.bit();
        values.members(&mut cursor, iss, None, |values, cursor, _| {
            issuer = values.string(cursor, MISSING, limits.claim_bytes())?;
            Some(())
        })?;
        cursor.end()?;
        match issuer {
            Some(issuer) => Some(values.reader.text(issuer).to_owned()),
            None => values.reader.fail(MISSING),
        }
    };
    read().ok_or_else(|| values.reader.into_reason())
}

/// The reader of the claims' values.
struct Values<'a, 'l> {
    reader: Reader<'a>,
    limits: &'l Limits,
    /// The levels left inside the object that is read.
    levels: usize,
    is_ours: bool,
    /// The maximum length in bytes of each kind of [`Text`], in the order of its variants.
    text_bytes: [usize; 4],
    /// Whether the claim is renamed by [`ClaimNames`].
    is_named: bool,
}

/// The claims with other names, and where the values of the first names of their paths are.
type Starts<'n, 'a> = (&'n ClaimNames, Vec<Option<Cursor<'a>>>);

impl<'a, 'l> Values<'a, 'l> {
    fn new(json: &'a str, limits: &'l Limits, is_ours: bool) -> Result<Self, SessionError> {
        let (reader, levels) = Reader::new(json, limits.nesting())?;
        let plain = limits.claim_bytes();
        let name = if is_ours { plain } else { OTHERS_NAME_BYTES };
        Ok(Self {
            reader,
            limits,
            levels,
            is_ours,
            text_bytes: [plain, name, limits.locale_bytes(), ZONE_BYTES],
            is_named: false,
        })
    }

    fn read(&mut self, claims: &mut Claims) -> Option<()> {
        let mut cursor = self.reader.cursor();
        claims.present = self.members(&mut cursor, !0, None, |values, cursor, claim| {
            values.claim(claim, claims, cursor)
        })?;
        cursor.end()
    }

    /// Apart from [`read`](Self::read), so that the loop there has no names to note.
    #[cold]
    fn read_with_names(&mut self, claims: &mut Claims, names: &ClaimNames) -> Option<()> {
        let mut starts = self.starts(names);
        let mut cursor = self.reader.cursor();
        let known = !names.replaced;
        claims.present = self.members(
            &mut cursor,
            known,
            Some(&mut starts),
            |values, cursor, claim| values.claim(claim, claims, cursor),
        )?;
        cursor.end()?;
        self.read_named(claims, names, &starts.1)
    }

    #[inline(always)]
    fn claim(&mut self, claim: Claim, claims: &mut Claims, cursor: &mut Cursor<'a>) -> Option<()> {
        read_claim!(claims, claim, self, cursor);
        Some(())
    }

    #[cold]
    fn starts<'n>(&self, names: &'n ClaimNames) -> Starts<'n, 'a> {
        // The empty path is that of the whole object.
        let whole = |path: &ClaimPath| path.0.is_empty().then_some(self.reader.cursor());
        (names, names.all_paths().map(whole).collect())
    }

    /// Reads an object: `read` reads the `known` claims, other members are skipped, and no name may
    /// occur twice. Returns the known claims that it has, as bits.
    #[inline(always)]
    fn members(
        &mut self,
        cursor: &mut Cursor<'a>,
        known: u32,
        mut starts: Option<&mut Starts<'_, 'a>>,
        mut read: impl FnMut(&mut Self, &mut Cursor<'a>, Claim) -> Option<()>,
    ) -> Option<u32> {
        let (mut names, mut seen) = (Names::default(), 0);
        let mut before = b'{';
        loop {
            let member = self.reader.next_member(cursor, before, &NAMES)?;
            before = b',';
            if let Some(starts) = &mut starts {
                self.note(&member, *cursor, starts);
            }
            match member {
                Member::Known(claim) => {
                    if seen & claim.bit() != 0 {
                        return self.reader.fail(Reader::DUPLICATE);
                    }
                    seen |= claim.bit();
                    if claim.bit() & known != 0 {
                        read(self, cursor, claim)?;
                        continue;
                    }
                }
                Member::Other(name) => names.add(name, &mut self.reader)?,
                Member::End => break,
            }
            self.reader.skip(cursor, self.levels)?;
        }
        names.check(&mut self.reader)?;
        Some(seen & known)
    }

    #[cold]
    fn note(
        &self,
        member: &Member<Claim>,
        value: Cursor<'a>,
        (names, starts): &mut Starts<'_, 'a>,
    ) {
        let name = match member {
            Member::Known(claim) => claim.as_str(),
            Member::Other(name) => self.reader.text(name.span),
            Member::End => return,
        };
        for (path, start) in names.all_paths().zip(starts) {
            if path.0.first().is_some_and(|first| first == name) {
                *start = Some(value);
            }
        }
    }

    /// Reads the claims that `names` renames, and checks those that it requires.
    #[cold]
    fn read_named(
        &mut self,
        claims: &mut Claims,
        names: &ClaimNames,
        starts: &[Option<Cursor<'a>>],
    ) -> Option<()> {
        const REQUIRED: SessionError =
            SessionError::claim("one that this service requires of the issuer's tokens");

        self.is_named = true;
        let mut starts = starts.iter().copied();
        for ((claim, path), start) in names.paths.iter().zip(&mut starts) {
            let wrong = SessionError::claim(claim.as_str());
            let Some(mut cursor) = self.seek(path, start, wrong)? else {
                continue;
            };
            // Several claims of scope, or of roles, count together.
            let (scope, roles) = (claims.scope.take(), claims.roles.take());
            claims.present |= claim.bit();
            self.claim(*claim, claims, &mut cursor)?;
            claims.scope = Strings::joined(scope, claims.scope.take());
            claims.roles = Strings::joined(roles, claims.roles.take());
        }
        let roles = claims.roles.as_ref();
        if roles.is_some_and(|roles| roles.spans().len() > MAX_ROLES) {
            return self.reader.fail(SessionError::claim("roles"));
        }
        for ((path, required), start) in names.required.iter().zip(starts) {
            let span = match self.seek(path, start, REQUIRED)? {
                Some(mut cursor) => self.string(&mut cursor, REQUIRED, usize::MAX)?,
                None => None,
            };
            if span.is_none_or(|span| self.reader.text(span) != required) {
                return self.reader.fail(REQUIRED);
            }
        }
        Some(())
    }

    /// The value at a path, of which `start` is the value of the first name.
    fn seek(
        &mut self,
        path: &ClaimPath,
        start: Option<Cursor<'a>>,
        wrong: SessionError,
    ) -> Value<Cursor<'a>> {
        let (mut value, mut levels) = (start, self.levels);
        for name in path.0.iter().skip(1) {
            let Some(mut object) = value else {
                break;
            };
            self.require(b'{', &mut object, wrong)?;
            levels = self.reader.deeper(levels)?;
            value = self.reader.find(&mut object, name, levels)?;
        }
        Some(value)
    }

    #[inline(always)]
    fn string(&mut self, cursor: &mut Cursor<'a>, wrong: SessionError, max: usize) -> Value<Span> {
        self.reader.string(cursor, max, WrongType::Reject(wrong))
    }

    #[inline(always)]
    fn date(&mut self, cursor: &mut Cursor<'a>, wrong: SessionError) -> Value<NumericDate> {
        self.reader.date(cursor, wrong).map(Some)
    }

    /// A string claim. A display claim of the wrong type counts as absent in another issuer's token.
    #[inline(always)]
    #[expect(
        clippy::as_conversions,
        clippy::indexing_slicing,
        reason = "there are four kinds"
    )]
    fn text(&mut self, claim: Claim, kind: Text, cursor: &mut Cursor<'a>) -> Value<Span> {
        let max = self.text_bytes[kind as usize];
        let wrong = SessionError::claim(claim.as_str());
        let wrong = match kind {
            Text::Plain => WrongType::Reject(wrong),
            Text::Name | Text::Culture | Text::Zone => self.if_displayed(wrong),
        };
        self.reader.string(cursor, max, wrong)
    }

    /// The treatment of a display claim of the wrong type, which another issuer's token may have.
    #[inline(always)]
    fn if_displayed(&self, wrong: SessionError) -> WrongType {
        if self.is_ours {
            return WrongType::Reject(wrong);
        }
        WrongType::Ignore(self.levels)
    }

    fn display_integer(&mut self, cursor: &mut Cursor<'a>, wrong: SessionError) -> Value<i64> {
        let wrong = self.if_displayed(wrong);
        self.reader.integer(cursor, wrong)
    }

    /// A string, or an array of strings (RFC 7519 §4.1.3).
    #[inline(always)]
    fn audience(
        &mut self,
        cursor: &mut Cursor<'a>,
        wrong: SessionError,
        max: usize,
    ) -> Value<Strings> {
        if cursor.is_at(b'[') {
            return self.strings(cursor, wrong, max, usize::MAX);
        }
        let span = self.string(cursor, wrong, max)?;
        Some(span.map(Strings::One))
    }

    /// A string of space-separated scope tokens (RFC 8693 §4.2), or another issuer's array of them.
    fn scope(
        &mut self,
        cursor: &mut Cursor<'a>,
        wrong: SessionError,
        max: usize,
    ) -> Value<Strings> {
        if self.is_ours || !cursor.is_at(b'[') {
            let span = self.string(cursor, wrong, max)?;
            return Some(span.map(|span| {
                if self.is_named {
                    // So that it can be joined with others.
                    Strings::Many(self.reader.words(span))
                } else {
                    Strings::One(span)
                }
            }));
        }
        let words = self.strings(cursor, wrong, max, usize::MAX)?;
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
        if self.is_named || spans.find(has_space).is_none() {
            return Some(words);
        }
        let spans = words.iter().flat_map(Strings::spans);
        let split = spans.flat_map(|word| self.reader.words(*word)).collect();
        Some(Some(Strings::Many(split)))
    }

    /// An array of strings, or in a renamed claim a string of roles separated by spaces.
    fn roles(&mut self, cursor: &mut Cursor<'a>, wrong: SessionError) -> Value<Strings> {
        if self.is_named && cursor.is_at(b'"') {
            let max = MAX_ROLES.saturating_mul(ROLE_BYTES);
            let roles = self.string(cursor, wrong, max)?;
            let roles = roles.map_or_else(Vec::new, |roles| self.reader.words(roles));
            if roles.iter().any(|role| role.len() > ROLE_BYTES) {
                return self.reader.fail(wrong);
            }
            return Some(Some(Strings::Many(roles)));
        }
        self.require(b'[', cursor, wrong)?;
        self.strings(cursor, wrong, ROLE_BYTES, MAX_ROLES)
    }

    /// An array of at most `most` strings, each of at most `max` bytes.
    #[inline(never)]
    fn strings(
        &mut self,
        cursor: &mut Cursor<'a>,
        wrong: SessionError,
        max: usize,
        most: usize,
    ) -> Value<Strings> {
        let mut spans = Vec::new();
        self.reader.items(cursor, |reader, cursor| {
            let span = reader.string(cursor, max, WrongType::Reject(wrong))??;
            if spans.len() >= most {
                return reader.fail(wrong);
            }
            reader.push(&mut spans, span);
            Some(())
        })?;
        Some(Some(Strings::Many(spans)))
    }

    /// Rejects the token unless the value begins with this byte.
    fn require(&mut self, byte: u8, cursor: &mut Cursor<'a>, wrong: SessionError) -> Option<()> {
        if cursor.is_at(byte) {
            return Some(());
        }
        self.reader.wrong_type(cursor, WrongType::Reject(wrong))
    }

    fn presence(&mut self, cursor: &mut Cursor<'a>, _: SessionError) -> Value<()> {
        self.reader.skip(cursor, self.levels)?;
        Some(Some(()))
    }

    fn actor(&mut self, cursor: &mut Cursor<'a>, wrong: SessionError) -> Value<Box<Actor>> {
        let actor = self.actor_in(cursor, self.limits.actors(), wrong)?;
        Some(Some(Box::new(actor)))
    }

    /// An actor and those nested in it, at most `actors` (RFC 8693 §4.1).
    fn actor_in(
        &mut self,
        cursor: &mut Cursor<'a>,
        actors: usize,
        wrong: SessionError,
    ) -> Option<Actor> {
        const KNOWN: u32 = Claim::sub.bit()
            | Claim::sid.bit()
            | Claim::client_id.bit()
            | Claim::auth_time.bit()
            | Claim::act.bit();

        self.require(b'{', cursor, wrong)?;
        let outer = self.levels;
        self.levels = self.reader.deeper(outer)?;
        let Some(actors) = actors.checked_sub(1) else {
            return self.reader.fail(wrong);
        };
        let max = self.limits.claim_bytes();
        let (mut sub, mut sid, mut client_id, mut auth_time, mut act) = Default::default();
        self.members(cursor, KNOWN, None, |values, cursor, claim| {
            match claim {
                Claim::sub => sub = values.string(cursor, wrong, max)?,
                Claim::sid => sid = values.string(cursor, wrong, max)?,
                Claim::client_id => client_id = values.string(cursor, wrong, max)?,
                Claim::auth_time => auth_time = values.date(cursor, wrong)?,
                _ => act = Some(Box::new(values.actor_in(cursor, actors, wrong)?)),
            }
            Some(())
        })?;
        self.levels = outer;
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
        read_claims(json, &mut Claims::none(), others, limits)
    }

    /// Names of which about one in a hundred is a duplicate.
    fn name() -> impl Strategy<Value = String> {
        prop_oneof![1 => "[A-Z]{1,2}", 20 => "[A-Z]{3,9}"]
    }

    proptest! {
        /// Few names are compared, and many are hashed. In either case, and with or without escapes,
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
