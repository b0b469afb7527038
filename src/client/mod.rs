//! The client: its kind, cultures, offset from UTC and time zone.
//!
//! Knows no token and no request: its parsers take strings, such as the value of `Accept-Language`.

mod accept_language;
#[cfg_attr(not(feature = "cldr"), path = "no_cldr.rs")]
mod cldr;
mod context;
mod culture;
mod kind;
mod offset;
mod resolve;
mod supported;
mod zone;
#[cfg_attr(not(feature = "time_zone"), path = "no_zone_database.rs")]
mod zone_database;

pub(crate) use accept_language::AcceptLanguage;
pub use context::{ClientContext, ClientSource};
pub use culture::Culture;
pub use kind::ClientKind;
pub(crate) use offset::{offset_from_minutes, parse_offset};
pub(crate) use resolve::{ClientDefaults, ClientHints};
pub use zone::ClientTimeZone;
pub(crate) use zone::is_zone_name;
