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

/// `Vary` and `Content-Language` of a response: prepared with the layer, completed for each request.
#[derive(Clone, Debug, Default)]
pub(super) struct NegotiationHeaders {
    vary: Option<HeaderValue>,
    content_language: Option<HeaderValue>,
}

impl NegotiationHeaders {
    pub(super) fn new(client_headers: ClientHeaders) -> Self {
        let names = client_headers.names().map(HeaderValue::from);
        Self {
            vary: names.reduce(|names, name| join(&names, &name)),
            content_language: None,
        }
    }

    /// Completes the headers for a request of this context; `None` where the response needs none.
    ///
    /// `token_field` is the field that the token came in, if that is a cookie (`cookie`) or a
    /// header of its own: its culture could decide too. None for `Authorization`, whose responses
    /// a shared cache does not store (RFC 9111 §3.5).
    pub(super) fn of(
        &self,
        defaults: &ClientDefaults,
        context: &ClientContext,
        token_field: Option<&HeaderName>,
    ) -> Option<Box<Self>> {
        let has_list = defaults.has_supported_list();
        let sources = [context.culture_source(), context.ui_culture_source()];
        let is_negotiated = has_list || self.vary.is_some();
        let token_field = token_field
            .filter(|_| is_negotiated || sources.contains(&ClientSource::Token))
            .map(|field| HeaderValue::from(field.clone()));
        if !is_negotiated && token_field.is_none() {
            return None;
        }
        let [_, ui_source] = sources;
        let by_request = matches!(ui_source, ClientSource::Call | ClientSource::AcceptLanguage);
        let ui_culture = context.ui_culture();
        let language = (has_list || by_request) && !ui_culture.is_invariant();
        Some(Box::new(Self {
            vary: match (&self.vary, token_field) {
                (Some(vary), Some(field)) => Some(join(vary, &field)),
                (vary, field) => vary.clone().or(field),
            },
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
        if let Some(vary) = self.vary {
            add_vary(headers, vary);
        }
        if let Some(language) = self.content_language
            && has_content
            && !is_rejection
            && let Entry::Vacant(entry) = headers.entry(CONTENT_LANGUAGE)
        {
            entry.insert(language);
        }
    }
}

/// Joins two lists of header names.
#[expect(clippy::expect_used, reason = "names of headers are values of headers")]
fn join(names: &HeaderValue, more: &HeaderValue) -> HeaderValue {
    let list = [names.as_bytes(), more.as_bytes()].join(&b", "[..]);
    HeaderValue::try_from(list).expect("names and commas are visible ASCII")
}

/// Appends the names that `Vary` does not list yet (RFC 9110 §12.5.5).
fn add_vary(headers: &mut HeaderMap, ours: HeaderValue) {
    let names = |list: &HeaderValue| -> Vec<String> {
        let list = list.to_str().unwrap_or("");
        let names = list.split(',').map(|name| name.trim().to_ascii_lowercase());
        names.collect()
    };
    let present: Vec<_> = headers.get_all(VARY).iter().flat_map(names).collect();
    if present.is_empty() {
        headers.append(VARY, ours);
    } else if !present.iter().any(|name| name == "*") {
        let mut missing = names(&ours);
        missing.retain(|name| !present.contains(name));
        if let Ok(missing) = HeaderValue::try_from(missing.join(", "))
            && !missing.is_empty()
        {
            headers.append(VARY, missing);
        }
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
            ClientSource::Token => defaults.resolve_token(&hints, now),
            _ => defaults.resolve_call(&ClientContext::default(), &hints, None, 0, now()),
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
            if let Some(headers) = NegotiationHeaders::new(headers).of(defaults, &context, field) {
                headers.apply(&mut response);
            }
            let vary = response.headers().get(VARY);
            assert_eq!(vary.map(|vary| vary.to_str().unwrap()), want, "{name}");
        }
    }

    #[test]
    fn only_a_response_with_content_has_a_language() {
        let no_list = ClientDefaults::default();
        let headers = NegotiationHeaders::new(ClientHeaders::all());
        let context = context(ClientSource::Call, &no_list);
        for (status, want) in [(200, true), (404, true), (204, false), (304, false)] {
            let mut response = Response::builder().status(status).body(()).unwrap();
            headers
                .of(&no_list, &context, None)
                .unwrap()
                .apply(&mut response);
            let language = response.headers().get(CONTENT_LANGUAGE);
            assert_eq!(language.is_some(), want, "{status}");
            assert!(response.headers().contains_key(VARY), "{status}");
        }
    }
}
