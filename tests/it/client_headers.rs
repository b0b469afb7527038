//! Client headers: their effect on the context, and on the response.

use chrono::FixedOffset;
use http::{Request, Response, header::VARY};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_session_token::{
    ClientContext, ClientHeaders, ClientSource, SessionLayer, SessionVerifier,
};

use crate::support::{Answer, Body, answer, bearer, builder, good_token, see, token, verifier};

fn with(headers: &[(&str, &str)], mut request: Request<()>) -> Request<()> {
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    request
}

/// The context of a request with a good token and these headers.
fn context(layer: &SessionLayer, headers: &[(&str, &str)]) -> ClientContext {
    see(layer, with(headers, bearer(&good_token())), |request| {
        ClientContext::of(request.extensions()).unwrap().clone()
    })
    .unwrap()
}

fn all() -> SessionLayer {
    SessionLayer::new(verifier()).client_headers(ClientHeaders::all())
}

const TRAVELLING: &[(&str, &str)] = &[
    ("client-culture", "de-CH"),
    ("client-ui-culture", "fr"),
    ("client-utc-offset", "+05:30"),
    ("client-time-zone", "Asia/Kolkata"),
    ("accept-language", "es"),
];

#[test]
fn client_headers_are_ignored_by_default() {
    let got = context(&SessionLayer::new(verifier()), TRAVELLING);
    assert_eq!(got.culture().to_string(), "ru-RU");
    assert_eq!(got.utc_offset().local_minus_utc(), 3 * 3600);
    assert_eq!(got.ignored_values(), 0);

    let layer =
        SessionLayer::new(verifier()).client_headers(ClientHeaders::none().with_utc_offset());
    let got = context(&layer, TRAVELLING);
    assert_eq!(got.culture().to_string(), "ru-RU");
    assert_eq!(got.utc_offset().local_minus_utc(), 19_800);
    assert_eq!(got.utc_offset_source(), ClientSource::Call);
    assert_eq!(got.time_zone(), None);
}

#[test]
fn client_headers_override_the_token() {
    let got = context(&all(), TRAVELLING);
    assert_eq!(got.culture().to_string(), "de-CH");
    assert_eq!(got.ui_culture().to_string(), "fr");
    let zone = got.time_zone().map(|zone| zone.name());
    assert_eq!(zone, cfg!(feature = "time_zone").then_some("Asia/Kolkata"));
    for source in [
        got.culture_source(),
        got.ui_culture_source(),
        got.utc_offset_source(),
    ] {
        assert_eq!(source, ClientSource::Call);
    }
    let session = see(&all(), with(TRAVELLING, bearer(&good_token())), |request| {
        request
            .extensions()
            .get::<tower_session_token::Session>()
            .unwrap()
            .clone()
    })
    .unwrap();
    assert_eq!(session.client_context(), &got);
}

#[test]
fn each_value_is_resolved_independently() {
    let got = context(&all(), &[("client-ui-culture", "fr")]);
    assert_eq!(got.culture().to_string(), "ru-RU");
    assert_eq!(got.culture_source(), ClientSource::Token);
    assert_eq!(got.ui_culture().to_string(), "fr");
    let got = context(&all(), &[("client-culture", "fr")]);
    assert_eq!(
        got.ui_culture().to_string(),
        "fr",
        "within a source the culture stands in"
    );
}

#[test]
fn an_offset_header_replaces_the_zone_of_the_token() {
    let zoned = token(&json!({ "zoneinfo": "Europe/Moscow" }));
    let look = |request: &Request<()>| ClientContext::of(request.extensions()).unwrap().clone();
    let request = with(&[("client-utc-offset", "-03:30")], bearer(&zoned));
    let got = see(&all(), request, look).unwrap();
    assert_eq!(
        (got.time_zone(), got.utc_offset().local_minus_utc()),
        (None, -12_600)
    );
    let got = see(&all(), bearer(&zoned), look).unwrap();
    let zone = got.time_zone().map(|zone| zone.name());
    assert_eq!(zone, cfg!(feature = "time_zone").then_some("Europe/Moscow"));
}

#[test]
fn a_bad_value_is_ignored_and_counted() {
    let long = "a".repeat(600);
    for (name, value) in [
        ("client-culture", "not a tag"),
        ("client-culture", ""),
        ("client-culture", "en_US.UTF-8"),
        ("client-culture", "zh-cmn-Hant"),
        ("client-culture", &long),
        ("client-ui-culture", "i-klingon"),
        ("client-utc-offset", "+5:30"),
        ("client-utc-offset", "+14:01"),
        ("client-utc-offset", "-00:00"),
        ("client-utc-offset", "330"),
        ("client-time-zone", "Mars/Olympus"),
        ("client-time-zone", "../etc/passwd"),
        ("accept-language", &long),
    ] {
        let got = context(&all(), &[(name, value)]);
        assert_eq!(got.ignored_values(), 1, "{name}: {value}");
        assert_eq!(got.culture().to_string(), "ru-RU", "{name}: {value}");
        assert_eq!(
            got.utc_offset().local_minus_utc(),
            3 * 3600,
            "{name}: {value}"
        );
    }
    let twice = [("client-culture", "de"), ("client-culture", "fr")];
    assert_eq!(context(&all(), &twice).ignored_values(), 1);
    let same = [("client-culture", "de"), ("client-culture", "de")];
    assert_eq!(context(&all(), &same).culture().to_string(), "de");
}

#[test]
fn a_tag_of_more_than_64_bytes_is_ignored() {
    // Both are well-formed, and within the limits of tags elsewhere.
    let [longest, too_long] =
        ["abcde", "abcdef"].map(|end| format!("en-x{}-{end}", "-abcdefgh".repeat(6)));
    assert_eq!((longest.len(), too_long.len()), (64, 65));
    for (tag, want, ignored) in [(&longest, longest.as_str(), 0), (&too_long, "ru-RU", 1)] {
        tag.parse::<tower_session_token::Culture>().unwrap();
        let got = context(&all(), &[("client-culture", tag)]);
        assert_eq!(
            (got.culture().as_str(), got.ignored_values()),
            (want, ignored)
        );
    }
}

fn speaking(cultures: &[&str]) -> SessionVerifier {
    let builder = builder().default_culture("en");
    let add =
        |it: tower_session_token::SessionVerifierBuilder, tag: &&str| it.supported_culture(*tag);
    cultures.iter().fold(builder, add).build().unwrap()
}

#[test]
fn the_nearest_supported_culture_is_taken() {
    let layer = SessionLayer::new(speaking(&["de", "fr-CA"])).client_headers(ClientHeaders::all());
    for (headers, want, source) in [
        (&[][..], "en", ClientSource::Default),
        (&[("client-culture", "de-CH")][..], "de", ClientSource::Call),
        (&[("client-culture", "it")][..], "en", ClientSource::Default),
        (
            &[("accept-language", "it, fr-CA;q=0.5, de-AT;q=0.8")][..],
            "de",
            ClientSource::AcceptLanguage,
        ),
        (&[("accept-language", "*")][..], "en", ClientSource::Default),
        (
            &[("client-culture", "it"), ("accept-language", "fr-CA")][..],
            "fr-CA",
            ClientSource::AcceptLanguage,
        ),
        #[cfg(feature = "cldr")]
        (
            &[("client-culture", "fr"), ("accept-language", "de")][..],
            "fr-CA",
            ClientSource::Call,
        ),
        (
            &[("accept-language", "de_AT")][..],
            "de",
            ClientSource::AcceptLanguage,
        ),
        (&[("client-culture", "de_CH")][..], "de", ClientSource::Call),
    ] {
        // The token's ru-RU matches none of them.
        let got = context(&layer, headers);
        assert_eq!(got.culture().to_string(), want, "{headers:?}");
        assert_eq!(got.culture_source(), source, "{headers:?}");
        assert_eq!(got.ignored_values(), 0, "{headers:?}");
    }
}

#[test]
fn the_token_takes_precedence_over_accept_language() {
    let got = context(&all(), &[("accept-language", "de")]);
    assert_eq!(got.culture().to_string(), "ru-RU");
    let optional = all().optional();
    let look = |request: &Request<()>| ClientContext::of(request.extensions()).unwrap().clone();
    let anonymous = with(&[("accept-language", "de, fr;q=0.1")], Request::new(()));
    let got = see(&optional, anonymous, look).unwrap();
    assert_eq!(got.culture().to_string(), "de");
    assert_eq!(got.ui_culture_source(), ClientSource::AcceptLanguage);
}

#[test]
fn without_a_token_the_service_s_defaults_apply() {
    let builder = builder().default_culture("de-CH");
    let offset = FixedOffset::east_opt(3600).unwrap();
    let verifier = builder.default_utc_offset(offset).build().unwrap();
    for client_headers in [ClientHeaders::none(), ClientHeaders::all()] {
        let layer = SessionLayer::new(verifier.clone()).optional();
        let look = |request: &Request<()>| ClientContext::of(request.extensions()).unwrap().clone();
        let layer = layer.client_headers(client_headers);
        let got = see(&layer, Request::new(()), look).unwrap();
        assert_eq!(got.culture().to_string(), "de-CH");
        assert_eq!(got.ui_culture().to_string(), "de-CH");
        assert_eq!(got.utc_offset(), offset);
        assert_eq!(got.culture_source(), ClientSource::Default);
    }
}

#[test]
fn several_fields_of_accept_language_are_one_list() {
    let layer = SessionLayer::new(speaking(&["de", "fr"])).client_headers(ClientHeaders::all());
    let two = [
        ("accept-language", "it, fr;q=0.5"),
        ("accept-language", "de"),
    ];
    assert_eq!(context(&layer, &two).culture().to_string(), "de");
    let long = "it,".repeat(100);
    let too_long = [("accept-language", long.as_str()); 2];
    let got = context(&layer, &too_long);
    assert_eq!((got.culture().as_str(), got.ignored_values()), ("en", 1));
}

/// The response of a handler that sets these headers itself.
fn respond(layer: &SessionLayer, request: Request<()>, own: &'static [(&str, &str)]) -> Answer {
    let service = layer.layer(service_fn(async |_: Request<()>| {
        let mut response = Response::new(Body::default());
        for (name, value) in own {
            response.headers_mut().append(*name, value.parse().unwrap());
        }
        Ok::<_, std::convert::Infallible>(response)
    }));
    answer(futures_executor::block_on(service.oneshot(request)).unwrap())
}

const VARY_ALL: &str =
    "client-culture, client-ui-culture, client-utc-offset, client-time-zone, accept-language";

#[test]
fn vary_names_each_field_that_could_have_decided() {
    let vary = |layer: &SessionLayer, own| {
        let answer = respond(layer, bearer(&good_token()), own);
        let values = answer.headers.get_all(VARY).iter();
        values
            .map(|value| value.to_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert!(vary(&SessionLayer::new(verifier()), &[]).is_empty());
    assert_eq!(vary(&all(), &[]), [VARY_ALL], "sent or not");
    let some = SessionLayer::new(verifier()).client_headers(ClientHeaders::none().with_culture());
    assert_eq!(vary(&some, &[]), ["client-culture"]);
    assert_eq!(
        vary(&some, &[("vary", "Origin, Client-Culture")]),
        ["Origin, Client-Culture"]
    );
    assert_eq!(
        vary(&some, &[("vary", "Origin")]),
        ["Origin", "client-culture"]
    );
    assert_eq!(vary(&all(), &[("vary", "*")]), ["*"]);
}

#[test]
fn content_language_is_the_ui_culture_where_it_was_negotiated() {
    let language = |layer: &SessionLayer, headers: &[(&str, &str)], own| {
        let request = with(headers, bearer(&good_token()));
        respond(layer, request, own)
            .header("content-language")
            .map(str::to_owned)
    };
    let call = &[("client-ui-culture", "fr")][..];
    assert_eq!(language(&all(), &[], &[]), None, "the token alone decided");
    assert_eq!(language(&all(), call, &[]).as_deref(), Some("fr"));
    assert_eq!(
        language(&all(), call, &[("content-language", "de")]).as_deref(),
        Some("de")
    );
    assert_eq!(language(&all(), &[("client-ui-culture", "und")], &[]), None);
    let nothing_said = token(&json!({ "locale": null, "ui_locale": null }));
    let asked = with(&[("accept-language", "fr")], bearer(&nothing_said));
    let answered = respond(&all(), asked, &[]);
    assert_eq!(answered.header("content-language"), Some("fr"));
    let listed = SessionLayer::new(speaking(&["ru", "en"]));
    assert_eq!(language(&listed, &[], &[]).as_deref(), Some("en"));
}
