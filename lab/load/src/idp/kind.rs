//! Kinds of requests in front of a provider.

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// A token of a key that the server has.
    Known,
    /// A token of the newest key, which the server may not have.
    New,
    /// An unknown key, and other reasons to reject it.
    Hopeless,
    /// A known key, and another signature.
    Forged,
    /// An unknown key, and nothing else is wrong.
    Plausible,
    /// A key that the provider withdrew.
    Withdrawn,
}
