//! The claims of a token that is made here, as they are written.

use serde::{Serialize, Serializer};

use crate::{
    identity::{Actor, ApplicationId, SessionId, UserId},
    time::NumericDate,
};

/// The claims of a token that is made here, in the order in which they are written.
#[derive(Clone, Default, Serialize)]
pub(crate) struct NewClaims {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) iss: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "audience")]
    pub(crate) aud: Vec<String>,
    pub(crate) sub: String,
    pub(crate) exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nbf: Option<NumericDate>,
    pub(crate) iat: NumericDate,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) auth_time: Option<NumericDate>,
    pub(crate) jti: Option<String>,
    pub(crate) sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) preferred_username: Option<String>,
    pub(crate) access_level: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) locale: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ui_locale: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) utc_offset: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) zoneinfo: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) instance: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) roles: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) act: Option<NewActor>,
    /// The application's own.
    #[serde(flatten)]
    pub(crate) others: serde_json::Map<String, serde_json::Value>,
}

/// One audience is written as text, several as an array (RFC 7519 §4.1.3).
fn audience<S: Serializer>(audience: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    match audience {
        [one] => serializer.serialize_str(one),
        several => several.serialize(serializer),
    }
}

/// The claim `act` of a token that is made here.
#[derive(Clone, Serialize)]
pub(crate) struct NewActor {
    sub: UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<ApplicationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<NumericDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<Box<Self>>,
}

impl From<&Actor> for NewActor {
    fn from(actor: &Actor) -> Self {
        Self {
            sub: actor.user_id.clone(),
            sid: actor.session_id.clone(),
            client_id: actor.application_id.clone(),
            auth_time: actor.authenticated_at,
            act: actor.actor().map(|actor| Box::new(actor.into())),
        }
    }
}
