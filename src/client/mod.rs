//! stub
#![allow(missing_docs, dead_code, clippy::all)]
use chrono::*;
use std::fmt;
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientContext;
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientSource {
    Call,
    Token,
    AcceptLanguage,
    Default,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientKind {
    Desktop,
    Web,
    Other,
}
impl ClientKind {
    pub const fn as_str(self) -> &'static str {
        ""
    }
}
impl std::str::FromStr for ClientKind {
    type Err = ();
    fn from_str(_: &str) -> Result<Self, ()> {
        Err(())
    }
}
#[derive(Clone, Debug, PartialEq)]
pub struct Culture;
#[derive(Debug)]
pub struct E_;
impl fmt::Display for E_ {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}
impl std::error::Error for E_ {}
impl std::str::FromStr for Culture {
    type Err = E_;
    fn from_str(_: &str) -> Result<Self, E_> {
        Err(E_)
    }
}
impl fmt::Display for Culture {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}
impl Culture {
    pub fn as_str(&self) -> &str {
        ""
    }
    pub fn is_invariant(&self) -> bool {
        true
    }
    pub(crate) fn parse_lenient(_: &str) -> Option<Self> {
        None
    }
}
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeZone;
impl TimeZone {
    pub fn name(&self) -> &'static str {
        ""
    }
}
impl std::str::FromStr for TimeZone {
    type Err = E_;
    fn from_str(_: &str) -> Result<Self, E_> {
        Err(E_)
    }
}
static C: Culture = Culture;
impl ClientContext {
    pub fn culture(&self) -> &Culture {
        &C
    }
    pub fn ui_culture(&self) -> &Culture {
        &C
    }
    pub fn utc_offset(&self) -> FixedOffset {
        FixedOffset::east_opt(0).unwrap()
    }
    pub fn utc_offset_source(&self) -> ClientSource {
        ClientSource::Default
    }
    pub fn ui_culture_source(&self) -> ClientSource {
        ClientSource::Default
    }
    pub fn utc_offset_at<T: chrono::TimeZone>(&self, _: &DateTime<T>) -> FixedOffset {
        self.utc_offset()
    }
    pub fn time_zone(&self) -> Option<TimeZone> {
        None
    }
    pub fn to_client_time<T: chrono::TimeZone>(&self, i: DateTime<T>) -> DateTime<FixedOffset> {
        i.with_timezone(&self.utc_offset())
    }
}
#[derive(Clone, Debug, Default)]
pub(crate) struct Offer {
    pub(crate) culture: Option<Culture>,
    pub(crate) ui_culture: Option<Culture>,
    pub(crate) utc_offset: Option<FixedOffset>,
    pub(crate) time_zone: Option<TimeZone>,
}
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientPolicy;
impl ClientPolicy {
    pub(crate) fn resolve_token(&self, _: &Offer, _: DateTime<Utc>) -> ClientContext {
        ClientContext
    }
    pub(crate) fn resolve_call(
        &self,
        _: &ClientContext,
        _: &Offer,
        _: Option<&AcceptLanguage>,
        _: usize,
        _: DateTime<Utc>,
    ) -> ClientContext {
        ClientContext
    }
    pub(crate) fn has_supported_list(&self) -> bool {
        false
    }
    pub(crate) fn support(&mut self, _: Culture) {}
    pub(crate) fn set_default_culture(&mut self, _: Culture) {}
    pub(crate) fn set_default_ui_culture(&mut self, _: Culture) {}
    pub(crate) fn set_default_utc_offset(&mut self, _: FixedOffset) {}
    pub(crate) fn set_default_time_zone(&mut self, _: TimeZone) {}
}
pub(crate) struct AcceptLanguage;
impl AcceptLanguage {
    pub(crate) fn parse(_: &[u8]) -> Option<Self> {
        None
    }
}
pub(crate) fn offset_from_minutes(_: i64) -> Option<FixedOffset> {
    None
}
pub(crate) fn parse_offset(_: &str) -> Option<FixedOffset> {
    None
}
pub(crate) fn is_zone_name(_: &str) -> bool {
    false
}
