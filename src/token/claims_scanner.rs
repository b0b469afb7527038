//! A fast way to read the objects that session tokens consist of: plain texts and numbers.
//!
//! It gives up on anything else (escapes, nesting, fractions, `null`, a member twice, a text too
//! long, any error), and then the strict readers in `header` and `claims` decide. So it has no
//! errors of its own, and what it reads is what they would read; the tests below hold them
//! together.

use super::claims::{Audience, Claims};
use crate::{
    json::{
        Span,
        scanner::{Scanner, is_plain, word},
    },
    limits::Limits,
    time::NumericDate,
};

/// How many claims that the profile does not know are compared with each other.
const MAX_OTHERS: usize = 8;

/// Reads a claims set.
pub(crate) fn scan_claims(json: &str, limits: &Limits) -> Option<Claims> {
    let mut scanner = Scanner::new(json);
    let mut claims = Claims::default();
    let mut others = [&[][..]; MAX_OTHERS];
    let mut other = others.iter_mut();

    scanner.skip(b'{')?;
    loop {
        let name = scanner.name()?;
        let member = match name.word {
            ISS if name.is(b"iss") => Member::Text(&mut claims.iss, limits.claim_bytes()),
            AUD if name.is(b"aud") => Member::Audience,
            SUB if name.is(b"sub") => Member::Text(&mut claims.sub, limits.claim_bytes()),
            EXP if name.is(b"exp") => Member::Moment(&mut claims.exp),
            NBF if name.is(b"nbf") => Member::Moment(&mut claims.nbf),
            IAT if name.is(b"iat") => Member::Moment(&mut claims.iat),
            JTI if name.is(b"jti") => Member::Text(&mut claims.jti, limits.claim_bytes()),
            SID if name.is(b"sid") => Member::Text(&mut claims.sid, limits.claim_bytes()),
            CLIENT_ID if name.is(b"client_id") => {
                Member::Text(&mut claims.client_id, limits.claim_bytes())
            }
            AZP if name.is(b"azp") => Member::Text(&mut claims.azp, limits.claim_bytes()),
            CLIENT_KIND if name.is(b"client_kind") => {
                Member::Text(&mut claims.client_kind, limits.claim_bytes())
            }
            NAME if name.is(b"name") => Member::Text(&mut claims.name, limits.claim_bytes()),
            ACCESS_LEVEL if name.is(b"access_level") => {
                Member::Text(&mut claims.access_level, limits.claim_bytes())
            }
            LOCALE if name.is(b"locale") => Member::Text(&mut claims.locale, limits.locale_bytes()),
            UI_LOCALE if name.is(b"ui_locale") => {
                Member::Text(&mut claims.ui_locale, limits.locale_bytes())
            }
            UTC_OFFSET if name.is(b"utc_offset") => Member::Offset,
            ZONEINFO if name.is(b"zoneinfo") => Member::Text(&mut claims.zoneinfo, usize::MAX),
            SERVER if name.is(b"server") => Member::Text(&mut claims.server, limits.claim_bytes()),
            INSTANCE if name.is(b"instance") => {
                Member::Text(&mut claims.instance, limits.claim_bytes())
            }
            SCOPE if name.is(b"scope") => Member::Text(&mut claims.scope, limits.scope_bytes()),
            ACT if name.is(b"act") => return None,
            CNF if name.is(b"cnf") => return None,
            PREFERRED_USERNAME if name.is(b"preferred_username") => {
                Member::Text(&mut claims.preferred_username, limits.claim_bytes())
            }
            _ => Member::Other,
        };
        let is_first = match member {
            Member::Text(place, max) => place.replace(scanner.text_of(max)?).is_none(),
            Member::Moment(place) => {
                let moment = NumericDate::from_seconds(scanner.natural()?)?;
                place.replace(moment).is_none()
            }
            Member::Audience => {
                let text = scanner.text_of(limits.claim_bytes())?;
                claims.aud.replace(Audience::one(text)).is_none()
            }
            Member::Offset => claims.utc_offset.replace(scanner.integer()?).is_none(),
            Member::Other => {
                scanner.skip_scalar()?;
                *other.next()? = name.text;
                is_plain(name.text)
            }
        };
        if !is_first {
            return None;
        }
        if scanner.is_last()? {
            break;
        }
    }
    let read = MAX_OTHERS.checked_sub(other.len())?;
    let others = others.get(..read)?;
    let distinct = others
        .iter()
        .enumerate()
        .all(|(at, name)| others.iter().take(at).all(|it| it != name));
    distinct.then_some(claims)
}

/// What kind of value a member has, and where it goes.
enum Member<'c> {
    /// Of at most so many bytes.
    Text(&'c mut Option<Span>, usize),
    Moment(&'c mut Option<NumericDate>),
    Audience,
    Offset,
    Other,
}

macro_rules! words {
    ($($constant:ident = $name:literal),* $(,)?) => {
        $(const $constant: u64 = word($name);)*
    };
}

words! {
    ISS = "iss", AUD = "aud", SUB = "sub", EXP = "exp", NBF = "nbf", IAT = "iat", JTI = "jti",
    SID = "sid", CLIENT_ID = "client_id", AZP = "azp", CLIENT_KIND = "client_kind", NAME = "name",
    PREFERRED_USERNAME = "preferred_username", ACCESS_LEVEL = "access_level", LOCALE = "locale", UI_LOCALE = "ui_locale",
    UTC_OFFSET = "utc_offset", ZONEINFO = "zoneinfo", SERVER = "server", INSTANCE = "instance",
    SCOPE = "scope", ACT = "act", CNF = "cnf",
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = r#"{"iss":"https://id.example.com","aud":"orders","sub":"ann","exp":1768482000,
        "iat":1768478400,"jti":"t","sid":"s","client_id":"web-shop","name":"Иван Петров","locale":"ru-RU",
        "utc_offset":-210,"server":"main","x":1,"y":"z","z":true}"#;

    /// What is read fast is what is read strictly; nothing is read fast that strictly is refused.
    fn agrees(json: &str) -> bool {
        let limits = Limits::default();
        let claims = match scan_claims(json, &limits) {
            Some(fast) => Claims::parse_strictly(json, &limits)
                .is_ok_and(|(strict, unescaped)| strict == fast && unescaped.is_empty()),
            None => true,
        };
        claims
    }

    #[test]
    fn plain_sets_are_read_and_odd_ones_are_left() {
        let limits = Limits::default();
        assert!(scan_claims(GOOD, &limits).is_some() && agrees(GOOD));
        for (from, to) in [
            ("Иван", r"\u0418"),
            ("1768482000", "1768482000.5"),
            ("1768482000", "1768482e3"),
            ("1768482000", "01768482000"),
            ("1768482000", "-1"),
            ("1768482000", "\"1\""),
            ("1768482000", "null"),
            ("1768482000", "99999999999999999999"),
            ("-210", "-0"),
            ("-210", "-"),
            ("-210", "2.0"),
            ("\"orders\"", "[\"orders\"]"),
            ("\"x\":1", "\"x\":{}"),
            ("\"x\":1", "\"x\":[]"),
            ("\"x\":1", "\"x\":tru"),
            ("\"x\":1", "\"y\":1"),
            ("\"x\":1", "\"sub\":\"b\""),
            ("\"x\":1", "\"exp\":1"),
            ("\"x\":1", "\"act\":{\"sub\":\"a\"}"),
            ("\"x\":1", "\"cnf\":1"),
            ("Иван", "\u{1}"),
            ("Иван", "\n"),
            ("true}", "true,}"),
            ("true}", "true}x"),
            ("true}", "true"),
            ("true}", "true]"),
            (",", ";"),
            (":", "="),
        ] {
            let json = GOOD.replacen(from, to, 1);
            assert!(scan_claims(&json, &limits).is_none(), "{json}");
        }
        let long = GOOD.replace("ann", &"a".repeat(257));
        assert!(scan_claims(&long, &limits).is_none());
        let many: String = (0..=MAX_OTHERS).map(|it| format!("\"o{it}\":1,")).collect();
        assert!(scan_claims(&GOOD.replacen('{', &format!("{{{many}"), 1), &limits).is_none());
        for json in [
            "", "{", "{}", "[]", "null", "\"", "{\"", "{\"a", "{\"a\"", "{\"a\":",
        ] {
            assert!(scan_claims(json, &limits).is_none(), "{json}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn a_changed_set_is_read_alike(at in 0..GOOD.len(), with in ".{0,3}|[\"\\\\{}\\[\\],:0-9eE.+-]{0,4}", cut in 0..4_usize) {
            let start = GOOD.floor_char_boundary(at);
            let end = GOOD.floor_char_boundary((start + cut).min(GOOD.len()));
            let mut json = GOOD.to_owned();
            json.replace_range(start..end.max(start), &with);
            prop_assert!(agrees(&json), "{json}");
        }

        #[test]
        fn pieces_in_any_order_are_read_alike(
            pieces in proptest::collection::vec(proptest::sample::select(vec![
                "\"instance\":\"a\",", "\"instance_id\":\"a\",", "\"zoneinfo\":\"a\",", "\"zoneinfos\":\"a\",",
                "\"alg\0\":\"a\",", "\"client_id\":\"a\",", "\"client_ids\":\"a\",", "\"iss\0\":\"a\",",
                "{", "}", "[", "]", ",", ":", " ", "\"exp\"", "\"sub\"", "\"alg\"", "\"alg\":\"a\"", "\"kid\":\"b\",", "\"aud\"", "\"x\"", "\"\"",
                "\"utc_offset\"", "\"locale\"", "\"act\"", "1", "-1", "0", "-0", "1.5", "1e2", "true",
                "false", "null", "\"\\u0061\"", "\"\\ud800\"", "\"exp\":1", "\"sub\":\"a\"", "\"x\":1,",
            ]), 0..14),
        ) {
            let json = pieces.concat();
            prop_assert!(agrees(&json), "{json}");
            let json = format!("{{{json}}}");
            prop_assert!(agrees(&json), "{json}");
        }
    }
}
