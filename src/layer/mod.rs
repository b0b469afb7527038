//! The middleware: the only floor with HTTP in it.

mod client_headers;
mod future;
mod guard;
#[expect(
    clippy::module_inception,
    reason = "the file of `SessionLayer` is named after it"
)]
mod layer;
mod refusal;
mod service;
mod source;
mod vary;

pub use client_headers::ClientHeaders;
pub use future::ResponseFuture;
pub use guard::{GuardService, RequireAccessLevel, RequireClientKind, RequireScope};
pub use layer::SessionLayer;
#[cfg(feature = "axum")]
pub(crate) use refusal::Refuser;
pub use refusal::{Challenge, OnReject, ProblemDetails, Refusal};
pub use service::SessionService;
pub use source::TokenSource;
