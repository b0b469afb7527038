//! What the fuzz targets share: keys, verifiers and requests, and a second reading of the profile
//! that is written apart from the crate.

pub mod culture;
pub mod json;
pub mod reference;
pub mod setup;
