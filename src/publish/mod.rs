//! Documents that a service publishes: its keys, and its metadata as a protected resource.

mod document;
mod protected_resource;

pub use document::DocumentService;
pub use protected_resource::ProtectedResource;
