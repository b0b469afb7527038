//! Culture, offset and zone of one call.

use std::fmt;

use chrono::{DateTime, FixedOffset, Offset, Utc};

use super::{Culture, TimeZone};

/// Culture, offset and zone of the client at one call, each with where it came from.
///
/// The layer puts it into the request's extensions, also where there is no session.
///
/// # Examples
///
/// ```
/// use tower_session_token::{ClientContext, ClientSource};
///
/// let context = ClientContext::default();
/// assert!(context.culture().is_invariant());
/// assert_eq!(context.culture_source(), ClientSource::Default);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientContext {
    pub(super) culture: Sourced<Culture>,
    pub(super) ui_culture: Sourced<Culture>,
    pub(super) clock: Sourced<ClientClock>,
    pub(super) ignored: u8,
}

/// A value and where it came from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Sourced<T> {
    pub(super) value: T,
    pub(super) source: ClientSource,
}

/// Offset and zone come from one source, together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct ClientClock {
    pub(super) utc_offset: FixedOffset,
    pub(super) time_zone: Option<TimeZone>,
}

impl Default for ClientContext {
    fn default() -> Self {
        Self {
            culture: Sourced::by_default(Culture::INVARIANT),
            ui_culture: Sourced::by_default(Culture::INVARIANT),
            clock: Sourced::by_default(ClientClock {
                utc_offset: Utc.fix(),
                time_zone: None,
            }),
            ignored: 0,
        }
    }
}

impl<T> Sourced<T> {
    pub(super) const fn by_default(value: T) -> Self {
        Self {
            value,
            source: ClientSource::Default,
        }
    }
}

impl ClientContext {
    /// The client's culture: how it writes dates and numbers.
    #[doc(alias = "locale")]
    #[must_use]
    pub fn culture(&self) -> &Culture {
        &self.culture.value
    }

    /// Where [`culture`](Self::culture) came from.
    #[must_use]
    pub fn culture_source(&self) -> ClientSource {
        self.culture.source
    }

    /// The client's culture of texts.
    #[doc(alias = "locale")]
    #[must_use]
    pub fn ui_culture(&self) -> &Culture {
        &self.ui_culture.value
    }

    /// Where [`ui_culture`](Self::ui_culture) came from.
    #[must_use]
    pub fn ui_culture_source(&self) -> ClientSource {
        self.ui_culture.source
    }

    /// The client's offset from UTC at this call, positive east of Greenwich.
    ///
    /// It has no daylight-saving rules; see [`utc_offset_at`](Self::utc_offset_at).
    #[must_use]
    pub fn utc_offset(&self) -> FixedOffset {
        self.clock.value.utc_offset
    }

    /// Where [`utc_offset`](Self::utc_offset) came from.
    #[must_use]
    pub fn utc_offset_source(&self) -> ClientSource {
        self.clock.source
    }

    /// The client's time zone, if it is known.
    #[must_use]
    pub fn time_zone(&self) -> Option<TimeZone> {
        self.clock.value.time_zone
    }

    /// Where [`time_zone`](Self::time_zone) came from: the offset's source, since both come
    /// together.
    #[must_use]
    pub fn time_zone_source(&self) -> Option<ClientSource> {
        self.time_zone().map(|_| self.clock.source)
    }

    /// The client's offset from UTC at `instant`: the zone's offset then, and
    /// [`utc_offset`](Self::utc_offset) where no zone is known.
    #[must_use]
    pub fn utc_offset_at<Tz: chrono::TimeZone>(&self, instant: &DateTime<Tz>) -> FixedOffset {
        match self.time_zone() {
            Some(zone) => zone.offset_at(instant),
            None => self.utc_offset(),
        }
    }

    /// `instant` as the client's clock shows it.
    #[expect(clippy::needless_pass_by_value, reason = "instants are values")]
    #[must_use]
    pub fn to_client_time<Tz: chrono::TimeZone>(
        &self,
        instant: DateTime<Tz>,
    ) -> DateTime<FixedOffset> {
        instant.with_timezone(&self.utc_offset_at(&instant))
    }

    /// How many header fields of this call were ignored because they were bad.
    #[must_use]
    pub fn ignored(&self) -> usize {
        self.ignored.into()
    }
}

/// Where a part of a [`ClientContext`] came from; an earlier source wins over a later one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum ClientSource {
    /// A `Client-*` header of the call.
    Call,
    /// The token.
    Token,
    /// `Accept-Language`.
    AcceptLanguage,
    /// The service's default.
    Default,
}

impl ClientSource {
    /// `call`, `token`, `accept-language` or `default`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Token => "token",
            Self::AcceptLanguage => "accept-language",
            Self::Default => "default",
        }
    }
}

impl fmt::Display for ClientSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
