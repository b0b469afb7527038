//! Stands in for `remote` where the feature `https` is off: there are no providers.

use std::iter;

use tower_session_token::{Algorithm, KeyStore, SessionLayer};

use crate::Failure;

#[derive(Default)]
pub(crate) struct Remote;

impl Remote {
    pub(crate) fn set_flag(&mut self, _: &str) -> Result<(), Failure> {
        Err("needs the feature `https`".into())
    }

    pub(crate) fn set(&mut self, _: &str, _: String) -> Result<(), Failure> {
        Err("there is no such option, or it needs the feature `https`; --help lists them".into())
    }

    pub(crate) const fn has_place(&self) -> bool {
        false
    }

    pub(crate) const fn also(&self) -> &[String] {
        &[]
    }

    pub(crate) fn start(&self, _: Option<&str>, _: &[Algorithm]) -> Result<Providers, Failure> {
        Ok(Providers)
    }
}

pub(crate) struct Providers;

impl Providers {
    pub(crate) fn own(&self) -> Option<KeyStore> {
        None
    }

    pub(crate) fn also(&self) -> impl Iterator<Item = (&str, KeyStore)> {
        iter::empty()
    }

    pub(crate) fn unready(&self) -> String {
        String::new()
    }
}

pub(crate) fn waiting<R>(layer: SessionLayer<R>) -> SessionLayer<R> {
    layer
}
