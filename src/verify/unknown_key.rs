//! Tokens whose key is not known yet, where the keys are fetched.

use std::future::poll_fn;

use super::verifier::{SessionVerifier, TrustedIssuer};
use crate::{
    error::{SessionError, SessionErrorKind as Kind},
    jws::{CurrentKeys, KeyAnswer, KeyWait, UnverifiedToken, read_unverified},
    session::{Session, VerifiedBy},
    time::NumericDate,
};

/// The error of a token whose key may be there after the next read.
pub(crate) const KEYS_AWAITED: SessionError = unavailable("they are being fetched");
const KEYS_UNAVAILABLE: SessionError = unavailable("they cannot be fetched at present");

const fn unavailable(detail: &'static str) -> SessionError {
    SessionError::new(Kind::KeysUnavailable, detail)
}

impl SessionVerifier {
    /// Verifies a token as [`verify`](Self::verify) does, and waits for the key that it names where
    /// the keys come from [`RemoteKeys`](crate::RemoteKeys) and do not have it.
    ///
    /// It waits as long as [`longest_wait`](crate::RemoteKeysBuilder::longest_wait) says, for reads
    /// that all requests share. A token that would be rejected whatever its key is rejected at once.
    /// Outside of a tokio runtime it does not wait; in one, the timer has to be enabled.
    ///
    /// # Errors
    ///
    /// [`SessionError`] with the reason of the rejection: of the kind
    /// [`KeysUnavailable`](Kind::KeysUnavailable) if the keys could not be read in time.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{Session, SessionError, SessionVerifier};
    ///
    /// async fn on_message(verifier: &SessionVerifier, token: &str) -> Result<Session, SessionError> {
    ///     verifier.verify_or_wait(token).await
    /// }
    /// ```
    pub async fn verify_or_wait(
        &self,
        token: impl AsRef<[u8]> + Send,
    ) -> Result<Session, SessionError> {
        let result = self.verify(token.as_ref());
        if !matches!(result, Err(KEYS_AWAITED)) {
            return result;
        }
        let Some(mut wait) = self.wait_for_keys(token.as_ref()) else {
            return result;
        };
        let mut in_time = true;
        loop {
            let result = self.verify(token.as_ref());
            if !(in_time && matches!(result, Err(KEYS_AWAITED))) {
                return result;
            }
            in_time = poll_fn(|cx| wait.poll_read(cx)).await;
        }
    }

    /// Begins a wait for keys of the issuer that a token names, if these are fetched and not too many
    /// requests wait for them already.
    pub(crate) fn wait_for_keys(&self, token: &[u8]) -> Option<Box<dyn KeyWait>> {
        self.issuer_of(token)?.keys.source()?.wait()
    }
}

impl TrustedIssuer {
    /// Asks the source of the keys for the one that `keys` do not have, if nothing else is wrong with
    /// the token, and returns why it is rejected for now.
    ///
    /// What is read of the token is not verified. It makes a rejection quicker, and leads to no
    /// acceptance.
    #[cold]
    pub(super) fn ask_for_key(
        &self,
        token: &[u8],
        keys: &CurrentKeys,
        now: NumericDate,
        error: SessionError,
    ) -> SessionError {
        let (rules, store) = (&self.rules, &self.keys);
        let Some(source) = store.source() else {
            return error;
        };
        let kind = error.kind();
        if !matches!(kind, Kind::TokenUnacceptable | Kind::SignatureInvalid) {
            return error;
        }
        let ask = |token: UnverifiedToken<'_>, id: Option<&str>| {
            let (token_type, payload) = (token.token_type, token.payload);
            rules
                .validate(token_type, payload, VerifiedBy::default(), now)
                .ok()?;
            if token.is_key_unknown {
                Some(source.ask(id))
            } else {
                source.nudge();
                None
            }
        };
        match read_unverified(keys, &rules.accepted, &rules.limits, token, ask) {
            None | Some(KeyAnswer::Absent) => error,
            Some(KeyAnswer::Wait) => KEYS_AWAITED,
            Some(KeyAnswer::Unavailable) => KEYS_UNAVAILABLE,
        }
    }
}
