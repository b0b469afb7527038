//! Documents that a service publishes about itself: its keys, and what it is as a protected resource.

mod document;
mod protected_resource;

pub use document::DocumentService;
pub use protected_resource::ProtectedResource;
