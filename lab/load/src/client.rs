//! A client with a persistent connection, and the answers on it.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    aliases::{Failure, Shared},
    keys::Keys,
    report::Report,
    request::{End, Expected, Request, Requests},
};

/// Timeout of an answer.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Client {
    address: SocketAddr,
    keys: Shared<Keys>,
    requests: Shared<Requests>,
    report: Shared<Report>,
}

impl Client {
    pub fn new(
        address: SocketAddr,
        keys: &Shared<Keys>,
        requests: &Shared<Requests>,
        report: &Shared<Report>,
    ) -> Self {
        Self {
            address,
            keys: keys.clone(),
            requests: requests.clone(),
            report: report.clone(),
        }
    }

    /// Sends each request when the one before is answered.
    pub async fn run(self, end: Instant) {
        let mut connection = None;
        while Instant::now() < end {
            let request = self.requests.borrow_mut().any(&self.keys.borrow());
            let start = Instant::now();
            let answer = self.ask(&mut connection, &request).await;
            self.judge(&request, answer, start.elapsed());
        }
    }

    async fn ask(
        &self,
        connection: &mut Option<Connection>,
        request: &Request,
    ) -> Result<Answer, Failure> {
        let mut open = Connection::kept_or_open(connection, self.address).await?;
        let answer = timeout(PATIENCE, open.exchange(&request.bytes)).await??;
        match request.expected {
            Expected::Closed(_) => timeout(PATIENCE, open.until_closed()).await?,
            _ => *connection = Some(open),
        }
        Ok(answer)
    }

    fn judge(&self, request: &Request, answer: Result<Answer, Failure>, took: Duration) {
        let mut report = self.report.borrow_mut();
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return report.wrong(request.kind, error),
        };
        // Its session may have ended while it was under way: then either answer is right.
        let end = request
            .end
            .filter(|end| end.may_have_come(&self.keys.borrow()));
        let is_rejected = |end: End| answer.differs_from(&end.rejection()).is_none();
        match answer.differs_from(&request.expected) {
            Some(how) if !end.is_some_and(is_rejected) => report.wrong(request.kind, how),
            _ if end.is_some() => report.either += 1,
            _ => report.right(request.kind, request.is_hostile, took),
        }
    }
}

pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

pub struct Answer {
    pub status: u16,
    /// `WWW-Authenticate`
    challenge: Option<String>,
    /// `Retry-After`
    retry_after: Option<String>,
    body: String,
}

impl Connection {
    /// The connection that was kept, or a new one.
    pub async fn kept_or_open(
        kept: &mut Option<Self>,
        address: SocketAddr,
    ) -> Result<Self, Failure> {
        match kept.take() {
            Some(open) => Ok(open),
            None => Self::open(address).await,
        }
    }

    pub async fn open(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(4096),
        })
    }

    pub async fn exchange(&mut self, request: &[u8]) -> Result<Answer, Failure> {
        let (mut read, mut write) = self.stream.split();
        // A server that has read enough answers before all is sent, and then may not read on.
        let send = async {
            let _ = write.write_all(request).await;
        };
        let (answer, ()) = tokio::join!(answer(&mut read, &mut self.buffer), send);
        answer
    }

    /// Reads until the server closes or resets the connection.
    async fn until_closed(&mut self) {
        while self
            .stream
            .read_buf(&mut self.buffer)
            .await
            .is_ok_and(|len| len > 0)
        {}
    }

    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.stream.write_all(bytes).await?)
    }

    pub async fn answer(&mut self) -> Result<Answer, Failure> {
        answer(&mut self.stream, &mut self.buffer).await
    }
}

/// Reads the next answer: HTTP/1.1 with a `Content-Length`, as this server writes it.
async fn answer(
    stream: &mut (impl AsyncReadExt + Unpin),
    buffer: &mut Vec<u8>,
) -> Result<Answer, Failure> {
    loop {
        if let Some((answer, len)) = parse(buffer)? {
            buffer.drain(..len);
            return Ok(answer);
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err("the server closed without an answer".into());
        }
    }
}

/// The first complete answer, and its length.
fn parse(bytes: &[u8]) -> Result<Option<(Answer, usize)>, Failure> {
    let Some(head_len) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..head_len])?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status = status.ok_or("the answer has no status")?.parse()?;
    let (mut len, mut challenge, mut retry_after) = (0, None, None);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        if name.eq_ignore_ascii_case("content-length") {
            len = value.parse()?;
        } else if name.eq_ignore_ascii_case("www-authenticate") {
            challenge = Some(value.to_owned());
        } else if name.eq_ignore_ascii_case("retry-after") {
            retry_after = Some(value.to_owned());
        }
    }
    let end = head_len + 4 + len;
    let Some(body) = bytes.get(head_len + 4..end) else {
        return Ok(None);
    };
    let answer = Answer {
        status,
        challenge,
        retry_after,
        body: String::from_utf8(body.to_vec())?,
    };
    Ok(Some((answer, end)))
}

impl Answer {
    /// The difference from the expected answer, if there is one.
    pub fn differs_from(&self, expected: &Expected) -> Option<String> {
        let Self {
            status,
            challenge,
            retry_after,
            body,
        } = self;
        let is_right = match expected {
            Expected::Session(answer) => {
                *status == 200 && challenge.is_none() && **body == **answer
            }
            Expected::Rejected(wanted, code, error) => {
                status == wanted
                    && challenge.as_deref() == Some(&challenge_with(*error))
                    && body.contains(&format!(r#""code":"{code}""#))
            }
            Expected::Unavailable => {
                *status == 503
                    && challenge.is_none()
                    && retry_after.is_some()
                    && body.contains(r#""code":"keys_unavailable""#)
            }
            Expected::Closed(wanted) => status == wanted,
        };
        (!is_right).then(|| format!("{status} {challenge:?} {body}, where {expected:?} is right"))
    }
}

/// The challenge of a service that sets no realm (RFC 6750 §3).
fn challenge_with(error: Option<&str>) -> String {
    let error = error.map_or_else(String::new, |code| format!(r#", error="{code}""#));
    format!(r#"Bearer realm="session"{error}"#)
}
