//! The JOSE header (RFC 7515 §4).

use std::fmt;

use serde::de::{MapAccess, Visitor};

use super::{
    compact::{decoded_len, with_decoded},
    flat,
    json::{Reading, Text, TextSeed},
};
use crate::{error::SessionError, token::Limits};

const MEMBER: SessionError =
    SessionError::malformed("a member of the JOSE header has the wrong type");

/// The members that decide. All others are ignored: no key and no address in a token is trusted.
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(in crate::token) struct JoseHeader<'a> {
    pub(in crate::token) alg: Text<'a>,
    pub(in crate::token) kid: Option<Text<'a>>,
    pub(in crate::token) typ: Option<Text<'a>>,
}

pub(in crate::token) fn check_length(encoded: &[u8], limits: &Limits) -> Result<(), SessionError> {
    match decoded_len(encoded.len()) <= limits.header_bytes() {
        true => Ok(()),
        false => Err(SessionError::malformed("the JOSE header is too long")),
    }
}

/// Decodes the header part and hands what it says to `read`, since it borrows from a buffer here;
/// also whether it is plain: nothing else is in it, whatever the limits are.
pub(in crate::token) fn with_header<T>(
    encoded: &[u8],
    limits: &Limits,
    read: impl FnOnce(&JoseHeader<'_>, bool) -> Result<T, SessionError>,
) -> Result<T, SessionError> {
    with_decoded(encoded, |bytes| {
        let json = std::str::from_utf8(bytes)
            .map_err(|_| SessionError::malformed("the JOSE header is not UTF-8"))?;
        match flat::scan_header(json) {
            Some(header) => read(&header, true),
            None => read(&JoseHeader::parse_strictly(json, limits)?, false),
        }
    })?
}

impl<'a> JoseHeader<'a> {
    pub(super) fn parse_strictly(json: &'a str, limits: &Limits) -> Result<Self, SessionError> {
        let reading = Reading::new(json);
        reading.object(HeaderVisitor {
            reading: &reading,
            levels: limits.nesting(),
        })
    }
}

struct HeaderVisitor<'r> {
    reading: &'r Reading<'r>,
    levels: usize,
}

impl<'de> Visitor<'de> for HeaderVisitor<'_> {
    type Value = JoseHeader<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JOSE header")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        const TEXT: TextSeed = TextSeed { max: usize::MAX };
        let levels = self.reading.deeper(self.levels)?;
        let (mut alg, mut kid, mut typ) = (None, None, None);
        let others = self.reading.others();
        while let Some(name) = map.next_key_seed(TextSeed::NAME)? {
            match &*name {
                "alg" => self.reading.member(&mut map, &mut alg, TEXT, MEMBER)?,
                "kid" => self.reading.member(&mut map, &mut kid, TEXT, MEMBER)?,
                "typ" => self.reading.member(&mut map, &mut typ, TEXT, MEMBER)?,
                // No extension is understood (RFC 7515 §4.1.11), nor an unencoded payload
                // (RFC 7797 §7).
                "crit" | "b64" => {
                    return Err(self.reading.refuse(SessionError::malformed(
                        "the JOSE header asks for an extension",
                    )));
                }
                _ => self.reading.skip(&mut map, &name, levels)?,
            }
        }
        self.reading.distinct(others)?;
        Ok(JoseHeader {
            alg: alg.ok_or_else(|| {
                self.reading
                    .refuse(SessionError::malformed("the JOSE header has no `alg`"))
            })?,
            kid,
            typ,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(json: &str) -> &'static str {
        JoseHeader::parse_strictly(json, &Limits::default())
            .map_or_else(|error| error.detail(), |_| "")
    }

    #[test]
    fn the_reason_is_told() {
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

    #[test]
    fn the_limit_is_on_decoded_bytes() {
        for (limits, len, ok) in [
            (Limits::default(), 1024, true),
            (Limits::default(), 1025, false),
            (Limits::default().with_header_bytes(2000), 2000, true),
            (Limits::default().with_header_bytes(2000), 2001, false),
        ] {
            let mut encoded = String::new();
            super::super::compact::encode(&vec![b' '; len], &mut encoded);
            let got = check_length(encoded.as_bytes(), &limits);
            assert_eq!(got.is_ok(), ok, "{len}");
        }
    }
}
