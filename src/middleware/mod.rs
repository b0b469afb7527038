//! The Tower middleware: where a request's headers become a session, and an error a response.

mod client_headers;
mod future;
mod guard;
mod layer;
mod rejection;
mod service;
mod token_source;
mod vary;

pub use client_headers::ClientHeaders;
pub use future::ResponseFuture;
pub use guard::{GuardService, RequireAccessLevel, RequireClientKind, RequireScope};
pub use layer::SessionLayer;
#[cfg(feature = "axum")]
pub(crate) use rejection::Refuser;
pub use rejection::{Challenge, OnReject, ProblemDetails, Refusal};
pub use service::SessionService;
pub use token_source::TokenSource;
