//! Token bytes to a session.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    CacheStats, Limits, SessionToken, SessionVerifierBuilder, TokenType,
    cache::TokenCache,
    form::Form,
    time::{Clock, NumericDate, Validity},
    wire::{
        claims::{Claims, Payload},
        compact::{self, Compact},
        header::{JoseHeader, check_length, with_header},
    },
};
use crate::{
    client::{ClientContext, ClientPolicy, Offer},
    error::{SessionError, SessionErrorKind},
    key::{CurrentKeys, KeySet, KeyStore, SelectError, VerifyingKey},
    session::Session,
};

/// Verifies tokens and reads them into sessions, with no HTTP in it.
///
/// It trusts one issuer, with all its keys. A clone costs a reference count.
///
/// # Examples
///
/// ```
/// use tower_session_token::{SessionVerifier, VerifyingKey};
///
/// # let secret = [7; 32];
/// let verifier = SessionVerifier::builder()
///     .key(VerifyingKey::hs256(secret)?)
///     .issuer("https://id.example.com")
///     .audience("orders")
///     .build()?;
/// # Ok::<(), tower_session_token::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct SessionVerifier {
    rules: Arc<Rules>,
}

/// What a verifier was configured with, checked.
pub(super) struct Rules {
    pub(super) keys: KeyStore,
    pub(super) accepted: Vec<TokenType>,
    pub(super) form: Form,
    /// `None`: any issuer.
    pub(super) issuer: Option<String>,
    /// Empty: any audience.
    pub(super) audiences: Vec<String>,
    pub(super) server_code: Option<String>,
    pub(super) instance_name: Option<String>,
    pub(super) leeway: Duration,
    /// `None`: as the type of the token says.
    pub(super) max_lifetime: Option<Duration>,
    pub(super) limits: Limits,
    pub(super) clock: Clock,
    pub(super) clients: ClientPolicy,
    /// `None`: it is turned off.
    pub(super) cache: Option<TokenCache>,
}

impl SessionVerifier {
    /// Begins a verifier; a key, an issuer and an audience have to be set.
    pub fn builder() -> SessionVerifierBuilder {
        SessionVerifierBuilder::default()
    }

    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules: Arc::new(rules),
        }
    }

    /// Verifies a token in compact form and reads its session.
    ///
    /// It goes in this order, and the first step that fails decides the error: size and form,
    /// JOSE header, key and algorithm, signature, form of the claims, `exp`, `nbf`, `iat`, `iss`,
    /// `aud`, `server`, `instance`. No claim is looked at before the signature holds.
    ///
    /// A token that this thread has verified twice is taken from a
    /// [cache](SessionVerifierBuilder::cache_bytes) where it is still there, all of it is the same,
    /// the set of keys is too, and its times still hold.
    ///
    /// # Errors
    ///
    /// [`SessionError`] says why the token is refused.
    pub fn verify(&self, token: &[u8]) -> Result<Session, SessionError> {
        let rules = &*self.rules;
        let Some(cache) = &rules.cache else {
            return rules.verify(token).map(|verified| verified.session);
        };
        let generation = rules.keys.generation();
        let now = || rules.clock.now();
        let holds = |it: &Session, validity: &Validity, now| rules.holds(it, validity, now);
        if let Some(session) = cache.get(token, generation, now, holds) {
            return Ok(session);
        }
        let verified = rules.verify(token)?;
        cache.note(token, &verified);
        Ok(verified.session)
    }

    /// How often the cache of verified tokens was of use, and how large it is; all 0 where it is
    /// [turned off](SessionVerifierBuilder::cache_bytes).
    #[must_use]
    pub fn cache_stats(&self) -> CacheStats {
        let cache = self.rules.cache.as_ref();
        cache.map_or_else(CacheStats::default, TokenCache::stats)
    }

    /// The context of a call that carries no token.
    pub(crate) fn default_context(&self) -> ClientContext {
        let rules = &*self.rules;
        rules
            .clients
            .resolve_token(&Offer::default(), || rules.clock.now().to_date_time())
    }

    pub(crate) fn clients(&self) -> &ClientPolicy {
        &self.rules.clients
    }

    /// The payload of a token whose signature holds, whatever is in it: for test vectors that are
    /// about signatures alone.
    #[cfg(test)]
    pub(crate) fn payload_of_signed(&self, token: &[u8]) -> Result<Vec<u8>, SessionError> {
        let keys = self.rules.keys.load();
        let (_, parts) = self.rules.check_signature(&keys, token)?;
        let mut payload = vec![0; compact::decoded_len(parts.payload.len())];
        let len = compact::decode(parts.payload, &mut payload)?.len();
        payload.truncate(len);
        Ok(payload)
    }

    pub(crate) fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.rules.clock.now().to_date_time()
    }
}

/// A token that was judged, and accepted.
pub(super) struct Verified {
    pub(super) session: Session,
    pub(super) validity: Validity,
    /// Of the set of keys.
    pub(super) generation: u64,
    pub(super) at: NumericDate,
}

impl Rules {
    fn verify(&self, token: &[u8]) -> Result<Verified, SessionError> {
        let keys = self.keys.load();
        let (token_type, parts) = self.check_signature(&keys, token)?;
        let payload = Payload::parse(compact::decode_text(parts.payload)?, &self.limits)?;
        let checked = self.form.check(token_type, &payload)?;
        let now = self.clock.now();
        self.check_time(token_type, &payload.claims, now)?;
        self.check_origin(&payload)?;
        let client = &checked.client;
        let context = self.clients.resolve_token(client, || now.to_date_time());
        Ok(Verified {
            validity: self.validity(token_type, &payload.claims, client),
            session: Session::new(SessionToken::new(&checked, payload), context),
            generation: keys.generation(),
            at: now,
        })
    }

    /// Whether a session that was verified before would be the same now.
    fn holds(&self, session: &Session, validity: &Validity, now: NumericDate) -> bool {
        validity.holds(now) && (validity.is_steady || self.has_same_context(session, now))
    }

    fn has_same_context(&self, session: &Session, now: NumericDate) -> bool {
        session.token().is_some_and(|token| {
            let context = self
                .clients
                .resolve_token(&token.client(), || now.to_date_time());
            context == *session.client_context()
        })
    }

    /// Form, JOSE header, key and signature: all that comes before the claims.
    pub(super) fn check_signature<'t>(
        &self,
        keys: &CurrentKeys,
        token: &'t [u8],
    ) -> Result<(TokenType, Compact<'t>), SessionError> {
        if token.len() > self.limits.token_bytes() {
            return Err(SessionError::malformed("the token is too long"));
        }
        let parts = Compact::split(token)?;
        check_length(parts.header, &self.limits)?;
        if let Some(known) = keys.known_headers().find(parts.header) {
            let token_type = self.accept_type(Some(known.token_type))?;
            verify_signature(&known.key, &parts)?;
            return Ok((token_type, parts));
        }
        with_header(parts.header, &self.limits, |header, is_plain| {
            let key = select_key(keys.set(), header)?;
            let token_type = self.accept_type(TokenType::of_typ(header.typ.as_deref()))?;
            verify_signature(key, &parts)?;
            if is_plain {
                keys.known_headers().remember(parts.header, key, token_type);
            }
            Ok((token_type, parts))
        })
    }

    fn accept_type(&self, token_type: Option<TokenType>) -> Result<TokenType, SessionError> {
        token_type
            .filter(|it| self.accepted.contains(it))
            .ok_or_else(|| SessionError::unacceptable("its type (`typ`) is not accepted here"))
    }

    fn check_time(
        &self,
        token_type: TokenType,
        claims: &Claims,
        now: NumericDate,
    ) -> Result<(), SessionError> {
        let expires_at = claims.exp.unwrap_or_default();
        if now >= expires_at.saturating_add(self.leeway) {
            return Err(SessionError::new(SessionErrorKind::TokenExpired, "exp"));
        }
        let early = |name| Err(SessionError::new(SessionErrorKind::TokenNotYetValid, name));
        let latest = now.saturating_add(self.leeway);
        if claims.nbf.is_some_and(|nbf| latest < nbf) {
            return early("nbf");
        }
        if claims.iat.is_some_and(|iat| latest < iat) {
            return early("iat");
        }
        // A token that does not say when it was issued was issued by now at the latest.
        let issued_at = claims.iat.unwrap_or(latest);
        match self.max_lifetime_of(token_type) {
            Some(max) if expires_at.saturating_since(issued_at) > max => {
                Err(SessionError::unacceptable("its lifetime is too long"))
            }
            _ => Ok(()),
        }
    }

    /// When [`check_time`](Self::check_time) passes the token, and whether the client's
    /// context is the same all that time.
    fn validity(&self, token_type: TokenType, claims: &Claims, client: &Offer) -> Validity {
        let expires_at = claims.exp.unwrap_or_default();
        let early = |moment: NumericDate| moment.saturating_sub(self.leeway);
        let longest = self.max_lifetime_of(token_type);
        let issued_at = match (claims.iat, longest) {
            (Some(issued_at), _) => issued_at,
            (None, Some(longest)) => expires_at.saturating_sub(longest),
            (None, None) => NumericDate::default(),
        };
        Validity {
            from: early(issued_at.max(claims.nbf.unwrap_or_default())),
            until: expires_at.saturating_add(self.leeway),
            is_steady: self.clients.is_steady(client),
        }
    }

    fn max_lifetime_of(&self, token_type: TokenType) -> Option<Duration> {
        self.max_lifetime
            .or_else(|| token_type.default_max_lifetime())
    }

    /// Whether the token is from our issuer and for us.
    fn check_origin(&self, payload: &Payload) -> Result<(), SessionError> {
        let claims = &payload.claims;
        let refuse = |kind, name| Err(SessionError::new(kind, name));
        if self.issuer.is_some() && payload.get(claims.iss) != self.issuer.as_deref() {
            return refuse(SessionErrorKind::IssuerInvalid, "iss");
        }
        let ours = |audience: &str| self.audiences.iter().any(|it| it == audience);
        if !self.audiences.is_empty() && !payload.audience().any(ours) {
            return refuse(SessionErrorKind::AudienceInvalid, "aud");
        }
        for (ours, theirs, name) in [
            (&self.server_code, payload.get(claims.server), "server"),
            (
                &self.instance_name,
                payload.get(claims.instance),
                "instance",
            ),
        ] {
            if let (Some(ours), Some(theirs)) = (ours, theirs)
                && ours != theirs
            {
                return refuse(SessionErrorKind::ServerMismatch, name);
            }
        }
        Ok(())
    }
}

/// The key that the header's `kid` and `alg` name.
fn select_key<'k>(
    keys: &'k KeySet,
    header: &JoseHeader<'_>,
) -> Result<&'k VerifyingKey, SessionError> {
    let key = keys.select(header.kid.as_deref(), &header.alg);
    key.map_err(|error| {
        SessionError::unacceptable(match error {
            SelectError::KidMissing => "it names no key (`kid`), and this service has several",
            SelectError::KidUnknown => "its key (`kid`) is not one of this service's",
            SelectError::AlgorithmMismatch => "its algorithm (`alg`) is not that of the key",
        })
    })
}

fn verify_signature(key: &VerifyingKey, parts: &Compact<'_>) -> Result<(), SessionError> {
    let verified = compact::with_decoded(parts.signature, |signature| {
        key.verify(parts.signing_input, signature)
    });
    match verified? {
        true => Ok(()),
        false => Err(SessionError::new(
            SessionErrorKind::SignatureInvalid,
            "it does not hold",
        )),
    }
}

impl fmt::Debug for SessionVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = &*self.rules;
        f.debug_struct("SessionVerifier")
            .field("keys", &rules.keys)
            .field("accepted", &rules.accepted)
            .field("issuer", &rules.issuer)
            .field("audiences", &rules.audiences)
            .field("leeway", &rules.leeway)
            .field("limits", &rules.limits)
            .field("clock", &rules.clock)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_of_a_forged_token_is_not_remembered() {
        let verifier = SessionVerifier::builder()
            .key(VerifyingKey::hs256([7; 32]).unwrap())
            .any_issuer()
            .any_audience()
            .build()
            .unwrap();
        // {"alg":"HS256","typ":"session+jwt"}
        let header = "eyJhbGciOiJIUzI1NiIsInR5cCI6InNlc3Npb24rand0In0";
        let forged = format!("{header}.e30.{}", "A".repeat(43));
        let error = verifier.verify(forged.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), SessionErrorKind::SignatureInvalid);
        let keys = verifier.rules.keys.load();
        assert!(keys.known_headers().find(header.as_bytes()).is_none());
    }
}
