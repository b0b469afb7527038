//! A session as JSON.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use tower_session_token::{Actor, Session};

pub(crate) fn describe(session: &Session) -> Value {
    let context = session.client_context();
    let user = session.user();
    json!({
        "id": session.id(),
        "type": session.session_type().as_str(),
        "application_id": session.application_id(),
        "client_kind": session.client_kind().as_str(),
        "is_desktop_client": session.is_desktop_client(),
        "is_web_client": session.is_web_client(),
        "is_not_web_or_desktop_client": session.is_not_web_or_desktop_client(),
        "user": {
            "id": user.id(),
            "name": user.name(),
            "login": user.login(),
            "access_level": user.access_level().as_str(),
        },
        "client_culture": {
            "value": context.culture().as_str(),
            "source": context.culture_source().as_str(),
        },
        "client_ui_culture": {
            "value": context.ui_culture().as_str(),
            "source": context.ui_culture_source().as_str(),
        },
        "client_utc_offset": {
            "value": context.utc_offset().to_string(),
            "source": context.utc_offset_source().as_str(),
        },
        "client_time_zone": {
            "value": context.time_zone().map(|zone| zone.to_string()),
            "source": context.time_zone_source().map(|source| source.as_str()),
        },
        "server_code": session.server_code(),
        "instance_name": session.instance_name(),
        "roles": session.roles().collect::<Vec<_>>(),
        "scope": session.scope().collect::<Vec<_>>(),
        "actor": session.actor().map(describe_actor),
        "token": session.token().map(|token| json!({
            "id": token.id(),
            "issuer": token.issuer(),
            "audience": token.audience().collect::<Vec<_>>(),
            "issued_at": token.issued_at().map(instant),
            "expires_at": instant(token.expires_at()),
            "type": token.token_type().as_str(),
        })),
    })
}

fn describe_actor(actor: &Actor) -> Value {
    json!({
        "sub": actor.user_id(),
        "sid": actor.session_id(),
        "client_id": actor.application_id(),
        "actor": actor.actor().map(describe_actor),
    })
}

pub(crate) fn instant(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
