//! Which of several sources says what culture, offset and zone of a call are.

use chrono::{DateTime, FixedOffset, Offset, Utc};

use super::{
    ClientContext, ClientSource, Culture, TimeZone,
    context::{ClientClock, Sourced},
    negotiation::{AcceptLanguage, Supported},
};

/// What one source says. What it does not say, or not well, is `None`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offer {
    pub(crate) culture: Option<Culture>,
    pub(crate) ui_culture: Option<Culture>,
    pub(crate) utc_offset: Option<FixedOffset>,
    pub(crate) time_zone: Option<TimeZone>,
}

/// What a service speaks, and what it falls back to.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientPolicy {
    supported: Supported,
    default_culture: Culture,
    /// The default culture, if none is set.
    default_ui_culture: Option<Culture>,
    default_utc_offset: Option<FixedOffset>,
    default_time_zone: Option<TimeZone>,
}

impl ClientPolicy {
    pub(crate) fn support(&mut self, culture: Culture) {
        self.supported.push(culture);
    }

    pub(crate) fn set_default_culture(&mut self, culture: Culture) {
        self.default_culture = culture;
    }

    pub(crate) fn set_default_ui_culture(&mut self, culture: Culture) {
        self.default_ui_culture = Some(culture);
    }

    pub(crate) fn set_default_utc_offset(&mut self, utc_offset: FixedOffset) {
        self.default_utc_offset = Some(utc_offset);
    }

    pub(crate) fn set_default_time_zone(&mut self, time_zone: TimeZone) {
        self.default_time_zone = Some(time_zone);
    }

    pub(crate) fn has_supported_list(&self) -> bool {
        !self.supported.is_empty()
    }

    /// What the token says, else the defaults.
    pub(crate) fn resolve_token(&self, token: &Offer, now: DateTime<Utc>) -> ClientContext {
        let source = ClientSource::Token;
        ClientContext {
            culture: self
                .culture(token, source)
                .unwrap_or_else(|| Sourced::by_default(self.default_culture.clone())),
            ui_culture: self.ui_culture(token, source).unwrap_or_else(|| {
                let default = self.default_ui_culture.as_ref();
                Sourced::by_default(default.unwrap_or(&self.default_culture).clone())
            }),
            clock: clock(token, source, now).unwrap_or_else(|| self.default_clock(now)),
            ignored: 0,
        }
    }

    /// What the call says, else what `base` has from the token, else what `Accept-Language` says,
    /// else what `base` has by default.
    pub(crate) fn resolve_call(
        &self,
        base: &ClientContext,
        call: &Offer,
        languages: Option<&AcceptLanguage>,
        ignored: u8,
        now: DateTime<Utc>,
    ) -> ClientContext {
        let accepted = languages.and_then(|it| it.pick(&self.supported));
        let or_base = |of_call: Option<Sourced<Culture>>, base: &Sourced<Culture>| {
            of_call.unwrap_or_else(|| match (base.source, &accepted) {
                (ClientSource::Default, Some(accepted)) => Sourced {
                    value: accepted.clone(),
                    source: ClientSource::AcceptLanguage,
                },
                _ => base.clone(),
            })
        };
        ClientContext {
            culture: or_base(self.culture(call, ClientSource::Call), &base.culture),
            ui_culture: or_base(self.ui_culture(call, ClientSource::Call), &base.ui_culture),
            clock: clock(call, ClientSource::Call, now).unwrap_or_else(|| base.clock.clone()),
            ignored,
        }
    }

    fn culture(&self, offer: &Offer, source: ClientSource) -> Option<Sourced<Culture>> {
        let value = self.supported.lookup(offer.culture.as_ref()?)?;
        Some(Sourced { value, source })
    }

    /// Within a source, the culture stands in for a UI culture that yields nothing.
    fn ui_culture(&self, offer: &Offer, source: ClientSource) -> Option<Sourced<Culture>> {
        let own = offer.ui_culture.as_ref();
        own.and_then(|it| self.supported.lookup(it))
            .map(|value| Sourced { value, source })
            .or_else(|| self.culture(offer, source))
    }

    fn default_clock(&self, now: DateTime<Utc>) -> Sourced<ClientClock> {
        let offer = Offer {
            utc_offset: self.default_utc_offset,
            time_zone: self.default_time_zone,
            ..Offer::default()
        };
        clock(&offer, ClientSource::Default, now).unwrap_or_else(|| {
            Sourced::by_default(ClientClock {
                utc_offset: Utc.fix(),
                time_zone: None,
            })
        })
    }
}

/// Offset and zone of one source; a zone alone has the offset of this moment.
fn clock(offer: &Offer, source: ClientSource, now: DateTime<Utc>) -> Option<Sourced<ClientClock>> {
    let value = match (offer.utc_offset, offer.time_zone) {
        (None, None) => return None,
        (Some(utc_offset), time_zone) => ClientClock {
            utc_offset,
            time_zone,
        },
        (None, Some(zone)) => ClientClock {
            utc_offset: zone.offset_at(&now),
            time_zone: Some(zone),
        },
    };
    Some(Sourced { value, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn culture(tag: &str) -> Option<Culture> {
        Some(tag.parse().unwrap())
    }

    fn minutes(minutes: i32) -> Option<FixedOffset> {
        FixedOffset::east_opt(minutes * 60)
    }

    fn now() -> DateTime<Utc> {
        "2026-07-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_context_is_small() {
        assert!(size_of::<ClientContext>() <= 80);
    }

    #[test]
    fn the_ui_culture_falls_back_within_its_source() {
        let mut policy = ClientPolicy::default();
        let token = Offer {
            culture: culture("de"),
            ui_culture: culture("fr"),
            ..Offer::default()
        };
        let resolved = policy.resolve_token(&token, now());
        assert_eq!(resolved.ui_culture().as_str(), "fr");
        policy.support("de".parse().unwrap());
        let resolved = policy.resolve_token(&token, now());
        assert_eq!(resolved.ui_culture().as_str(), "de", "fr is not spoken");
        policy.set_default_culture("de".parse().unwrap());
        policy.set_default_ui_culture("en".parse().unwrap());
        let resolved = policy.resolve_token(&Offer::default(), now());
        assert_eq!(resolved.culture().as_str(), "de");
        assert_eq!(resolved.ui_culture().as_str(), "en");
    }

    #[test]
    fn each_part_goes_its_own_way() {
        let policy = ClientPolicy::default();
        let token = Offer {
            culture: culture("de"),
            ..Offer::default()
        };
        let base = policy.resolve_token(&token, now());
        let call = Offer {
            ui_culture: culture("fr"),
            utc_offset: minutes(-210),
            ..Offer::default()
        };
        let languages = AcceptLanguage::parse(b"it").unwrap();
        let resolved = policy.resolve_call(&base, &call, Some(&languages), 2, now());
        assert_eq!(resolved.culture_source(), ClientSource::Token);
        assert_eq!(resolved.ui_culture_source(), ClientSource::Call);
        assert_eq!(resolved.utc_offset_source(), ClientSource::Call);
        assert_eq!(resolved.ignored(), 2);

        let nothing = policy.resolve_token(&Offer::default(), now());
        let resolved = policy.resolve_call(&nothing, &Offer::default(), Some(&languages), 0, now());
        assert_eq!(resolved.culture().as_str(), "it");
        assert_eq!(resolved.ui_culture_source(), ClientSource::AcceptLanguage);
        assert_eq!(resolved.utc_offset_source(), ClientSource::Default);
    }

    #[cfg(feature = "time_zone")]
    #[test]
    fn offset_and_zone_come_together() {
        let policy = ClientPolicy::default();
        let zone = Some("Europe/Berlin".parse().unwrap());
        let token = Offer {
            time_zone: zone,
            ..Offer::default()
        };
        let base = policy.resolve_token(&token, now());
        assert_eq!(
            base.utc_offset(),
            minutes(120).unwrap(),
            "the zone's, at this moment"
        );
        let call = Offer {
            utc_offset: minutes(330),
            ..Offer::default()
        };
        let resolved = policy.resolve_call(&base, &call, None, 0, now());
        assert_eq!(resolved.time_zone(), None);
        assert_eq!(resolved.time_zone_source(), None);
        let winter: DateTime<Utc> = "2026-12-01T12:00:00Z".parse().unwrap();
        assert_eq!(
            base.to_client_time(winter).to_rfc3339(),
            "2026-12-01T13:00:00+01:00"
        );
        assert_eq!(
            resolved.to_client_time(winter).to_rfc3339(),
            "2026-12-01T17:30:00+05:30"
        );
    }
}
