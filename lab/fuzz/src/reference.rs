//! What the profile says of a token, read a second time: slow, plain, and apart from the crate.
//!
//! Sections 2 to 4 of the profile put the checks into stages: JOSE header, key, form of the
//! claims, then each comparison by itself. Within a stage the profile does not say which of several
//! faults is reported, so a rejection here is a list of codes, each of which is right.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tower_session_token::{Actor, ClientSource, Session};
use uuid::Uuid;

use crate::{
    culture,
    json::{Document, Json, get, has_twice},
    setup::{Config, KIDS, NOW, hs256},
};

const MALFORMED: &str = "token_malformed";
const UNACCEPTABLE: &str = "token_unacceptable";
const CLAIM: &str = "claim_invalid";

/// 9999-12-31T23:59:59Z.
const LAST_SECOND: u64 = 253_402_300_799;

/// The longest `name` and `preferred_username` in others' tokens, in bytes.
const OTHERS_NAME: usize = 1024;
/// The longest `zoneinfo`, in bytes.
const ZONE: usize = 64;
/// How many roles there may be, and the longest of them in bytes.
const ROLES: usize = 64;
const ROLE: usize = 256;

/// The codes of which the rejection has one.
pub type Rejection = Vec<&'static str>;

/// What a session has to be made of.
#[derive(Clone, Debug, Default)]
pub struct Accepted {
    token_type: &'static str,
    id: String,
    user_id: String,
    name: Option<String>,
    login: Option<String>,
    access_level: String,
    application_id: Option<String>,
    client_kind: String,
    server: Option<String>,
    instance: Option<String>,
    /// Nearest first.
    actors: Vec<ActorClaims>,
    token_id: Option<String>,
    issuer: Option<String>,
    audience: Vec<String>,
    scope: Vec<String>,
    roles: Vec<String>,
    authenticated_at: Option<Duration>,
    issued_at: Option<Duration>,
    not_before: Option<Duration>,
    expires_at: Duration,
    culture: (String, Option<ClientSource>),
    ui_culture: (String, Option<ClientSource>),
    utc_offset: i32,
    time_zone: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct ActorClaims {
    sub: Option<String>,
    sid: Option<String>,
    client_id: Option<String>,
    auth_time: Option<Duration>,
}

/// Judges a token from its bytes on.
pub fn judge_token(config: &Config, token: &[u8]) -> Result<Accepted, Rejection> {
    if token.len() > config.limits.token {
        return Err(vec![MALFORMED]);
    }
    let [header, payload, signature] = parts(token).ok_or(vec![MALFORMED])?;
    let (key, token_type) = judge_header(config, &header)?;
    let end = token.iter().rposition(|byte| *byte == b'.');
    if signature != hs256(key, &token[..end.unwrap_or_default()]) {
        return Err(vec!["signature_invalid"]);
    }
    judge_claims(config, token_type, &payload)
}

/// The three parts of a token, if they are base64url in its one spelling (RFC 7515 §2).
pub fn parts(token: &[u8]) -> Option<[Vec<u8>; 3]> {
    let parts: Option<Vec<_>> = token.split(|byte| *byte == b'.').map(decode).collect();
    parts?.try_into().ok()
}

/// RFC 4648 §5, without padding; nothing but zeros is left over at the end.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bytes, mut bits, mut buffer) = (Vec::new(), 0, 0_u32);
    for letter in text {
        let sextet = ALPHABET.iter().position(|value| value == letter)?;
        buffer = buffer << 6 | u32::try_from(sextet).ok()?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(buffer >> bits).ok()?);
            buffer &= (1 << bits) - 1;
        }
    }
    (bits < 6 && buffer == 0).then_some(bytes)
}

/// Which of the secrets a header names, and the type of the token.
pub fn judge_header(config: &Config, header: &[u8]) -> Result<(usize, &'static str), Rejection> {
    if header.len() > config.limits.header {
        return Err(vec![MALFORMED]);
    }
    let header = Document::read(header, config.limits.nesting);
    let is_text = |name| header.get(name).is_none_or(|value| value.text().is_some());
    let has = |name| header.get(name).is_some();
    // The profile says nothing of a number beyond all others; the crate rejects it.
    let huge = header.members.iter().any(|(_, it)| it.has_huge_number());
    if header.is_broken
        || header.has_twice()
        || huge
        || has("crit")
        || has("b64")
        || !has("alg")
        || !["alg", "kid", "typ"].into_iter().all(is_text)
    {
        return Err(vec![MALFORMED]);
    }
    let text = |name| header.get(name).and_then(Json::text);
    let key = match text("kid") {
        Some(kid) => KIDS[..config.keys].iter().position(|value| *value == kid),
        None => (config.keys == 1).then_some(0),
    };
    let typ = text("typ").unwrap_or("JWT").to_ascii_lowercase();
    let typ = typ.strip_prefix("application/").unwrap_or(&typ);
    let mut types = config.types.iter();
    let token_type = types.find(|value| value.eq_ignore_ascii_case(typ));
    match (key, token_type) {
        (Some(key), Some(token_type)) if text("alg") == Some("HS256") => Ok((key, token_type)),
        _ => Err(vec![UNACCEPTABLE]),
    }
}

/// Judges the claims of a token whose signature holds.
pub fn judge_claims(
    config: &Config,
    token_type: &'static str,
    payload: &[u8],
) -> Result<Accepted, Rejection> {
    let mut form = Form {
        config,
        claims: Document::read(payload, config.limits.nesting),
        ours: matches!(token_type, "session+jwt" | "nested-session+jwt"),
        token_type,
        faults: Rejection::new(),
    };
    let accepted = form.read();
    if !form.faults.is_empty() {
        return Err(form.faults);
    }
    compare(config, &accepted).map_err(|code| vec![code])?;
    Ok(accepted)
}

/// The times, then where the token is from and for whom.
fn compare(config: &Config, token: &Accepted) -> Result<(), &'static str> {
    let now = Duration::from_secs(NOW.unsigned_abs());
    let leeway = Duration::from_secs(config.leeway);
    if now >= token.expires_at + leeway {
        return Err("token_expired");
    }
    let early = |moment: Option<Duration>| moment.is_some_and(|value| now + leeway < value);
    if early(token.not_before) || early(token.issued_at) {
        return Err("token_not_yet_valid");
    }
    let week = matches!(token.token_type, "session+jwt" | "nested-session+jwt")
        .then_some(7 * 24 * 60 * 60);
    // The profile does not say what the lifetime is where `iat` is absent; the crate is strict.
    let issued_at = token.issued_at.unwrap_or(now + leeway);
    if config
        .max_lifetime
        .or(week)
        .is_some_and(|max| token.expires_at.saturating_sub(issued_at) > Duration::from_secs(max))
    {
        return Err(UNACCEPTABLE);
    }
    if config.issuer.is_some() && config.issuer != token.issuer.as_deref() {
        return Err("issuer_invalid");
    }
    if let Some(ours) = config.audience
        && !token.audience.iter().any(|value| value == ours)
    {
        return Err("audience_invalid");
    }
    for (ours, theirs) in [
        (config.server, &token.server),
        (config.instance, &token.instance),
    ] {
        if let (Some(ours), Some(theirs)) = (ours, theirs)
            && ours != theirs
        {
            return Err("server_mismatch");
        }
    }
    Ok(())
}

/// The form of one token's claims. It reads all of them, and notes what is wrong.
struct Form<'a> {
    config: &'a Config,
    claims: Document,
    token_type: &'static str,
    /// Of the two types that the profile itself defines.
    ours: bool,
    faults: Rejection,
}

impl Form<'_> {
    fn read(&mut self) -> Accepted {
        let limits = &self.config.limits;
        self.check_document();
        let mut token = Accepted {
            token_type: self.token_type,
            issuer: self.text("iss", limits.claim),
            audience: self.audience(),
            user_id: self.text("sub", limits.claim.min(255)).unwrap_or_default(),
            expires_at: self.moment("exp").unwrap_or_default(),
            not_before: self.moment("nbf"),
            issued_at: self.moment("iat"),
            token_id: self.text("jti", limits.claim),
            authenticated_at: self.moment("auth_time"),
            name: self.display_name("name"),
            login: self.display_name("preferred_username"),
            access_level: self.word("access_level", &["regular", "administrator"]),
            server: self.text("server", limits.claim),
            instance: self.text("instance", limits.claim),
            ..Accepted::default()
        };
        if self.claims.get("sub").is_some() && token.user_id.is_empty() {
            self.faults.push(CLAIM);
        }
        token.scope = self.scope();
        token.roles = self.roles();
        let sid = self.text("sid", limits.claim);
        token.id = sid
            .or(token.token_id.clone())
            .unwrap_or_else(|| derived_id(&token));
        let azp = self.text("azp", limits.claim);
        token.application_id = self.text("client_id", limits.claim);
        if self.token_type == "JWT" {
            token.application_id = token.application_id.or(azp);
        }
        token.client_kind = match self.claims.get("client_kind") {
            Some(_) => self.word("client_kind", &["desktop", "web", "other"]),
            None => match token.application_id.as_deref() {
                Some(id) if self.config.web_application == Some(id) => "web".to_owned(),
                _ => "other".to_owned(),
            },
        };
        self.client(&mut token);
        token.actors = self.actors();
        self.check_presence();
        token
    }

    /// JSON, doubles, and what may not be there.
    fn check_document(&mut self) {
        let claims = &self.claims;
        if claims.is_broken || claims.has_twice() {
            self.faults.push(MALFORMED);
        }
        // The profile says nothing of a number beyond all others; the crate rejects it.
        if claims.members.iter().any(|(_, it)| it.has_huge_number()) {
            self.faults.extend([MALFORMED, CLAIM]);
        }
        // A value that breaks off may be of a wrong type as well.
        if claims.broken_in.is_some() {
            self.faults.push(CLAIM);
        }
        if claims.get("cnf").is_some() {
            self.faults.push(UNACCEPTABLE);
        }
        if claims.get("act").is_some() && self.token_type == "session+jwt" {
            self.faults.push(UNACCEPTABLE);
        }
    }

    /// The table of section 3.
    fn check_presence(&mut self) {
        let mut required = vec!["sub", "exp"];
        if self.config.issuer.is_some() {
            required.push("iss");
        }
        if self.config.audience.is_some() {
            required.push("aud");
        }
        if self.token_type != "JWT" {
            required.extend(["iat", "jti", "client_id"]);
        }
        if self.ours {
            required.push("sid");
        }
        if self.token_type == "nested-session+jwt" {
            required.push("act");
        }
        if !self.claims.is_broken
            && required
                .iter()
                .any(|value| self.claims.get(value).is_none())
        {
            self.faults.push(CLAIM);
        }
    }

    fn text(&mut self, name: &str, max: usize) -> Option<String> {
        match self.claims.get(name)? {
            Json::Text(text) if text.len() <= max => Some(text.clone()),
            _ => {
                self.faults.push(CLAIM);
                None
            }
        }
    }

    /// Text that is only displayed: in others' tokens a bad one counts as absent.
    fn display(&mut self, name: &str, max: usize) -> Option<String> {
        let before = self.faults.len();
        let text = self.text(name, max);
        self.forgive(before);
        text
    }

    fn display_name(&mut self, name: &str) -> Option<String> {
        let max = if self.ours {
            self.config.limits.claim
        } else {
            OTHERS_NAME
        };
        self.display(name, max)
    }

    /// In others' tokens, takes back what was noted after the first `before` faults.
    fn forgive(&mut self, before: usize) {
        if !self.ours {
            self.faults.truncate(before);
        }
    }

    /// The words of one text, or in others' tokens of an array of texts.
    fn scope(&mut self) -> Vec<String> {
        let max = self.config.limits.scope;
        let scope = match self.claims.get("scope") {
            Some(Json::Array(items)) if !self.ours => {
                let texts: Option<Vec<_>> = items.iter().map(Json::text).collect();
                let joined = texts.map(|texts| texts.join(" "));
                let joined = joined.filter(|joined| joined.len() <= max);
                if joined.is_none() {
                    self.faults.push(CLAIM);
                }
                joined
            }
            _ => self.text("scope", max),
        };
        let scope = scope.unwrap_or_default();
        let words = scope.split(' ').filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    }

    fn roles(&mut self) -> Vec<String> {
        let roles = match self.claims.get("roles") {
            None => return Vec::new(),
            Some(Json::Array(items)) if items.len() <= ROLES => {
                let fits = |role: &&str| role.len() <= ROLE;
                let role = |item: &Json| item.text().filter(fits).map(str::to_owned);
                items.iter().map(role).collect()
            }
            Some(_) => None,
        };
        roles.unwrap_or_else(|| {
            self.faults.push(CLAIM);
            Vec::new()
        })
    }

    /// One of a few words, the first where there is none.
    fn word(&mut self, name: &str, words: &[&str]) -> String {
        let word = self.text(name, self.config.limits.claim);
        let word = word.unwrap_or_else(|| words[0].to_owned());
        if !words.contains(&&*word) {
            self.faults.push(CLAIM);
        }
        word
    }

    fn audience(&mut self) -> Vec<String> {
        let items = match self.claims.get("aud") {
            Some(Json::Array(items)) => items.clone(),
            Some(one) => vec![one.clone()],
            None => Vec::new(),
        };
        let max = self.config.limits.claim;
        let texts = items.iter().filter_map(Json::text);
        let texts: Vec<_> = texts.filter(|value| value.len() <= max).collect();
        if texts.len() < items.len() {
            self.faults.push(CLAIM);
        }
        texts.into_iter().map(str::to_owned).collect()
    }

    fn moment(&mut self, name: &str) -> Option<Duration> {
        let moment = moment(self.claims.get(name)?);
        if moment.is_none() {
            self.faults.push(CLAIM);
        }
        moment
    }

    /// Cultures, offset and zone.
    fn client(&mut self, token: &mut Accepted) {
        let culture = self.culture("locale");
        let ui_culture = self.culture("ui_locale").or_else(|| culture.clone());
        let or_default = |it: Option<String>| match it {
            Some(culture) => (culture, Some(ClientSource::Token)),
            None => {
                let culture = self.config.default_culture.to_owned();
                (culture, Some(ClientSource::Default))
            }
        };
        token.culture = or_default(culture);
        token.ui_culture = or_default(ui_culture);
        let minutes = self.utc_offset();
        let zone = self.zone();
        token.time_zone = zone.as_ref().map(|value| value.name.clone());
        token.utc_offset = match (minutes, zone) {
            (Some(minutes), _) => minutes * 60,
            (None, Some(zone)) => zone.offset_at(NOW),
            (None, None) => 0,
        };
    }

    fn culture(&mut self, name: &str) -> Option<String> {
        let mut tag = self.display(name, self.config.limits.locale)?;
        if !self.ours {
            if tag.is_empty() {
                return None;
            }
            tag = tag.replace('_', "-");
        }
        let canonical = culture::canonical(&tag);
        if canonical.is_none() && self.ours {
            self.faults.push(CLAIM);
        }
        culture::lookup(&canonical?, self.config.supported, &[])
    }

    /// A JSON integer of minutes. The crate rejects `-0`, which the profile allows.
    fn utc_offset(&mut self) -> Option<i32> {
        let minutes = match self.claims.get("utc_offset")? {
            Json::Number(text) if text != "-0" => text.parse().ok(),
            _ => None,
        };
        let minutes = minutes.filter(|value| (-840..=840).contains(value));
        if minutes.is_none() && self.ours {
            self.faults.push(CLAIM);
        }
        minutes
    }

    fn zone(&mut self) -> Option<culture::Zone> {
        let name = self.display("zoneinfo", ZONE)?;
        if self.ours && !culture::is_zone_name(&name) {
            self.faults.push(CLAIM);
        }
        culture::zone(&name)
    }

    fn actors(&mut self) -> Vec<ActorClaims> {
        let mut actors = Vec::new();
        let mut next = self.claims.get("act").cloned();
        while let Some(act) = next {
            let Json::Object(members) = act else {
                self.faults.push(CLAIM);
                break;
            };
            if actors.len() == self.config.limits.actors {
                self.faults.push(CLAIM);
                break;
            }
            if has_twice(&members) {
                self.faults.push(MALFORMED);
            }
            let mut text = |name, max: usize| match get(&members, name)? {
                Json::Text(text) if text.len() <= max => Some(text.clone()),
                _ => {
                    self.faults.push(CLAIM);
                    None
                }
            };
            let max = self.config.limits.claim;
            let actor = ActorClaims {
                sub: text("sub", max.min(255)),
                sid: text("sid", max),
                client_id: text("client_id", max),
                auth_time: get(&members, "auth_time").and_then(moment),
            };
            if actor.sub.as_ref().is_none_or(String::is_empty) {
                self.faults.push(CLAIM);
            }
            if get(&members, "auth_time").is_some() && actor.auth_time.is_none() {
                self.faults.push(CLAIM);
            }
            actors.push(actor);
            next = get(&members, "act").cloned();
        }
        actors
    }
}

/// A NumericDate: to the nanosecond where nine digits behind the point say so, else as near as a
/// double of 64 bits.
fn moment(value: &Json) -> Option<Duration> {
    let Json::Number(text) = value else {
        return None;
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let moment = if is_digits(whole) && is_digits(fraction) && fraction.len() <= 9 {
        let nanos = format!("{fraction:0<9}").parse().ok()?;
        Duration::new(whole.parse().ok()?, nanos)
    } else {
        Duration::try_from_secs_f64(text.parse().ok()?).ok()?
    };
    (moment <= Duration::from_secs(LAST_SECOND)).then_some(moment)
}

/// Section 3: UUIDv5 of what the token says.
fn derived_id(token: &Accepted) -> String {
    let seconds = |it: Duration| it.as_secs().to_string();
    let name = [
        token.issuer.clone().unwrap_or_default(),
        token.user_id.clone(),
        token.issued_at.map(seconds).unwrap_or_default(),
        seconds(token.expires_at),
    ];
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.join("\n").as_bytes()).to_string()
}

/// An identifier that is a UUID in the hyphenated form in lower case.
fn uuid(id: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(id).ok()?;
    (uuid.hyphenated().to_string() == id).then_some(uuid)
}

/// The instant after a round trip through the shortest decimal form of its `f64`. Two such forms can be
/// equally near; the crate writes that of serde_json, which may not be that of `Debug`.
fn by_double(instant: Duration) -> Option<Duration> {
    let shortest = serde_json::to_string(&instant.as_secs_f64()).ok()?;
    moment(&Json::Number(shortest))
}

impl Accepted {
    /// Section 6: the session of `user` that is nested in this one now, but for its new ids; `None`
    /// where there can be none.
    pub fn nested(&self, user: &str) -> Option<Self> {
        const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
        let now = Duration::from_secs(NOW.unsigned_abs());
        let ours = matches!(self.token_type, "session+jwt" | "nested-session+jwt");
        let authenticated_at = self.authenticated_at.filter(|_| ours);
        let began_at = match (self.issued_at, authenticated_at) {
            (Some(issued_at), Some(authenticated_at)) => Some(issued_at.min(authenticated_at)),
            (issued_at, _) => issued_at,
        };
        let mut actors = vec![ActorClaims {
            sub: Some(self.user_id.clone()),
            sid: Some(self.id.clone()),
            client_id: self.application_id.clone(),
            auth_time: began_at,
        }];
        actors.extend(self.actors.iter().cloned());
        for actor in &mut actors {
            actor.auth_time = actor.auth_time.and_then(by_double);
        }
        if actors.len() > 4 || self.application_id.is_none() {
            return None;
        }
        // What nobody chose is chosen by the next service.
        let is_chosen = |(culture, source): &(String, Option<ClientSource>)| {
            culture != "und" || *source != Some(ClientSource::Default)
        };
        let chosen = is_chosen(&self.culture) || is_chosen(&self.ui_culture);
        let inherit = |(culture, source): &(String, Option<ClientSource>)| {
            let source = if chosen {
                Some(ClientSource::Token)
            } else {
                *source
            };
            (culture.clone(), source)
        };
        let in_millis = |it: Duration| Duration::new(it.as_secs(), it.subsec_millis() * 1_000_000);
        Some(Self {
            token_type: "nested-session+jwt",
            user_id: user.to_owned(),
            name: None,
            login: None,
            access_level: "regular".to_owned(),
            actors,
            scope: Vec::new(),
            roles: Vec::new(),
            authenticated_at: began_at.map(in_millis),
            issued_at: Some(now),
            not_before: None,
            expires_at: Duration::from_secs(self.expires_at.min(now + WEEK).as_secs()),
            culture: inherit(&self.culture),
            ui_culture: inherit(&self.ui_culture),
            ..self.clone()
        })
    }

    /// With the ids of `session`, which are new.
    #[must_use]
    pub fn with_ids(self, session: &Session) -> Self {
        let id = session.id().to_string();
        let token_id = session.token().and_then(|token| token.id());
        let token_id = token_id.map(ToString::to_string);
        assert!(id != self.id && token_id != self.token_id);
        Self {
            id,
            token_id,
            ..self
        }
    }

    /// Whether a service with this leeway still accepts it.
    pub fn is_live(&self, leeway: u64) -> bool {
        Duration::from_secs(NOW.unsigned_abs()) < self.expires_at + Duration::from_secs(leeway)
    }

    /// Panics unless each member of the session is as it has to be.
    pub fn assert_is(&self, session: &Session) {
        let token = session.token().expect("it was read from a token");
        let user = session.user();
        let context = session.client_context();
        let text = |it: &dyn ToString| it.to_string();
        let moment = |it: DateTime<Utc>| {
            let seconds = u64::try_from(it.timestamp()).expect("no token is from before 1970");
            Duration::new(seconds, it.timestamp_subsec_nanos())
        };
        let chain = session.actor().into_iter().flat_map(Actor::chain);
        let actors: Vec<_> = chain
            .map(|actor| ActorClaims {
                sub: Some(text(actor.user_id())),
                sid: actor.session_id().map(|id| text(id)),
                client_id: actor.application_id().map(|id| text(id)),
                auth_time: actor.authenticated_at().map(moment),
            })
            .collect();
        assert_eq!(token.token_type().as_str(), self.token_type);
        assert_eq!(text(session.id()), self.id);
        assert_eq!(session.id().as_uuid(), uuid(&self.id));
        assert_eq!(text(user.id()), self.user_id);
        assert_eq!(user.id().as_uuid(), uuid(&self.user_id));
        assert_eq!(user.name(), self.name.as_deref());
        assert_eq!(user.login(), self.login.as_deref());
        assert_eq!(user.access_level().as_str(), self.access_level);
        let application_id = session.application_id().map(|value| text(value));
        assert_eq!(application_id, self.application_id);
        assert_eq!(session.client_kind().as_str(), self.client_kind);
        assert_eq!(session.server_code(), self.server.as_deref());
        assert_eq!(session.instance_name(), self.instance.as_deref());
        assert_eq!(actors, self.actors);
        assert_eq!(token.id().map(|value| text(value)), self.token_id);
        assert_eq!(token.issuer(), self.issuer.as_deref());
        assert!(
            token
                .audience()
                .eq(self.audience.iter().map(|value| &**value))
        );
        assert!(token.scope().eq(self.scope.iter().map(|value| &**value)));
        assert!(session.scope().eq(token.scope()));
        assert!(token.roles().eq(self.roles.iter().map(|value| &**value)));
        assert!(session.roles().eq(token.roles()));
        assert_eq!(token.authenticated_at().map(moment), self.authenticated_at);
        assert_eq!(token.issued_at().map(moment), self.issued_at);
        assert_eq!(token.not_before().map(moment), self.not_before);
        assert_eq!(moment(token.expires_at()), self.expires_at);
        let culture = (
            context.culture().to_string(),
            Some(context.culture_source()),
        );
        assert_eq!(culture, self.culture);
        let ui_culture = (
            context.ui_culture().to_string(),
            Some(context.ui_culture_source()),
        );
        assert_eq!(ui_culture, self.ui_culture);
        assert_eq!(context.utc_offset().local_minus_utc(), self.utc_offset);
        let zone = context.time_zone().map(|value| value.name().to_owned());
        assert_eq!(zone, self.time_zone);
    }
}
