//! The JOSE header (RFC 7515 §4).

use std::fmt;

use serde::de::{MapAccess, Visitor};

use super::compact::{decoded_len, with_decoded};
use crate::{
    error::SessionError,
    json::{
        reader::{Reading, Text, TextSeed},
        scanner::{Scanner, word},
    },
    limits::Limits,
};

const MEMBER: SessionError =
    SessionError::malformed("a member of the JOSE header has the wrong type");

/// The members that decide. All others are ignored: no key and no address in a token is trusted.
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) struct JoseHeader<'a> {
    pub(crate) alg: Text<'a>,
    pub(crate) kid: Option<Text<'a>>,
    pub(crate) typ: Option<Text<'a>>,
}

pub(crate) fn check_length(encoded: &[u8], limits: &Limits) -> Result<(), SessionError> {
    match decoded_len(encoded.len()) <= limits.header_bytes() {
        true => Ok(()),
        false => Err(SessionError::malformed("the JOSE header is too long")),
    }
}

/// Decodes the header part and hands what it says to `read`, since it borrows from a buffer here;
/// also whether it is plain: nothing else is in it, whatever the limits are.
pub(crate) fn with_header<T>(
    encoded: &[u8],
    limits: &Limits,
    read: impl FnOnce(&JoseHeader<'_>, bool) -> Result<T, SessionError>,
) -> Result<T, SessionError> {
    with_decoded(encoded, |bytes| {
        let json = std::str::from_utf8(bytes)
            .map_err(|_| SessionError::malformed("the JOSE header is not UTF-8"))?;
        match scan_header(json) {
            Some(header) => read(&header, true),
            None => read(&JoseHeader::parse_strictly(json, limits)?, false),
        }
    })?
}

impl<'a> JoseHeader<'a> {
    pub(crate) fn parse_strictly(json: &'a str, limits: &Limits) -> Result<Self, SessionError> {
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

const ALG: u64 = word("alg");
const KID: u64 = word("kid");
const TYP: u64 = word("typ");

/// Reads a JOSE header of `alg`, `kid` and `typ`, and of no other member.
fn scan_header(json: &str) -> Option<JoseHeader<'_>> {
    let mut scanner = Scanner::new(json);
    let (mut alg, mut kid, mut typ) = (None, None, None);
    scanner.skip(b'{')?;
    loop {
        let name = scanner.name()?;
        let place = match name.word {
            ALG if name.is(b"alg") => &mut alg,
            KID if name.is(b"kid") => &mut kid,
            TYP if name.is(b"typ") => &mut typ,
            _ => return None,
        };
        let text = Text::Borrowed(scanner.text()?.of(json));
        if place.replace(text).is_some() {
            return None;
        }
        if scanner.is_last()? {
            break;
        }
    }
    let alg = alg?;
    Some(JoseHeader { alg, kid, typ })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
            crate::jws::compact::encode(&vec![b' '; len], &mut encoded);
            let got = check_length(encoded.as_bytes(), &limits);
            assert_eq!(got.is_ok(), ok, "{len}");
        }
    }

    /// What is read fast is what is read strictly.
    fn agrees(json: &str) -> bool {
        scan_header(json).is_none_or(|fast| {
            JoseHeader::parse_strictly(json, &Limits::default()).is_ok_and(|strict| strict == fast)
        })
    }

    #[test]
    fn plain_headers_are_read_and_odd_ones_are_left() {
        for (json, plain) in [
            (r#"{"alg":"HS256"}"#, true),
            (r#" { "typ" : "a" , "kid" : "b" , "alg" : "c" } "#, true),
            (r#"{"typ":"JWT"}"#, false),
            (r#"{"alg":"HS256","alg":"HS256"}"#, false),
            (r#"{"alg":"HS256","x":1}"#, false),
            (r#"{"alg":"HS256","crit":[]}"#, false),
            (r#"{"alg":"HS\u0032\u0035\u0036"}"#, false),
            (r#"{"alg":"HS256"}x"#, false),
            (r#"{"alg":"HS256","#, false),
            (r#"{"alg":1}"#, false),
            ("{}", false),
        ] {
            assert_eq!(scan_header(json).is_some(), plain, "{json}");
            assert!(agrees(json), "{json}");
        }
    }

    proptest! {
        #[test]
        fn pieces_in_any_order_are_read_alike(
            pieces in proptest::collection::vec(proptest::sample::select(vec![
                "{", "}", "[", "]", ",", ":", " ", "\"alg\"", "\"alg\":\"a\"", "\"kid\":\"b\",", "\"typ\":\"c\",",
                "\"alg\0\":\"a\",", "\"x\"", "\"\"", "1", "null", "\"\\u0061\"", "\"\\ud800\"",
            ]), 0..14),
        ) {
            let json = pieces.concat();
            prop_assert!(agrees(&json), "{json}");
            let json = format!("{{{json}}}");
            prop_assert!(agrees(&json), "{json}");
        }
    }
}
