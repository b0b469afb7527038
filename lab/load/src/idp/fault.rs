//! The faults of a provider.

/// A wrong response.
pub struct Fault {
    pub name: &'static str,
    /// What is sent at once.
    pub start: Vec<u8>,
    pub rest: Rest,
}

#[derive(Clone, Copy)]
pub enum Rest {
    /// The connection is closed.
    Closed,
    /// Nothing more comes, and the connection stays open.
    Silence,
    /// A space comes each second.
    Trickle,
    /// Spaces come without end, in chunks of 4 KiB.
    Endless,
}

/// Every fault in turn; `set` is the set that a good response would have.
pub fn all(set: &str) -> Vec<Fault> {
    let closed = |name, start: String| Fault {
        name,
        start: start.into_bytes(),
        rest: Rest::Closed,
    };
    let open = |name, start: &str, rest| Fault {
        name,
        start: start.as_bytes().to_vec(),
        rest,
    };
    let body = |name, body: &str| closed(name, response("200 OK", "", body));
    let status = |name, status, fields| closed(name, response(status, fields, set));
    let announced = response("200 OK", "", set);
    let half = announced[..announced.len() - set.len() / 2].to_owned();
    let short = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{set}",
        set.len() / 2
    );
    let twice = set.replacen('{', r#"{"keys":[],"#, 1);
    let large = format!("{set}{}", " ".repeat(257 << 10));
    let nested = "[".repeat(1000);
    let secret = format!(
        r#"{{"keys":[{{"kty":"oct","alg":"HS256","k":"{}"}}]}}"#,
        "A".repeat(43)
    );
    const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    vec![
        open("black hole", "", Rest::Silence),
        status(
            "500 with max-age",
            "500 Internal Server Error",
            "Cache-Control: max-age=86400\r\n",
        ),
        body("HTML", "<html>"),
        closed("cut in the middle", half),
        status("429", "429 Too Many Requests", "Retry-After: 2\r\n"),
        body("no key", r#"{"keys":[]}"#),
        open("silence after the header", HEAD, Rest::Silence),
        closed("length too short", short),
        body("member twice", &twice),
        status("503", "503 Service Unavailable", "Retry-After: 1\r\n"),
        open("a byte a second", HEAD, Rest::Trickle),
        body("no members", "{}"),
        status("404", "404 Not Found", ""),
        open("chunks without end", CHUNKED, Rest::Endless),
        body("a list", "[]"),
        status(
            "redirect",
            "302 Found",
            "Location: https://other.example.com/jwks\r\n",
        ),
        closed("closed at once", String::new()),
        body("257 KiB", &large),
        body("keys as an object", r#"{"keys":{}}"#),
        closed("no content", "HTTP/1.1 204 No Content\r\n\r\n".to_owned()),
        body("nested", &nested),
        status("not modified", "304 Not Modified", ""),
        body("a secret", &secret),
    ]
}

/// A response after which the connection is closed.
pub fn response(status: &str, fields: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{fields}\r\n{body}",
        body.len()
    )
}
