//! The JOSE header (RFC 7515 §4).

use super::compact::with_decoded;
use crate::{
    error::SessionError,
    json::{self, Names, Reader, Span, WrongType},
    limits::Limits,
};

/// The members that are used. All others are ignored: a key or URL in a token is never trusted.
pub(super) struct JoseHeader<'a> {
    pub(super) alg: &'a str,
    pub(super) kid: Option<&'a str>,
    pub(super) typ: Option<&'a str>,
}

/// Decodes the header and passes it to `read`, with whether it is plain: a header without other
/// members is valid under any limits.
pub(super) fn with_header<T>(
    encoded: &[u8],
    limits: &Limits,
    read: impl FnOnce(&JoseHeader<'_>, bool) -> Result<T, SessionError>,
) -> Result<T, SessionError> {
    with_decoded(encoded, |bytes| {
        let json = std::str::from_utf8(bytes)
            .map_err(|_| SessionError::malformed("the JOSE header is not UTF-8"))?;
        let (mut reader, levels) = Reader::new(json, limits.nesting())?;
        let Some(members) = members(&mut reader, levels) else {
            return Err(reader.into_reason());
        };
        let text = |span: Option<Span>| span.map(|span| reader.text(span));
        let header = JoseHeader {
            alg: text(members.alg)
                .ok_or(SessionError::malformed("the JOSE header has no `alg`"))?,
            kid: text(members.kid),
            typ: text(members.typ),
        };
        read(&header, members.is_plain)
    })?
}

#[derive(Default)]
struct Members {
    alg: Option<Span>,
    kid: Option<Span>,
    typ: Option<Span>,
    is_plain: bool,
}

fn members(reader: &mut Reader<'_>, levels: usize) -> Option<Members> {
    const WRONG_TYPE: SessionError =
        SessionError::malformed("a member of the JOSE header has the wrong type");
    const EXTENSION: SessionError =
        SessionError::malformed("the JOSE header asks for an extension");
    const ALG: u64 = json::word("alg");
    const KID: u64 = json::word("kid");
    const TYP: u64 = json::word("typ");
    const CRIT: u64 = json::word("crit");
    const B64: u64 = json::word("b64");

    let mut cursor = reader.cursor();
    let mut members = Members::default();
    let mut others = Names::default();
    reader.object(&mut cursor, |reader, cursor, name| {
        let place = match (name.word, name.span.len()) {
            (ALG, 3) => &mut members.alg,
            (KID, 3) => &mut members.kid,
            (TYP, 3) => &mut members.typ,
            // No extension is supported (RFC 7515 §4.1.11), nor an unencoded payload
            // (RFC 7797 §7).
            (CRIT, 4) | (B64, 3) => return reader.fail(EXTENSION),
            _ => {
                others.add(name, reader)?;
                return reader.skip(cursor, levels);
            }
        };
        if place.is_some() {
            return reader.fail(Reader::DUPLICATE);
        }
        *place = reader.string(cursor, usize::MAX, WrongType::Reject(WRONG_TYPE))?;
        Some(())
    })?;
    cursor.end()?;
    members.is_plain = others.is_empty();
    others.check(reader)?;
    Some(members)
}

#[cfg(test)]
mod tests {
    use base64_simd::URL_SAFE_NO_PAD;

    use super::*;

    fn detail(json: &str) -> &'static str {
        let encoded = URL_SAFE_NO_PAD.encode_to_string(json);
        with_header(encoded.as_bytes(), &Limits::default(), |_, _| Ok(()))
            .map_or_else(|error| error.detail(), |()| "")
    }

    #[test]
    fn each_rejection_of_a_header_has_its_reason() {
        let nested = |levels: usize| {
            let (open, close) = ("[".repeat(levels), "]".repeat(levels));
            format!(r#"{{"alg":"HS256","x":{open}{close}}}"#)
        };
        let many = |more: &str| {
            let members = (0..200).map(|at| format!(r#","m{at}":1"#));
            format!(r#"{{"alg":"HS256"{}{more}}}"#, members.collect::<String>())
        };
        for (json, want) in [
            (r#"{"alg":"HS256"}"#.to_owned(), ""),
            (
                r#"{"alg":"HS256","kid":"a","typ":"b","x":{"alg":"none"}}"#.to_owned(),
                "",
            ),
            (r#"{"\u0061lg":"HS256"}"#.to_owned(), ""),
            ("{}".to_owned(), "the JOSE header has no `alg`"),
            ("[]".to_owned(), "a part is not a JSON object"),
            (
                r#"{"alg":"HS256"} x"#.to_owned(),
                "a part is not a JSON object",
            ),
            (
                r#"{"alg":"HS256","#.to_owned(),
                "a part is not a JSON object",
            ),
            (
                r#"{"alg":1}"#.to_owned(),
                "a member of the JOSE header has the wrong type",
            ),
            (
                r#"{"alg":"HS256","kid":null}"#.to_owned(),
                "a member of the JOSE header has the wrong type",
            ),
            (
                r#"{"alg":"HS256","typ":1}"#.to_owned(),
                "a member of the JOSE header has the wrong type",
            ),
            (
                r#"{"alg":"HS256","\u0061lg":"HS256"}"#.to_owned(),
                "a member occurs twice",
            ),
            (
                r#"{"alg":"HS256","x":1,"y":2,"x":1}"#.to_owned(),
                "a member occurs twice",
            ),
            (
                r#"{"alg":"HS256","x":1,"\u0078":1}"#.to_owned(),
                "a member occurs twice",
            ),
            (many(""), ""),
            (many(r#","m7":1"#), "a member occurs twice"),
            (many(r#","\u006d7":1"#), "a member occurs twice"),
            (many(r#","\u006d777":1"#), ""),
            (
                r#"{"alg":"HS256","x":"\ud800"}"#.to_owned(),
                "a part is not a JSON object",
            ),
            (
                r#"{"crit":null,"alg":"HS256"}"#.to_owned(),
                "the JOSE header asks for an extension",
            ),
            (
                r#"{"alg":"HS256","b64":true}"#.to_owned(),
                "the JOSE header asks for an extension",
            ),
            (nested(31), ""),
            (nested(32), "JSON is nested too deeply"),
        ] {
            assert_eq!(detail(&json), want, "{json}");
        }
    }
}
