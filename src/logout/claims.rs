//! The claims of a logout token (Back-Channel Logout 1.0 §2.4).

use crate::{
    error::SessionError,
    json::{Cursor, Names, Reader, WrongType},
    limits::Limits,
    time::NumericDate,
};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const EVENTS: SessionError = SessionError::claim("events");

/// The claims that decide; `None` where absent.
#[derive(Default)]
pub(super) struct LogoutClaims {
    pub(super) iss: Option<String>,
    pub(super) aud: Vec<String>,
    pub(super) iat: Option<NumericDate>,
    pub(super) exp: Option<NumericDate>,
    pub(super) jti: Option<String>,
    pub(super) sub: Option<String>,
    pub(super) sid: Option<String>,
    /// Whether `events` has the event of a back-channel logout.
    pub(super) has_event: bool,
    pub(super) has_nonce: bool,
}

impl LogoutClaims {
    pub(super) fn read(json: &str, limits: &Limits) -> Result<Self, SessionError> {
        let (mut reader, levels) = Reader::new(json, limits.nesting())?;
        read(&mut reader, levels, limits).ok_or_else(|| reader.into_reason())
    }
}

fn read(reader: &mut Reader<'_>, levels: usize, limits: &Limits) -> Option<LogoutClaims> {
    let (mut claims, mut names) = (LogoutClaims::default(), Names::default());
    let max = limits.claim_bytes();
    let mut cursor = reader.cursor();
    reader.object(&mut cursor, |reader, cursor, name| {
        names.add(name, reader)?;
        let name = reader.text(name.span);
        let (text, name) = match name {
            "iss" => (&mut claims.iss, "iss"),
            "jti" => (&mut claims.jti, "jti"),
            "sub" => (&mut claims.sub, "sub"),
            "sid" => (&mut claims.sid, "sid"),
            "aud" => {
                claims.aud = audience(reader, cursor, max)?;
                return Some(());
            }
            "iat" => {
                claims.iat = Some(reader.date(cursor, SessionError::claim("iat"))?);
                return Some(());
            }
            "exp" => {
                claims.exp = Some(reader.date(cursor, SessionError::claim("exp"))?);
                return Some(());
            }
            "events" => {
                claims.has_event = has_event(reader, cursor, levels)?;
                return Some(());
            }
            other => {
                claims.has_nonce |= other == "nonce";
                return reader.skip(cursor, levels);
            }
        };
        *text = Some(string(reader, cursor, max, SessionError::claim(name))?);
        Some(())
    })?;
    cursor.end()?;
    names.check(reader)?;
    Some(claims)
}

/// Takes a string that is not empty.
fn string<'a>(
    reader: &mut Reader<'a>,
    cursor: &mut Cursor<'a>,
    max: usize,
    wrong: SessionError,
) -> Option<String> {
    let span = reader.string(cursor, max, WrongType::Reject(wrong))??;
    let text = reader.text(span).to_owned();
    if text.is_empty() {
        return reader.fail(wrong);
    }
    Some(text)
}

/// Takes a string, or an array of strings (RFC 7519 §4.1.3).
fn audience<'a>(
    reader: &mut Reader<'a>,
    cursor: &mut Cursor<'a>,
    max: usize,
) -> Option<Vec<String>> {
    let wrong = SessionError::claim("aud");
    let mut audience = Vec::new();
    if !cursor.is_at(b'[') {
        audience.push(string(reader, cursor, max, wrong)?);
        return Some(audience);
    }
    reader.items(cursor, |reader, cursor| {
        audience.push(string(reader, cursor, max, wrong)?);
        Some(())
    })?;
    Some(audience)
}

/// Takes the object of events, each of which is an object (RFC 8417 §2.2).
fn has_event<'a>(reader: &mut Reader<'a>, cursor: &mut Cursor<'a>, levels: usize) -> Option<bool> {
    let (mut has_event, mut names) = (false, Names::default());
    if !cursor.is_at(b'{') {
        reader.wrong_type(cursor, WrongType::Reject(EVENTS))?;
    }
    let levels = reader.deeper(levels)?;
    reader.object(cursor, |reader, cursor, name| {
        names.add(name, reader)?;
        if !cursor.is_at(b'{') {
            return reader.fail(EVENTS);
        }
        has_event |= reader.text(name.span) == EVENT;
        reader.skip(cursor, levels)
    })?;
    names.check(reader)?;
    Some(has_event)
}
