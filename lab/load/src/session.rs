//! Sessions, each with its token and the expected answer of the server.

use std::{
    rc::Rc,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};
use serde_json::json;
use tower_session_token::{User, testing::TestIssuer};
use uuid::Uuid;

use crate::{
    aliases::Failure,
    keys::{AUDIENCE, ISSUER},
};

/// Longer than any run.
pub const DAY: Duration = Duration::from_secs(86_400);

const CULTURES: [&str; 6] = ["de-CH", "en-GB", "fr", "ja-JP", "ru-RU", "zh-Hant-TW"];
const CLIENTS: [&str; 3] = ["desktop", "web", "other"];

pub struct Session {
    pub id: String,
    pub token: String,
    pub expires_at: SystemTime,
    /// The whole body of the answer, different for each session.
    pub answer: Rc<str>,
}

/// The session of this number; no two share an id, a name or an answer.
pub fn new(issuer: &TestIssuer, at: usize, lifetime: Duration) -> Result<Session, Failure> {
    let [id, token_id, user, application] = [(); 4].map(|()| Uuid::new_v4());
    let name = format!("Иван {at}");
    let culture = CULTURES[at % CULTURES.len()];
    let ui_culture = CULTURES[at / CULTURES.len() % CULTURES.len()];
    let client = CLIENTS[at % CLIENTS.len()];
    let minutes = i32::try_from(at % 1681)? - 840;
    let offset = FixedOffset::east_opt(minutes * 60).ok_or("an offset")?;
    let now = issuer.clock().now();
    let expires_at = now + lifetime;

    let token = issuer
        .token(User::new(user).with_name(&name))
        .with("sid", id)
        .with("jti", token_id)
        .with("client_id", application)
        .with("client_kind", client)
        .with("locale", culture)
        .with("ui_locale", ui_culture)
        .with("utc_offset", minutes)
        .with("exp", expires_at.timestamp());
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
        "roles": [],
        "scope": [],
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
        token: token.issue(),
        expires_at: expires_at.into(),
        answer: answer.to_string().into(),
    })
}

/// RFC 3339 in whole seconds, as tokens have them.
fn instant(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Secs, true)
}
