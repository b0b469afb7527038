//! Cultures, offset and zone of one call.

use chrono::{DateTime, FixedOffset, Offset, Utc};

use super::{culture::Culture, zone::ClientTimeZone};
use crate::serde_text::{named_enum, text_enum};

/// Cultures, offset from UTC and time zone of the client at one call, each with its source.
///
/// All of it is for display. What a token says is signed; what a call or `Accept-Language` says is
/// not.
///
/// # Examples
///
/// ```
/// use tower_session_token::{ClientContext, ClientSource};
///
/// let nothing_known = ClientContext::default();
/// assert!(nothing_known.culture().is_invariant());
/// assert_eq!(nothing_known.culture_source(), ClientSource::Default);
/// assert_eq!(nothing_known.utc_offset().to_string(), "+00:00");
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientContext {
    pub(super) culture: Culture,
    pub(super) ui_culture: Culture,
    pub(super) clock: ClientClock,
    pub(super) culture_source: ClientSource,
    pub(super) ui_culture_source: ClientSource,
    pub(super) clock_source: ClientSource,
    pub(super) ignored_values: u8,
}

impl ClientContext {
    /// The client's culture, which decides how dates and numbers are written.
    #[doc(alias = "locale")]
    #[must_use]
    pub fn culture(&self) -> &Culture {
        &self.culture
    }

    /// Where [`culture`](Self::culture) came from.
    #[must_use]
    pub fn culture_source(&self) -> ClientSource {
        self.culture_source
    }

    /// The client's culture of texts, which decides the language of messages.
    #[doc(alias = "locale")]
    #[doc(alias = "ui_locale")]
    #[must_use]
    pub fn ui_culture(&self) -> &Culture {
        &self.ui_culture
    }

    /// Where [`ui_culture`](Self::ui_culture) came from. Where a source says a culture alone, that
    /// is its UI culture too.
    #[must_use]
    pub fn ui_culture_source(&self) -> ClientSource {
        self.ui_culture_source
    }

    /// The client's offset from UTC, positive east of Greenwich.
    ///
    /// It is what the source says, at the moment when it said so; where that is a zone alone, it
    /// is the zone's offset at the moment of the call. It knows no daylight saving: for other
    /// instants there is [`utc_offset_at`](Self::utc_offset_at).
    #[must_use]
    pub fn utc_offset(&self) -> FixedOffset {
        self.clock.utc_offset
    }

    /// Where [`utc_offset`](Self::utc_offset) came from.
    #[must_use]
    pub fn utc_offset_source(&self) -> ClientSource {
        self.clock_source
    }

    /// The client's time zone, where one is known. An offset alone is never taken for a zone
    /// (RFC 9557 §1.2).
    #[doc(alias = "zoneinfo")]
    #[must_use]
    pub fn time_zone(&self) -> Option<ClientTimeZone> {
        self.clock.time_zone
    }

    /// Where [`time_zone`](Self::time_zone) came from, where one is known: the source of the
    /// offset, since both come as a pair.
    #[must_use]
    pub fn time_zone_source(&self) -> Option<ClientSource> {
        self.time_zone().map(|_| self.clock_source)
    }

    /// The client's offset from UTC at `instant`, positive east of Greenwich: that of the zone at
    /// that instant, and [`utc_offset`](Self::utc_offset) where no zone is known.
    #[must_use]
    pub fn utc_offset_at<Tz: chrono::TimeZone>(&self, instant: &DateTime<Tz>) -> FixedOffset {
        match self.time_zone() {
            Some(zone) => zone.offset_at(instant),
            None => self.utc_offset(),
        }
    }

    /// The same instant as the client's clock shows it, by
    /// [`utc_offset_at`](Self::utc_offset_at).
    ///
    /// # Examples
    ///
    /// ```
    /// use chrono::{DateTime, Utc};
    /// use tower_session_token::ClientContext;
    ///
    /// let instant: DateTime<Utc> = "2026-07-01T12:00:00Z".parse()?;
    /// let shown = ClientContext::default().to_client_time(instant);
    /// assert_eq!(shown.to_rfc3339(), "2026-07-01T12:00:00+00:00");
    /// # Ok::<(), chrono::ParseError>(())
    /// ```
    #[expect(clippy::needless_pass_by_value, reason = "instants are values")]
    #[must_use]
    pub fn to_client_time<Tz: chrono::TimeZone>(
        &self,
        instant: DateTime<Tz>,
    ) -> DateTime<FixedOffset> {
        instant.with_timezone(&self.utc_offset_at(&instant))
    }

    /// The number of header values of this call that were ignored: ill-formed, too long, or the
    /// name of an unknown zone.
    #[must_use]
    pub fn ignored_values(&self) -> usize {
        self.ignored_values.into()
    }
}

/// The invariant culture, an offset of +00:00 and no zone, all by default.
impl Default for ClientContext {
    fn default() -> Self {
        Self {
            culture: Culture::INVARIANT,
            ui_culture: Culture::INVARIANT,
            clock: ClientClock::default(),
            culture_source: ClientSource::Default,
            ui_culture_source: ClientSource::Default,
            clock_source: ClientSource::Default,
            ignored_values: 0,
        }
    }
}

/// Offset and zone, which come from one source as a pair.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct ClientClock {
    pub(super) utc_offset: FixedOffset,
    pub(super) time_zone: Option<ClientTimeZone>,
}

/// UTC, and no zone.
impl Default for ClientClock {
    fn default() -> Self {
        Self {
            utc_offset: Utc.fix(),
            time_zone: None,
        }
    }
}

named_enum! {
    /// Where a part of a [`ClientContext`] came from.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::ClientSource;
    ///
    /// assert_eq!(ClientSource::AcceptLanguage.to_string(), "accept-language");
    /// assert_eq!("call".parse(), Ok(ClientSource::Call));
    /// ```
    #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
    #[non_exhaustive]
    pub enum ClientSource {
        /// A `Client-…` header of this call: `call`. It is not signed.
        Call = "call",
        /// The token: `token`.
        Token = "token",
        /// `Accept-Language` of this call (RFC 9110 §12.5.4): `accept-language`. It is not signed.
        AcceptLanguage = "accept-language",
        /// The service's own default: `default`.
        Default = "default",
    }
    /// The name of the source: `call`, `token`, `accept-language` or `default`.
    as_str
}

text_enum!(ClientSource, "call, token, accept-language and default");

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(seconds: i32) -> ClientContext {
        let mut context = ClientContext::default();
        context.clock.utc_offset = FixedOffset::east_opt(seconds).unwrap();
        context
    }

    #[test]
    fn a_context_fits_a_cache_line() {
        assert!(size_of::<ClientContext>() <= 64);
    }

    #[test]
    fn contexts_go_where_extensions_go() {
        fn is_extension<T: Clone + Send + Sync + Unpin + 'static>() {}
        is_extension::<ClientContext>();
    }

    #[test]
    fn by_default_nothing_is_known() {
        let context = ClientContext::default();
        assert_eq!(context.culture(), &Culture::INVARIANT);
        assert_eq!(context.ui_culture(), &Culture::INVARIANT);
        assert_eq!(context.utc_offset().local_minus_utc(), 0);
        assert_eq!(context.time_zone(), None);
        assert_eq!(context.culture_source(), ClientSource::Default);
        assert_eq!(context.ui_culture_source(), ClientSource::Default);
        assert_eq!(context.utc_offset_source(), ClientSource::Default);
        assert_eq!(context.time_zone_source(), None);
        assert_eq!(context.ignored_values(), 0);
    }

    #[test]
    fn an_offset_alone_is_the_same_all_year() {
        let context = fixed(-12_600);
        for (instant, want) in [
            ("2026-01-01T00:00:00Z", "2025-12-31T20:30:00-03:30"),
            ("2026-07-01T00:00:00Z", "2026-06-30T20:30:00-03:30"),
        ] {
            let instant: DateTime<Utc> = instant.parse().unwrap();
            assert_eq!(context.to_client_time(instant).to_rfc3339(), want);
        }
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        for context in [fixed(14 * 3600), fixed(-14 * 3600)] {
            for instant in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
                assert_eq!(context.to_client_time(instant), instant);
            }
        }
    }

    #[test]
    fn sources_have_names() {
        for (source, name) in [
            (ClientSource::Call, "call"),
            (ClientSource::Token, "token"),
            (ClientSource::AcceptLanguage, "accept-language"),
            (ClientSource::Default, "default"),
        ] {
            assert_eq!(source.to_string(), name);
            assert_eq!(name.parse(), Ok(source));
            let json = serde_json::to_string(&source).unwrap();
            assert_eq!(json, format!("\"{name}\""));
            assert_eq!(serde_json::from_str::<ClientSource>(&json).unwrap(), source);
        }
        for text in ["", "Call", "header"] {
            assert!(text.parse::<ClientSource>().is_err(), "{text:?}");
        }
    }

    #[cfg(feature = "time_zone")]
    #[test]
    fn a_zone_follows_daylight_saving() {
        let mut context = fixed(0);
        context.clock.time_zone = "America/St_Johns".parse().ok();
        for (instant, want) in [
            ("2026-01-01T00:00:00Z", "2025-12-31T20:30:00-03:30"),
            ("2026-07-01T00:00:00Z", "2026-06-30T21:30:00-02:30"),
        ] {
            let instant: DateTime<Utc> = instant.parse().unwrap();
            assert_eq!(context.to_client_time(instant).to_rfc3339(), want);
        }
        assert_eq!(context.time_zone_source(), Some(ClientSource::Default));
    }
}
