//! Sessions, each with a token and what the server has to say of it.

use std::{
    rc::Rc,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};
use serde_json::json;
use tower_session_token::{ClientKind, SessionIssuer, SessionToken, User};
use uuid::Uuid;

use crate::{
    Failure,
    server::{AUDIENCE, ISSUER},
};

const CULTURES: [&str; 6] = ["de-CH", "en-GB", "fr", "ja-JP", "ru-RU", "zh-Hant-TW"];
const CLIENTS: [(ClientKind, &str); 3] = [
    (ClientKind::Desktop, "desktop"),
    (ClientKind::Web, "web"),
    (ClientKind::Other, "other"),
];

pub struct Session {
    pub id: String,
    pub token: String,
    pub expires_at: SystemTime,
    /// The whole answer, which no other session has.
    pub answer: Rc<str>,
}

/// The one of this number: they differ in all that tells them apart.
pub fn new(issuer: &SessionIssuer, at: usize, lifetime: Duration) -> Result<Session, Failure> {
    let [id, token_id, user, application] = [(); 4].map(|()| Uuid::new_v4());
    let name = format!("Иван {at}");
    let culture = CULTURES[at % CULTURES.len()];
    let ui_culture = CULTURES[at / CULTURES.len() % CULTURES.len()];
    let (client_kind, client) = CLIENTS[at % CLIENTS.len()];
    let minutes = i32::try_from(at % 1681)? - 840;
    let offset = FixedOffset::east_opt(minutes * 60).ok_or("an offset")?;
    let now = Utc::now();

    let token = SessionToken::builder(User::new(user).with_name(&name))
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .session_id(id)
        .id(token_id)
        .application_id(application)
        .client_kind(client_kind)
        .culture(culture)
        .ui_culture(ui_culture)
        .utc_offset(offset)
        .issued_at(now)
        .lifetime(lifetime)
        .build()?;
    let expires_at = token.expires_at();
    let by_token = |value: &str| json!({ "source": "token", "value": value });
    let answer = json!({
        "id": id,
        "type": "server",
        "application_id": application,
        "client_kind": client,
        "is_desktop_client": client == "desktop",
        "is_web_client": client == "web",
        "is_not_web_or_desktop_client": client == "other",
        "user": { "id": user, "name": name, "login": null, "access_level": "regular" },
        "client_culture": by_token(culture),
        "client_ui_culture": by_token(ui_culture),
        "client_utc_offset": by_token(&offset.to_string()),
        "client_time_zone": { "source": null, "value": null },
        "server_code": null,
        "instance_name": null,
        "actor": null,
        "token": {
            "id": token_id,
            "issuer": ISSUER,
            "audience": [AUDIENCE],
            "issued_at": instant(now),
            "expires_at": instant(expires_at),
            "type": "session+jwt",
        },
    });
    Ok(Session {
        id: id.to_string(),
        token: issuer.issue(&token)?,
        expires_at: expires_at.into(),
        answer: answer.to_string().into(),
    })
}

/// In whole seconds, as tokens have it.
fn instant(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Secs, true)
}
