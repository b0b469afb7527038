//! Cultures, offsets, zones and `Accept-Language`: nothing panics, what is printed is read as the
//! same, and a call gets what the profile says.
//!
//! An input is one byte, which picks the service, and then lines: one letter for the field, and
//! its value. The parsers that are public read the values too.

#![no_main]

use std::{cell::LazyCell, convert::Infallible, fmt::Display, future, str::FromStr};

use futures_executor::block_on;
use http::{HeaderMap, HeaderValue, Request, Response};
use libfuzzer_sys::fuzz_target;
use tower::{Layer, ServiceExt, service_fn};
use tower_session_token::{
    ClientContext, ClientHeaders, ClientKind, ClientSource, ClientTimeZone, Culture, SessionLayer,
};
use tower_session_token_fuzz::{
    culture,
    setup::{CONFIGS, now},
};

thread_local! {
    static SERVICES: LazyCell<[Ask; 4]> = const { LazyCell::new(services) };
}

type Ask = Box<dyn Fn(HeaderMap) -> ClientContext>;

/// Services that need no token, and answer with the context of the call.
fn services() -> [Ask; 4] {
    CONFIGS.each_ref().map(|config| {
        let layer = SessionLayer::new(config.verifier())
            .optional()
            .client_headers(ClientHeaders::all());
        let service = layer.layer(service_fn(|request: Request<()>| {
            let context = ClientContext::of(request.extensions());
            let mut response = Response::new(());
            let context = context.expect("each request that is let pass has one");
            response.extensions_mut().insert(Seen(context.clone()));
            future::ready(Ok::<_, Infallible>(response))
        }));
        let ask = move |headers| {
            let mut request = Request::new(());
            *request.headers_mut() = headers;
            let response = block_on(service.clone().oneshot(request));
            let response = response.unwrap_or_else(|never| match never {});
            let seen = response.extensions().get::<Seen>();
            seen.expect("no request is rejected").0.clone()
        };
        let ask: Ask = Box::new(ask);
        ask
    })
}

#[derive(Clone)]
struct Seen(ClientContext);

fuzz_target!(|data: &[u8]| {
    let Some((choice, lines)) = data.split_first() else {
        return;
    };
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let Some((letter, value)) = line.split_first() else {
            continue;
        };
        if let Ok(text) = str::from_utf8(value) {
            check_parsers(text);
        }
        let name = match letter {
            b'1' => "client-culture",
            b'2' => "client-ui-culture",
            b'3' => "client-utc-offset",
            b'4' => "client-time-zone",
            b'l' => "accept-language",
            _ => continue,
        };
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    SERVICES.with(|services| {
        let at = usize::from(choice % 4);
        check_call(&services[at], at, headers);
    });
});

fn check_parsers(text: &str) {
    if let Ok(culture) = text.parse::<Culture>() {
        check_culture(&culture);
        check_printed(&culture);
    }
    let canonical = text.parse().ok().map(|it: Culture| it.to_string());
    assert_eq!(canonical, culture::canonical(text));
    if let Ok(zone) = text.parse::<ClientTimeZone>() {
        check_printed(&zone);
        assert!(zone.name().eq_ignore_ascii_case(text));
    }
    let zone = text.parse().map(ClientTimeZone::name).ok();
    assert_eq!(zone, culture::zone(text).as_ref().map(|value| &*value.name));
    if let Ok(kind) = text.parse::<ClientKind>() {
        check_printed(&kind);
    }
}

/// What is printed is read as the same, and printed as the same again.
fn check_printed<T>(value: &T)
where
    T: Display + FromStr + PartialEq + serde::Serialize + serde::de::DeserializeOwned,
{
    let text = value.to_string();
    assert!(text.parse().is_ok_and(|it: T| it == *value), "{text}");
    let json = serde_json::to_string(value).expect("it is one text");
    assert_eq!(json, format!("\"{text}\""));
    let read = serde_json::from_str::<T>(&json);
    assert!(read.is_ok_and(|read| read == *value), "{json}");
}

/// The canonical form in every case of letters, its parts, and what is more general.
fn check_culture(culture: &Culture) {
    let tag = culture.as_str();
    for other in [tag.to_ascii_lowercase(), tag.to_ascii_uppercase()] {
        let read = other.parse::<Culture>();
        assert!(read.is_ok_and(|value| value == *culture), "{other}");
    }
    let region = culture.region().map(|value| format!("-{value}"));
    let script = culture.script().map(|value| format!("-{value}"));
    let start = [culture.language().to_owned()]
        .into_iter()
        .chain(script)
        .chain(region);
    assert!(tag.starts_with(&start.collect::<String>()), "{tag}");
    let mut len = tag.len();
    for parent in culture.parents() {
        check_printed(&parent);
        let is_start = tag.starts_with(parent.as_str()) && parent.as_str().len() < len;
        assert!(is_start || parent.is_invariant(), "{tag}, {parent}");
        len = parent.as_str().len();
    }
    let last = culture.parents().last();
    assert_eq!(last.is_none(), culture.is_invariant());
    assert!(last.is_none_or(|value| value.is_invariant()));
}

/// Section 5 of the profile, for a call without a token.
fn check_call(ask: &Ask, at: usize, headers: HeaderMap) {
    let config = &CONFIGS[at];
    let context = ask(headers.clone());
    let call = |name| {
        let mut values = headers.get_all(name).iter();
        let value = values.next()?;
        let text = value.to_str().ok()?;
        // Two that differ are bad as well as one that is too long.
        (text.len() <= 64 && values.all(|other| other == value)).then_some(text)
    };
    let culture = |name| {
        let tag = call(name).filter(|value| !value.is_empty())?;
        let canonical = culture::canonical(&tag.replace('_', "-"))?;
        culture::lookup(&canonical, config.supported, &[])
    };
    let fields: Vec<_> = headers.get_all("accept-language").iter().collect();
    let languages: Vec<_> = fields.iter().map(|value| value.as_bytes()).collect();
    let accepted = culture::accepted_language(&languages.join(&b","[..]), config.supported);

    let called = culture("client-culture");
    let ui_called = culture("client-ui-culture").or_else(|| called.clone());
    let choose = |called: Option<String>| match (called, &accepted) {
        (Some(culture), _) => (culture, ClientSource::Call),
        (None, Some(accepted)) => (accepted.clone(), ClientSource::AcceptLanguage),
        (None, None) => (config.default_culture.to_owned(), ClientSource::Default),
    };
    let got = (context.culture().to_string(), context.culture_source());
    assert_eq!(got, choose(called));
    let got = (
        context.ui_culture().to_string(),
        context.ui_culture_source(),
    );
    assert_eq!(got, choose(ui_called));
    for culture in [context.culture(), context.ui_culture()] {
        check_printed(culture);
    }

    let minutes = call("client-utc-offset").and_then(culture::offset);
    let zone = call("client-time-zone").and_then(culture::zone);
    let by_zone = zone
        .as_ref()
        .map(|value| value.offset_at(now().timestamp()));
    let seconds = minutes.map(|value| value * 60).or(by_zone);
    let source = match seconds {
        Some(_) => ClientSource::Call,
        None => ClientSource::Default,
    };
    assert_eq!(
        context.utc_offset().local_minus_utc(),
        seconds.unwrap_or_default()
    );
    assert_eq!(context.utc_offset_source(), source);
    let name = context.time_zone().map(ClientTimeZone::name);
    assert_eq!(name, zone.as_ref().map(|value| &*value.name));

    // The same call in canonical spelling gets the same.
    let mut printed = HeaderMap::new();
    let mut say = |name, text: String| {
        let value = HeaderValue::try_from(text).expect("it is ASCII");
        printed.insert(name, value);
    };
    say("client-culture", context.culture().to_string());
    say("client-ui-culture", context.ui_culture().to_string());
    say("client-utc-offset", context.utc_offset().to_string());
    if let Some(zone) = context.time_zone() {
        say("client-time-zone", zone.to_string());
    }
    let again = ask(printed);
    assert_eq!(again.utc_offset(), context.utc_offset());
    assert_eq!(again.time_zone(), context.time_zone());
    let short = |it: &Culture| it.as_str().len() <= 64;
    let known = |it: &Culture| {
        let tag = it.as_str();
        config.supported.is_empty() || config.supported.contains(&tag)
    };
    if [context.culture(), context.ui_culture()]
        .into_iter()
        .all(|value| short(value) && known(value))
    {
        assert_eq!(again.culture(), context.culture());
        assert_eq!(again.ui_culture(), context.ui_culture());
    }
}
