//! What the answers say of a session.

use chrono::{DateTime, FixedOffset, Locale, SecondsFormat, Utc};
use serde_json::{Value, json};
use tower_session_token::{Actor, Culture, Session};

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
            "value": offset(context.utc_offset()),
            "source": context.utc_offset_source().as_str(),
        },
        "client_time_zone": {
            "value": context.time_zone().map(|zone| zone.to_string()),
            "source": context.time_zone_source().map(|source| source.as_str()),
        },
        "server_code": session.server_code(),
        "instance_name": session.instance_name(),
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

fn offset(offset: FixedOffset) -> String {
    offset.to_string()
}

/// The formats of the nearest culture that chrono knows.
pub(crate) fn locale(culture: &Culture) -> Locale {
    std::iter::once(culture.clone())
        .chain(culture.parents())
        .find_map(|it| {
            let region = it
                .region()
                .map(str::to_owned)
                .or_else(|| usual_region(it.language()));
            Locale::try_from(format!("{}_{}", it.language(), region?).as_str()).ok()
        })
        .unwrap_or(Locale::POSIX)
}

/// POSIX has no locale without a region.
fn usual_region(language: &str) -> Option<String> {
    match language {
        "en" => Some("US".to_owned()),
        "zh" => Some("CN".to_owned()),
        "ja" => Some("JP".to_owned()),
        "uk" => Some("UA".to_owned()),
        "und" => None,
        language => Some(language.to_ascii_uppercase()),
    }
}
