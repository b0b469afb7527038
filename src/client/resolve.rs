//! Resolution of a request's cultures, offset and zone from their sources.

use chrono::{DateTime, FixedOffset, Utc};

use super::{
    accept_language::AcceptLanguage,
    context::{ClientClock, ClientContext, ClientSource},
    culture::Culture,
    offset::offset_from_minutes,
    supported::Supported,
    zone::ClientTimeZone,
};

/// The values of one source; `None` if it has no valid value.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ClientHints {
    pub(crate) culture: Option<Culture>,
    pub(crate) ui_culture: Option<Culture>,
    pub(crate) utc_offset: Option<FixedOffset>,
    pub(crate) time_zone: Option<ClientTimeZone>,
}

/// The supported cultures and default values of a service, set at start-up.
///
/// Sources have this order: call, token, `Accept-Language`, default. Culture, UI culture, and the
/// pair of offset and zone are resolved independently.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ClientDefaults {
    supported: Supported,
    /// Default cultures need not be supported.
    pub(crate) defaults: ClientHints,
}

impl ClientDefaults {
    /// Appends to the list of supported cultures; an empty list supports any culture.
    pub(crate) fn support(&mut self, culture: Culture) {
        self.supported.insert(culture);
    }

    pub(crate) fn has_supported_list(&self) -> bool {
        !self.supported.is_empty()
    }

    /// Whether a token could carry the default offset: whole minutes within ±14:00.
    pub(crate) fn has_plain_default_offset(&self) -> bool {
        self.defaults.utc_offset.is_none_or(|offset| {
            let seconds = offset.local_minus_utc();
            seconds % 60 == 0 && offset_from_minutes((seconds / 60).into()).is_some()
        })
    }

    /// Resolves the hints of a token, then the defaults.
    pub(crate) fn resolve_token(
        &self,
        token: ClientHints,
        now: impl Fn() -> DateTime<Utc>,
    ) -> ClientContext {
        let mut context = ClientContext::default();
        // Without defaults, which is usual, nothing is copied.
        if self.defaults != ClientHints::default() {
            let (any, source) = (Supported::default(), ClientSource::Default);
            context.apply(self.defaults.clone(), source, &any, &now);
        }
        context.apply(token, ClientSource::Token, &self.supported, now);
        context
    }

    /// The zone that the offset of [`resolve_token`](Self::resolve_token) is computed from, so that it
    /// changes with time; `None` if the offset is fixed.
    pub(crate) fn zone_of_offset(&self, token: &ClientHints) -> Option<ClientTimeZone> {
        let is_silent = token.utc_offset.is_none() && token.time_zone.is_none();
        let hints = if is_silent { &self.defaults } else { token };
        hints.time_zone.filter(|_| hints.utc_offset.is_none())
    }

    /// Resolves the hints of a call, then the token's values in `base`, then `Accept-Language`, then
    /// the defaults in `base`.
    pub(crate) fn resolve_call(
        &self,
        base: &ClientContext,
        call: ClientHints,
        languages: Option<&AcceptLanguage>,
        ignored_values: u8,
        now: DateTime<Utc>,
    ) -> ClientContext {
        let mut context = ClientContext {
            ignored_values,
            ..base.clone()
        };
        context.apply(call, ClientSource::Call, &self.supported, || now);
        // A source with a culture has a UI culture too, so a culture that is not the default leaves
        // nothing for `Accept-Language`.
        if context.culture_source == ClientSource::Default
            && let Some(chosen) = languages.and_then(|languages| languages.choose(&self.supported))
        {
            let source = ClientSource::AcceptLanguage;
            if context.ui_culture_source == ClientSource::Default {
                (context.ui_culture, context.ui_culture_source) = (chosen.clone(), source);
            }
            (context.culture, context.culture_source) = (chosen, source);
        }
        context
    }
}

impl ClientContext {
    /// Applies the supported cultures of the hints, and offset and zone as a pair. The culture of the
    /// source replaces a UI culture that is absent or not supported.
    fn apply(
        &mut self,
        hints: ClientHints,
        source: ClientSource,
        supported: &Supported,
        now: impl Fn() -> DateTime<Utc>,
    ) {
        let ClientHints {
            culture,
            ui_culture,
            utc_offset,
            time_zone,
        } = hints;
        let nearest = |culture: Option<Culture>| supported.lookup(culture?);
        let culture = nearest(culture);
        if let Some(ui_culture) = nearest(ui_culture).or_else(|| culture.clone()) {
            (self.ui_culture, self.ui_culture_source) = (ui_culture, source);
        }
        if let Some(culture) = culture {
            (self.culture, self.culture_source) = (culture, source);
        }
        // A zone without an offset has its offset at `now`; an offset without a zone has no zone.
        if let Some(utc_offset) = utc_offset.or_else(|| Some(time_zone?.offset_at(&now()))) {
            self.clock = ClientClock {
                utc_offset,
                time_zone,
            };
            self.clock_source = source;
        }
    }
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

    /// Hints of a culture and a UI culture; `-` is `None`.
    fn cultures(culture: &str, ui_culture: &str) -> ClientHints {
        let said = |tag: &str| (tag != "-").then(|| tag.parse().unwrap());
        ClientHints {
            culture: said(culture),
            ui_culture: said(ui_culture),
            ..ClientHints::default()
        }
    }

    fn offset(minutes: i32) -> FixedOffset {
        FixedOffset::east_opt(minutes * 60).unwrap()
    }

    fn summer() -> DateTime<Utc> {
        "2026-07-01T12:00:00Z".parse().unwrap()
    }

    fn service(supported: &[&str]) -> ClientDefaults {
        let mut service = ClientDefaults::default();
        for tag in supported {
            service.support(culture(tag));
        }
        service.defaults.culture = Some(culture("ja"));
        service.defaults.ui_culture = Some(culture("ko"));
        service
    }

    type Cultures<'a> = ((&'a str, ClientSource), (&'a str, ClientSource));

    fn seen(context: &ClientContext) -> Cultures<'_> {
        (
            (context.culture().as_str(), context.culture_source()),
            (context.ui_culture().as_str(), context.ui_culture_source()),
        )
    }

    #[test]
    fn sources_are_resolved_in_order() {
        let list = &["de", "en", "fr", "it"][..];
        for (name, supported, token, call, accept, want) in [
            (
                "no hint",
                list,
                ("-", "-"),
                ("-", "-"),
                None,
                (("ja", DEFAULT), ("ko", DEFAULT)),
            ),
            (
                "the token alone",
                list,
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
                "the token's culture is its UI culture",
                list,
                ("de", "-"),
                ("-", "-"),
                Some("fr"),
                (("de", TOKEN), ("de", TOKEN)),
            ),
            (
                "the token's UI culture is not supported",
                list,
                ("de", "pl"),
                ("-", "-"),
                Some("fr"),
                (("de", TOKEN), ("de", TOKEN)),
            ),
            (
                "the token's UI culture alone",
                list,
                ("-", "de"),
                ("-", "-"),
                Some("fr"),
                (("fr", ACCEPT), ("de", TOKEN)),
            ),
            (
                "the token's cultures are not supported",
                list,
                ("pl", "cs"),
                ("-", "-"),
                Some("fr"),
                (("fr", ACCEPT), ("fr", ACCEPT)),
            ),
            (
                "the call before the token",
                list,
                ("de", "de"),
                ("en-GB", "it"),
                Some("fr"),
                (("en", CALL), ("it", CALL)),
            ),
            (
                "the call's culture is its UI culture",
                list,
                ("de", "it"),
                ("en", "-"),
                Some("fr"),
                (("en", CALL), ("en", CALL)),
            ),
            (
                "the call's UI culture alone",
                list,
                ("de", "it"),
                ("-", "en"),
                Some("fr"),
                (("de", TOKEN), ("en", CALL)),
            ),
            (
                "the call's cultures are not supported",
                list,
                ("de", "it"),
                ("pl", "cs"),
                Some("fr"),
                (("de", TOKEN), ("it", TOKEN)),
            ),
            (
                "no culture is supported",
                list,
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
            let service = service(supported);
            let base = service.resolve_token(cultures(token.0, token.1), summer);
            let accept = accept.and_then(|field| AcceptLanguage::parse(field.as_bytes()));
            let call = cultures(call.0, call.1);
            let got = service.resolve_call(&base, call, accept.as_ref(), 0, summer());
            assert_eq!(seen(&got), want, "{name}");
        }
    }

    #[test]
    fn the_default_culture_is_the_default_ui_culture() {
        let mut service = ClientDefaults::default();
        service.defaults.culture = Some(culture("ja"));
        let got = service.resolve_token(ClientHints::default(), summer);
        assert_eq!(seen(&got), (("ja", DEFAULT), ("ja", DEFAULT)));
        let unset = ClientDefaults::default().resolve_token(ClientHints::default(), summer);
        assert_eq!(unset, ClientContext::default());
    }

    #[test]
    fn a_list_of_supported_cultures_is_reported() {
        assert!(!service(&[]).has_supported_list());
        assert!(service(&["de"]).has_supported_list());
    }

    #[test]
    fn ignored_values_are_counted_for_the_call() {
        let service = service(&[]);
        let base = service.resolve_token(cultures("de", "-"), summer);
        assert_eq!(base.ignored_values(), 0);
        let got = service.resolve_call(&base, ClientHints::default(), None, 3, summer());
        assert_eq!(got.ignored_values(), 3);
        assert_eq!(seen(&got), seen(&base));
    }

    #[test]
    fn an_offset_comes_from_the_first_source_that_has_one() {
        let mut service = service(&["de"]);
        let said = |minutes: Option<i32>| ClientHints {
            utc_offset: minutes.map(offset),
            ..ClientHints::default()
        };
        for (name, default, token, call, want) in [
            ("nobody", None, None, None, (0, DEFAULT)),
            ("default", Some(60), None, None, (60, DEFAULT)),
            ("token", Some(60), Some(0), None, (0, TOKEN)),
            ("call", Some(60), Some(120), Some(-210), (-210, CALL)),
        ] {
            service.defaults.utc_offset = default.map(offset);
            let base = service.resolve_token(said(token), summer);
            let got = service.resolve_call(&base, said(call), None, 0, summer());
            let got = (got.utc_offset(), got.utc_offset_source());
            assert_eq!(got, (offset(want.0), want.1), "{name}");
        }
    }

    #[cfg(feature = "time_zone")]
    #[test]
    fn offset_and_zone_are_resolved_as_a_pair() {
        let berlin = Some("Europe/Berlin");
        let st_johns = Some("America/St_Johns");
        let said = |(minutes, zone): (Option<i32>, Option<&str>)| ClientHints {
            utc_offset: minutes.map(offset),
            time_zone: zone.map(|name| name.parse().unwrap()),
            ..ClientHints::default()
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
            let service = ClientDefaults {
                defaults: said(default),
                ..ClientDefaults::default()
            };
            let base = service.resolve_token(said(token), summer);
            let got = service.resolve_call(&base, said(call), None, 0, summer());
            let (minutes, zone, source) = want;
            assert_eq!(got.utc_offset(), offset(minutes), "{name}");
            assert_eq!(got.utc_offset_source(), source, "{name}");
            assert_eq!(got.time_zone().map(ClientTimeZone::name), zone, "{name}");
            assert_eq!(got.time_zone_source(), zone.map(|_| source), "{name}");
        }
    }

    proptest! {
        /// With a list, each resolved culture is of the list or the default.
        #[test]
        fn only_supported_cultures_and_defaults_are_resolved(
            list in proptest::collection::vec("(en|de|fr)(-(US|CH))?", 1..4),
            said in proptest::collection::vec("-|(en|de|fr|pl)(-(US|CH|AT))?", 4),
            field in "((en|de|fr|pl|\\*)(-US)?(;q=0(.[0-9])?)?, ?){0,4}",
        ) {
            let list: Vec<_> = list.iter().map(String::as_str).collect();
            let service = service(&list);
            let [token, token_ui, call, call_ui] = &said[..] else { unreachable!() };
            let base = service.resolve_token(cultures(token, token_ui), summer);
            let accept = AcceptLanguage::parse(field.as_bytes());
            let call = cultures(call, call_ui);
            let context = service.resolve_call(&base, call, accept.as_ref(), 0, summer());
            for (default, (tag, source)) in [("ja", seen(&context).0), ("ko", seen(&context).1)] {
                match source {
                    ClientSource::Default => prop_assert_eq!(tag, default),
                    _ => prop_assert!(list.contains(&tag)),
                }
            }
        }
    }
}
