//! Who is at the other end, as far as answers depend on it: the kind of client, its cultures, its
//! offset from UTC and its time zone. Knows no token and no HTTP; its parsers take text.

mod context;
mod culture;
mod kind;
mod negotiation;
mod offset;
mod policy;
mod zone;

pub use context::{ClientContext, ClientSource};
pub use culture::{Culture, ParseCultureError};
pub use kind::{ClientKind, ParseClientKindError};
pub(crate) use negotiation::AcceptLanguage;
pub(crate) use offset::{offset_from_minutes, parse_offset};
pub(crate) use policy::{ClientPolicy, Offer};
pub(crate) use zone::is_zone_name;
pub use zone::{ParseTimeZoneError, TimeZone};
