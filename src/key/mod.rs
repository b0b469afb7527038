//! stub
#![allow(missing_docs, dead_code, clippy::all)]
use crate::ConfigError;
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Algorithm {
    HS256,
}
impl Algorithm {
    pub const fn as_str(self) -> &'static str {
        ""
    }
}
#[derive(Clone, Debug)]
pub struct VerifyingKey;
#[derive(Clone, Debug)]
pub struct SigningKey;
#[derive(Clone, Debug)]
pub struct KeySet;
#[derive(Clone, Debug)]
pub struct KeyStore;
#[derive(Clone, Debug)]
pub struct LeftOutKey;
impl VerifyingKey {
    pub fn hs256(_: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Ok(Self)
    }
    pub fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
    pub(crate) fn verify(&self, _: &[u8], _: &[u8]) -> bool {
        false
    }
}
impl SigningKey {
    pub fn hs256(_: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Ok(Self)
    }
    pub fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
    pub fn id(&self) -> Option<&str> {
        None
    }
    pub(crate) fn sign(&self, _: &[u8]) -> Result<Vec<u8>, ()> {
        Err(())
    }
}
impl KeySet {
    pub fn new(_: impl IntoIterator<Item = VerifyingKey>) -> Result<Self, ConfigError> {
        Ok(Self)
    }
    pub(crate) fn select(&self, _: Option<&str>) -> Option<&VerifyingKey> {
        None
    }
}
pub(crate) struct L;
impl L {
    pub(crate) fn set(&self) -> &KeySet {
        static K: KeySet = KeySet;
        &K
    }
}
impl KeyStore {
    pub fn new(_: KeySet) -> Self {
        Self
    }
    pub(crate) fn load(&self) -> L {
        L
    }
}
