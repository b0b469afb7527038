//! One connection that is kept, and what comes back on it.

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
    Failure, Shared,
    report::Report,
    request::{Expected, Request, Requests},
    server::Keys,
};

/// Who has to wait for so long was not answered.
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

    /// Sends a request when the one before is answered.
    pub async fn run(self, end: Instant) {
        let mut connection = None;
        while Instant::now() < end {
            let request = self.requests.borrow_mut().any();
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
        let mut open = match connection.take() {
            Some(open) => open,
            None => Connection::open(self.address).await?,
        };
        let exchange = open.exchange(&request.bytes);
        let answer = timeout(PATIENCE, exchange).await??;
        if !matches!(request.expected, Expected::Closed(_)) {
            *connection = Some(open);
        }
        Ok(answer)
    }

    fn judge(&self, request: &Request, answer: Result<Answer, Failure>, took: Duration) {
        let mut report = self.report.borrow_mut();
        // The one time when either answer is right: the machine stood still over two swaps.
        let withdrawn = self.keys.borrow().withdrawn();
        if request.of_swap.is_some_and(|it| it <= withdrawn) {
            report.undecided += 1;
            return;
        }
        let wrong = match answer {
            Ok(answer) => answer.differs_from(&request.expected),
            Err(error) => Some(error.to_string()),
        };
        match wrong {
            None => report.right(request, took),
            Some(how) => report.wrong(request.kind, how),
        }
    }
}

pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

pub struct Answer {
    status: u16,
    body: String,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(4096),
        })
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Answer, Failure> {
        let (mut read, mut write) = self.stream.split();
        // A server that has read enough answers before all is sent, and then may not read on.
        let send = async {
            let _ = write.write_all(request).await;
        };
        let (answer, ()) = tokio::join!(answer(&mut read, &mut self.buffer), send);
        answer
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

/// An answer that is complete, and its length.
fn parse(bytes: &[u8]) -> Result<Option<(Answer, usize)>, Failure> {
    let Some(head_len) = bytes.windows(4).position(|it| it == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..head_len])?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|it| it.split(' ').nth(1));
    let status = status.ok_or("the answer has no status")?.parse()?;
    let len = lines.find_map(|it| {
        let (name, value) = it.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>())
    });
    let end = head_len + 4 + len.transpose()?.unwrap_or_default();
    let Some(body) = bytes.get(head_len + 4..end) else {
        return Ok(None);
    };
    let body = String::from_utf8(body.to_vec())?;
    Ok(Some((Answer { status, body }, end)))
}

impl Answer {
    /// How, if it does.
    pub fn differs_from(&self, expected: &Expected) -> Option<String> {
        let Self { status, body } = self;
        let is_right = match expected {
            Expected::Session(parts) => *status == 200 && parts.iter().all(|it| body.contains(it)),
            Expected::Refused(wanted, code) => {
                status == wanted && body.contains(&format!(r#""code":"{code}""#))
            }
            Expected::Closed(wanted) => status == wanted,
        };
        let start: String = body.chars().take(200).collect();
        (!is_right).then(|| format!("{status} {start}, where {expected:?} is right"))
    }
}
