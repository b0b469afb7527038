//! The Tower middleware, which turns the headers of a request into a session and an error into a
//! response.

mod client_headers;
mod future;
mod guard;
mod layer;
mod rejection;
mod service;
mod token_source;
mod vary;
#[cfg(feature = "remote_keys")]
mod wait;

pub use client_headers::ClientHeaders;
pub use future::ResponseFuture;
pub use guard::{
    GuardService, Require, RequireAccessLevel, RequireClientKind, RequireRole, RequireScope,
    RequireSession,
};
pub use layer::SessionLayer;
pub use rejection::{EmptyBody, OnReject, ProblemDetails, RejectionBody};
pub use service::SessionService;
#[cfg(feature = "axum")]
pub(crate) use service::{require_context, require_session};
pub use token_source::TokenSource;
#[cfg(feature = "remote_keys")]
pub use wait::{WaitingFuture, WaitingLayer, WaitingService};
