//! The response headers `Vary` and `Content-Language` of content negotiation (RFC 9110 §12).

use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_LANGUAGE, Entry, VARY},
};

use super::client_headers::ClientHeaders;
use crate::{
    client::{ClientContext, ClientDefaults, ClientSource},
    error::SessionError,
};

/// `Vary` and `Content-Language` of a response.
pub(super) struct NegotiationHeaders {
    /// Names joined by `, `; empty if there is none.
    vary: String,
    content_language: Option<HeaderValue>,
}

impl NegotiationHeaders {
    /// The headers for a request of this context; `None` where the response needs none.
    ///
    /// `token_field` is the field that the token came in, if that is a cookie (`cookie`) or a
    /// header of its own: its culture could decide too. None for `Authorization`, whose responses
    /// a shared cache does not store (RFC 9111 §3.5).
    pub(super) fn of(
        client_headers: ClientHeaders,
        defaults: &ClientDefaults,
        context: &ClientContext,
        token_field: Option<&HeaderName>,
    ) -> Option<Box<Self>> {
        let has_list = defaults.has_supported_list();
        let is_negotiated = has_list || client_headers != ClientHeaders::none();
        if !is_negotiated && token_field.is_none() {
            return None;
        }
        let sources @ [_, ui_source] = [context.culture_source(), context.ui_culture_source()];
        if !is_negotiated && !sources.contains(&ClientSource::Token) {
            return None;
        }
        let by_request = matches!(ui_source, ClientSource::Call | ClientSource::AcceptLanguage);
        let ui_culture = context.ui_culture();
        let language = (has_list || by_request) && !ui_culture.is_invariant();
        let enabled = client_headers.enabled().map(HeaderName::as_str);
        let mut names: Vec<&str> = enabled.collect();
        names.extend(token_field.map(HeaderName::as_str));
        Some(Box::new(Self {
            vary: names.join(", "),
            content_language: language
                .then(|| HeaderValue::try_from(ui_culture.as_str()).ok())
                .flatten(),
        }))
    }

    /// Adds the headers to those of the handler. A rejection by an inner layer gets no language, since
    /// its body is constant, and neither does a response without content.
    pub(super) fn apply<B>(self, response: &mut Response<B>) {
        let has_content = !matches!(
            response.status(),
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
        let is_rejection = response.extensions().get::<SessionError>().is_some();
        let headers = response.headers_mut();
        add_vary(headers, &self.vary);
        if let Some(language) = self.content_language
            && has_content
            && !is_rejection
            && let Entry::Vacant(entry) = headers.entry(CONTENT_LANGUAGE)
        {
            entry.insert(language);
        }
    }
}

/// Appends the names that `Vary` does not list yet (RFC 9110 §12.5.5).
fn add_vary(headers: &mut HeaderMap, names: &str) {
    let present = headers.get_all(VARY).iter();
    let present: Vec<_> = present
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(',').map(str::trim))
        .collect();
    let is_present = |name: &&str| {
        let mut present = present.iter();
        present.any(|other| *other == "*" || other.eq_ignore_ascii_case(name))
    };
    let missing = names.split(", ").filter(|name| !is_present(name));
    let missing = missing.collect::<Vec<_>>().join(", ");
    if let Ok(missing) = HeaderValue::try_from(missing)
        && !missing.is_empty()
    {
        headers.append(VARY, missing);
    }
}

#[cfg(test)]
mod tests {
    use http::header::COOKIE;

    use super::*;
    use crate::client::ClientHints;

    fn context(source: ClientSource, defaults: &ClientDefaults) -> ClientContext {
        let hints = ClientHints {
            culture: Some("de-CH".parse().unwrap()),
            ..ClientHints::default()
        };
        let now = Default::default;
        match source {
            ClientSource::Token => defaults.resolve_token(hints, now),
            _ => defaults.resolve_call(&ClientContext::default(), hints, None, 0, now()),
        }
    }

    #[test]
    fn the_field_of_the_token_is_named_where_its_culture_could_decide() {
        let own = HeaderName::from_static("x-session");
        let (none, culture) = (ClientHeaders::none(), ClientHeaders::none().with_culture());
        let mut list = ClientDefaults::default();
        list.support("fr".parse().unwrap());
        let no_list = ClientDefaults::default();
        for (name, headers, defaults, source, field, want) in [
            (
                "cookie",
                none,
                &no_list,
                ClientSource::Token,
                Some(&COOKIE),
                Some("cookie"),
            ),
            (
                "own header",
                none,
                &no_list,
                ClientSource::Token,
                Some(&own),
                Some("x-session"),
            ),
            ("bearer", none, &no_list, ClientSource::Token, None, None),
            (
                "no culture in it",
                none,
                &no_list,
                ClientSource::Default,
                Some(&COOKIE),
                None,
            ),
            (
                "list",
                none,
                &list,
                ClientSource::Default,
                Some(&COOKIE),
                Some("cookie"),
            ),
            (
                "call",
                culture,
                &no_list,
                ClientSource::Call,
                Some(&COOKIE),
                Some("client-culture, cookie"),
            ),
            (
                "header on",
                culture,
                &no_list,
                ClientSource::Default,
                None,
                Some("client-culture"),
            ),
        ] {
            let context = match source {
                ClientSource::Default => ClientContext::default(),
                _ => context(source, defaults),
            };
            let mut response = Response::new(());
            if let Some(headers) = NegotiationHeaders::of(headers, defaults, &context, field) {
                headers.apply(&mut response);
            }
            let vary = response.headers().get(VARY);
            assert_eq!(vary.map(|vary| vary.to_str().unwrap()), want, "{name}");
        }
    }

    #[test]
    fn only_a_response_with_content_has_a_language() {
        let no_list = ClientDefaults::default();
        let context = context(ClientSource::Call, &no_list);
        for (status, want) in [(200, true), (404, true), (204, false), (304, false)] {
            let mut response = Response::builder().status(status).body(()).unwrap();
            NegotiationHeaders::of(ClientHeaders::all(), &no_list, &context, None)
                .unwrap()
                .apply(&mut response);
            let language = response.headers().get(CONTENT_LANGUAGE);
            assert_eq!(language.is_some(), want, "{status}");
            assert!(response.headers().contains_key(VARY), "{status}");
        }
    }
}
