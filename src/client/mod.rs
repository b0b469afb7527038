//! Who is at the other end, as far as answers depend on it: the kind of client, its cultures, its
//! offset from UTC and its time zone. Knows no token and no HTTP; its parsers take text.

mod accept_language;
mod context;
mod culture;
mod kind;
mod offset;
mod resolve;
mod zone;

pub(crate) use accept_language::AcceptLanguage;
pub use context::{ClientContext, ClientSource};
pub use culture::{Culture, ParseCultureError};
pub use kind::{ClientKind, ParseClientKindError};
pub(crate) use offset::{offset_from_minutes, parse_offset};
pub(crate) use resolve::{ClientPolicy, Offer};
pub(crate) use zone::is_zone_name;
pub use zone::{ParseTimeZoneError, TimeZone};
