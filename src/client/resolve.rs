//! Which source decides culture, offset and zone of a call.

use chrono::{DateTime, FixedOffset, Utc};

use super::{
    ClientContext, ClientSource, Culture, TimeZone,
    accept_language::{AcceptLanguage, Supported},
    context::ClientClock,
};

/// What one source says. What it does not say, or says badly, is `None`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offer {
    pub(crate) culture: Option<Culture>,
    pub(crate) ui_culture: Option<Culture>,
    pub(crate) utc_offset: Option<FixedOffset>,
    pub(crate) time_zone: Option<TimeZone>,
}

/// What a service supports and what it falls back to, set once at start-up.
///
/// The sources are asked in this order: call, token, `Accept-Language`, default. Culture, UI
/// culture, and the pair of offset and zone go their own ways.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientPolicy {
    supported: Supported,
    default_culture: Culture,
    /// The default culture where none is set.
    default_ui_culture: Option<Culture>,
    default_utc_offset: Option<FixedOffset>,
    default_time_zone: Option<TimeZone>,
}

impl ClientPolicy {
    /// Adds to the list of supported cultures; without one, every culture is taken as it is.
    pub(crate) fn support(&mut self, culture: Culture) {
        self.supported.insert(culture);
    }

    /// Sets the default culture. It is used as it is, supported or not; so are the others.
    pub(crate) fn set_default_culture(&mut self, culture: Culture) {
        self.default_culture = culture;
    }

    pub(crate) fn set_default_ui_culture(&mut self, ui_culture: Culture) {
        self.default_ui_culture = Some(ui_culture);
    }

    pub(crate) fn set_default_utc_offset(&mut self, utc_offset: FixedOffset) {
        self.default_utc_offset = Some(utc_offset);
    }

    pub(crate) fn set_default_time_zone(&mut self, time_zone: TimeZone) {
        self.default_time_zone = Some(time_zone);
    }

    /// Whether the default offset is one that a token could say too.
    pub(crate) fn has_plain_default_offset(&self) -> bool {
        self.default_utc_offset.is_none_or(|offset| {
            let seconds = offset.local_minus_utc();
            seconds % 60 == 0 && super::offset_from_minutes((seconds / 60).into()).is_some()
        })
    }

    pub(crate) fn has_supported_list(&self) -> bool {
        !self.supported.is_empty()
    }

    /// What the token says, else the default.
    pub(crate) fn resolve_token(
        &self,
        token: &Offer,
        now: impl Fn() -> DateTime<Utc>,
    ) -> ClientContext {
        let answer = self.answer(token, &now);
        let (culture, culture_source) = answer
            .culture
            .map_or_else(|| by_default(self.default_culture.clone()), by_token);
        let (ui_culture, ui_culture_source) = answer
            .ui_culture
            .map_or_else(|| by_default(self.default_ui_culture().clone()), by_token);
        let (clock, clock_source) = answer
            .clock
            .map_or_else(|| by_default(self.default_clock(&now)), by_token);
        ClientContext {
            culture,
            ui_culture,
            clock,
            culture_source,
            ui_culture_source,
            clock_source,
            ignored: 0,
        }
    }

    /// Whether [`resolve_token`](Self::resolve_token) yields the same at every moment.
    pub(crate) fn is_steady(&self, token: &Offer) -> bool {
        let by_default = self.default_utc_offset.is_some() || self.default_time_zone.is_none();
        token.utc_offset.is_some() || (token.time_zone.is_none() && by_default)
    }

    /// What the call says, else what `base` has of the token, else what `Accept-Language` says,
    /// else what `base` has by default. So many bad values of the call were `ignored`.
    pub(crate) fn resolve_call(
        &self,
        base: &ClientContext,
        call: &Offer,
        languages: Option<&AcceptLanguage>,
        ignored: u8,
        now: DateTime<Utc>,
    ) -> ClientContext {
        let answer = self.answer(call, || now);
        let mut context = base.clone();
        context.ignored = ignored;
        if let Some(culture) = answer.culture {
            (context.culture, context.culture_source) = (culture, ClientSource::Call);
        }
        if let Some(ui_culture) = answer.ui_culture {
            (context.ui_culture, context.ui_culture_source) = (ui_culture, ClientSource::Call);
        }
        if let Some(clock) = answer.clock {
            (context.clock, context.clock_source) = (clock, ClientSource::Call);
        }
        // A source that says a culture says a UI culture too, so that nothing is left to ask for
        // where the culture is not by default.
        if context.culture_source == ClientSource::Default
            && let Some(chosen) = languages.and_then(|it| it.choose(&self.supported))
        {
            let source = ClientSource::AcceptLanguage;
            if context.ui_culture_source == ClientSource::Default {
                (context.ui_culture, context.ui_culture_source) = (chosen.clone(), source);
            }
            (context.culture, context.culture_source) = (chosen, source);
        }
        context
    }

    /// What is left of an offer: supported cultures, and offset and zone as a pair.
    fn answer(&self, offer: &Offer, now: impl Fn() -> DateTime<Utc>) -> Answer {
        let nearest = |asked: &Option<Culture>| self.supported.lookup(asked.as_ref()?);
        let culture = nearest(&offer.culture);
        Answer {
            ui_culture: nearest(&offer.ui_culture).or_else(|| culture.clone()),
            culture,
            clock: clock(offer.utc_offset, offer.time_zone, now),
        }
    }

    fn default_ui_culture(&self) -> &Culture {
        let set = self.default_ui_culture.as_ref();
        set.unwrap_or(&self.default_culture)
    }

    fn default_clock(&self, now: impl Fn() -> DateTime<Utc>) -> ClientClock {
        clock(self.default_utc_offset, self.default_time_zone, now).unwrap_or_default()
    }
}

/// What one source yields.
struct Answer {
    culture: Option<Culture>,
    /// The source's culture where it has no UI culture that is supported.
    ui_culture: Option<Culture>,
    clock: Option<ClientClock>,
}

/// Offset and zone of one source. A zone without an offset gives that of this moment; an offset
/// says no zone.
fn clock(
    utc_offset: Option<FixedOffset>,
    time_zone: Option<TimeZone>,
    now: impl Fn() -> DateTime<Utc>,
) -> Option<ClientClock> {
    Some(ClientClock {
        utc_offset: utc_offset.or_else(|| Some(time_zone?.offset_at(&now())))?,
        time_zone,
    })
}

fn by_token<T>(value: T) -> (T, ClientSource) {
    (value, ClientSource::Token)
}

fn by_default<T>(value: T) -> (T, ClientSource) {
    (value, ClientSource::Default)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CALL: ClientSource = ClientSource::Call;
    const TOKEN: ClientSource = ClientSource::Token;
    const ACCEPT: ClientSource = ClientSource::AcceptLanguage;
    const DEFAULT: ClientSource = ClientSource::Default;

    fn culture(tag: &str) -> Culture {
        tag.parse().unwrap()
    }

    /// Of culture and UI culture; `-` is not said.
    fn cultures(culture: &str, ui_culture: &str) -> Offer {
        let said = |tag: &str| (tag != "-").then(|| tag.parse().unwrap());
        Offer {
            culture: said(culture),
            ui_culture: said(ui_culture),
            ..Offer::default()
        }
    }

    fn offset(minutes: i32) -> FixedOffset {
        FixedOffset::east_opt(minutes * 60).unwrap()
    }

    fn summer() -> DateTime<Utc> {
        "2026-07-01T12:00:00Z".parse().unwrap()
    }

    fn policy(supported: &[&str]) -> ClientPolicy {
        let mut policy = ClientPolicy::default();
        for tag in supported {
            policy.support(culture(tag));
        }
        policy.set_default_culture(culture("ja"));
        policy.set_default_ui_culture(culture("ko"));
        policy
    }

    type Cultures<'a> = ((&'a str, ClientSource), (&'a str, ClientSource));

    fn seen(context: &ClientContext) -> Cultures<'_> {
        (
            (context.culture().as_str(), context.culture_source()),
            (context.ui_culture().as_str(), context.ui_culture_source()),
        )
    }

    #[test]
    fn each_source_is_asked_in_its_turn() {
        let speaks = &["de", "en", "fr", "it"][..];
        for (name, supported, token, call, accept, want) in [
            (
                "nothing is said",
                speaks,
                ("-", "-"),
                ("-", "-"),
                None,
                (("ja", DEFAULT), ("ko", DEFAULT)),
            ),
            (
                "the token alone",
                speaks,
                ("de-AT", "en-US"),
                ("-", "-"),
                None,
                (("de", TOKEN), ("en", TOKEN)),
            ),
            (
                "the token, without a list",
                &[],
                ("de-AT", "en-US"),
                ("-", "-"),
                None,
                (("de-AT", TOKEN), ("en-US", TOKEN)),
            ),
            (
                "the token's culture for texts too",
                speaks,
                ("de", "-"),
                ("-", "-"),
                Some("fr"),
                (("de", TOKEN), ("de", TOKEN)),
            ),
            (
                "the token's UI culture is not spoken",
                speaks,
                ("de", "pl"),
                ("-", "-"),
                Some("fr"),
                (("de", TOKEN), ("de", TOKEN)),
            ),
            (
                "the token's UI culture alone",
                speaks,
                ("-", "de"),
                ("-", "-"),
                Some("fr"),
                (("fr", ACCEPT), ("de", TOKEN)),
            ),
            (
                "the token's cultures are not spoken",
                speaks,
                ("pl", "cs"),
                ("-", "-"),
                Some("fr"),
                (("fr", ACCEPT), ("fr", ACCEPT)),
            ),
            (
                "the call before the token",
                speaks,
                ("de", "de"),
                ("en-GB", "it"),
                Some("fr"),
                (("en", CALL), ("it", CALL)),
            ),
            (
                "the call's culture for texts too",
                speaks,
                ("de", "it"),
                ("en", "-"),
                Some("fr"),
                (("en", CALL), ("en", CALL)),
            ),
            (
                "the call's UI culture alone",
                speaks,
                ("de", "it"),
                ("-", "en"),
                Some("fr"),
                (("de", TOKEN), ("en", CALL)),
            ),
            (
                "the call's cultures are not spoken",
                speaks,
                ("de", "it"),
                ("pl", "cs"),
                Some("fr"),
                (("de", TOKEN), ("it", TOKEN)),
            ),
            (
                "nobody's cultures are spoken",
                speaks,
                ("pl", "cs"),
                ("pl", "cs"),
                Some("pl, cs"),
                (("ja", DEFAULT), ("ko", DEFAULT)),
            ),
            (
                "Accept-Language, without a list",
                &[],
                ("-", "-"),
                ("-", "-"),
                Some("pl;q=0.1, cs"),
                (("cs", ACCEPT), ("cs", ACCEPT)),
            ),
            (
                "a token for the invariant culture",
                &[],
                ("", "-"),
                ("-", "-"),
                Some("fr"),
                (("und", TOKEN), ("und", TOKEN)),
            ),
        ] {
            let policy = policy(supported);
            let base = policy.resolve_token(&cultures(token.0, token.1), summer);
            let accept = accept.and_then(|field| AcceptLanguage::parse(field.as_bytes()));
            let call = cultures(call.0, call.1);
            let got = policy.resolve_call(&base, &call, accept.as_ref(), 0, summer());
            assert_eq!(seen(&got), want, "{name}");
        }
    }

    #[test]
    fn the_default_culture_is_for_texts_too() {
        let mut policy = ClientPolicy::default();
        policy.set_default_culture(culture("ja"));
        let got = policy.resolve_token(&Offer::default(), summer);
        assert_eq!(seen(&got), (("ja", DEFAULT), ("ja", DEFAULT)));
        let unset = ClientPolicy::default().resolve_token(&Offer::default(), summer);
        assert_eq!(unset, ClientContext::default());
    }

    #[test]
    fn a_list_is_told() {
        assert!(!policy(&[]).has_supported_list());
        assert!(policy(&["de"]).has_supported_list());
    }

    #[test]
    fn bad_values_are_counted_for_the_call() {
        let policy = policy(&[]);
        let base = policy.resolve_token(&cultures("de", "-"), summer);
        assert_eq!(base.ignored(), 0);
        let got = policy.resolve_call(&base, &Offer::default(), None, 3, summer());
        assert_eq!(got.ignored(), 3);
        assert_eq!(seen(&got), seen(&base));
    }

    #[test]
    fn an_offset_comes_from_the_first_that_says_one() {
        let mut policy = policy(&["de"]);
        let said = |minutes: Option<i32>| Offer {
            utc_offset: minutes.map(offset),
            ..Offer::default()
        };
        for (name, default, token, call, want) in [
            ("nobody", None, None, None, (0, DEFAULT)),
            ("default", Some(60), None, None, (60, DEFAULT)),
            ("token", Some(60), Some(0), None, (0, TOKEN)),
            ("call", Some(60), Some(120), Some(-210), (-210, CALL)),
        ] {
            policy.default_utc_offset = default.map(offset);
            let base = policy.resolve_token(&said(token), summer);
            let got = policy.resolve_call(&base, &said(call), None, 0, summer());
            let got = (got.utc_offset(), got.utc_offset_source());
            assert_eq!(got, (offset(want.0), want.1), "{name}");
        }
    }

    #[cfg(feature = "time_zone")]
    #[test]
    fn offset_and_zone_come_as_a_pair() {
        let berlin = Some("Europe/Berlin");
        let st_johns = Some("America/St_Johns");
        let said = |(minutes, zone): (Option<i32>, Option<&str>)| Offer {
            utc_offset: minutes.map(offset),
            time_zone: zone.map(|name| name.parse().unwrap()),
            ..Offer::default()
        };
        let nothing = (None, None);
        for (name, default, token, call, want) in [
            (
                "a zone gives its offset of now",
                nothing,
                (None, berlin),
                nothing,
                (120, berlin, TOKEN),
            ),
            (
                "an offset stays beside its zone",
                nothing,
                (Some(60), berlin),
                nothing,
                (60, berlin, TOKEN),
            ),
            (
                "an offset of the call drops the token's zone",
                nothing,
                (Some(60), berlin),
                (Some(330), None),
                (330, None, CALL),
            ),
            (
                "a zone of the call drops the token's offset",
                nothing,
                (Some(60), None),
                (None, st_johns),
                (-150, st_johns, CALL),
            ),
            (
                "the call's pair",
                nothing,
                (Some(60), berlin),
                (Some(-210), st_johns),
                (-210, st_johns, CALL),
            ),
            (
                "an offset of the token drops the default zone",
                (None, berlin),
                (Some(330), None),
                nothing,
                (330, None, TOKEN),
            ),
            (
                "the default zone",
                (None, berlin),
                nothing,
                nothing,
                (120, berlin, DEFAULT),
            ),
            (
                "the default pair",
                (Some(0), berlin),
                nothing,
                nothing,
                (0, berlin, DEFAULT),
            ),
        ] {
            let default = said(default);
            let policy = ClientPolicy {
                default_utc_offset: default.utc_offset,
                default_time_zone: default.time_zone,
                ..ClientPolicy::default()
            };
            let base = policy.resolve_token(&said(token), summer);
            let got = policy.resolve_call(&base, &said(call), None, 0, summer());
            let (minutes, zone, source) = want;
            assert_eq!(got.utc_offset(), offset(minutes), "{name}");
            assert_eq!(got.utc_offset_source(), source, "{name}");
            assert_eq!(got.time_zone().map(TimeZone::name), zone, "{name}");
            assert_eq!(got.time_zone_source(), zone.map(|_| source), "{name}");
        }
    }

    proptest! {
        /// With a list, what is resolved is of the list or is the default.
        #[test]
        fn only_what_is_spoken_is_resolved(
            list in proptest::collection::vec("(en|de|fr)(-(US|CH))?", 1..4),
            said in proptest::collection::vec("-|(en|de|fr|pl)(-(US|CH|AT))?", 4),
            field in "((en|de|fr|pl|\\*)(-US)?(;q=0(.[0-9])?)?, ?){0,4}",
        ) {
            let list: Vec<_> = list.iter().map(String::as_str).collect();
            let policy = policy(&list);
            let [token, token_ui, call, call_ui] = &said[..] else { unreachable!() };
            let base = policy.resolve_token(&cultures(token, token_ui), summer);
            let accept = AcceptLanguage::parse(field.as_bytes());
            let call = cultures(call, call_ui);
            let context = policy.resolve_call(&base, &call, accept.as_ref(), 0, summer());
            for (default, (tag, source)) in [("ja", seen(&context).0), ("ko", seen(&context).1)] {
                match source {
                    ClientSource::Default => prop_assert_eq!(tag, default),
                    _ => prop_assert!(list.contains(&tag)),
                }
            }
        }
    }
}
