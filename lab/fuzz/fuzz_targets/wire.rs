//! Replies of an engine, whole or broken, to the driver of a fleet's revocations: nothing panics, what is
//! listed was sent, what was sent in a form that can be read is listed and stays so, and nothing is fresh
//! unless a primary has answered.
//!
//! An input is the replies to one read after the other. The clock of the driver's pauses is paused.

#![no_main]

use std::{
    cell::LazyCell,
    collections::{BTreeSet, VecDeque},
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use redis::{RedisConnectionInfo, RedisError, aio::MultiplexedConnection};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    runtime::{Builder, Runtime},
    sync::Notify,
};
use tower_session_token_redis::RedisRevocations;

static INFO: LazyLock<RedisConnectionInfo> = LazyLock::new(RedisConnectionInfo::default);

#[derive(Arbitrary, Debug)]
struct Input {
    evicts: bool,
    pages: Vec<Page>,
}

/// The replies to one read.
#[derive(Arbitrary, Debug)]
struct Page {
    entries: Reply,
    /// The entries at the cursors.
    at_cursors: [Reply; 3],
    role: Role,
}

#[derive(Arbitrary, Debug)]
enum Reply {
    Nil,
    /// The entries of each stream.
    Streams([Vec<Entry>; 3]),
    Entries(Vec<Entry>),
    Error,
    /// The bytes that are sent.
    Raw(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
enum Role {
    Primary,
    Replica,
    Text(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
struct Entry {
    id: Id,
    fields: Vec<Field>,
}

#[derive(Arbitrary, Debug)]
enum Id {
    Good(u64, u8),
    Bytes(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
enum Field {
    /// The field of a revocation, and the session that it names.
    Good(u8),
    /// The field of a revocation, with these bytes.
    Ours(Vec<u8>),
    Other(Vec<u8>, Vec<u8>),
    Name(Vec<u8>),
}

thread_local! {
    static RUNTIME: LazyCell<Runtime> = const { LazyCell::new(runtime) };
}

fn runtime() -> Runtime {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build();
    runtime.expect("a runtime is made")
}

/// What is left to answer, and what has been answered.
struct Engine {
    evicts: bool,
    pages: VecDeque<Page>,
    sent: Vec<u8>,
    /// The sessions of entries that can be read, in a page all of which can be.
    expected: BTreeSet<u8>,
    /// Bytes were sent that may shift all replies that follow.
    is_shifted: bool,
}

fuzz_target!(|data: &[u8]| {
    let Ok(input) = Input::arbitrary(&mut Unstructured::new(data)) else {
        return;
    };
    RUNTIME.with(|runtime| runtime.block_on(run(input)));
});

async fn run(input: Input) {
    let engine = Arc::new(Mutex::new(Engine {
        evicts: input.evicts,
        pages: input.pages.into(),
        sent: Vec::new(),
        expected: BTreeSet::new(),
        is_shifted: false,
    }));
    let is_over = Arc::new(Notify::new());
    let connect = {
        let (engine, is_over) = (Arc::clone(&engine), Arc::clone(&is_over));
        move || connect(Arc::clone(&engine), Arc::clone(&is_over))
    };
    let builder = RedisRevocations::builder("shop").connect_with(connect);
    let (revocations, driver) = builder.build().expect("the configuration is sound");
    // An engine that evicts is not read.
    let longest = Duration::from_secs(if input.evicts { 1 } else { 300 });
    let over = async {
        _ = tokio::time::timeout(longest, is_over.notified()).await;
    };
    driver.run(over).await;

    let engine = engine.lock().expect("no server panics");
    let mut listed = BTreeSet::new();
    let sent = String::from_utf8_lossy(&engine.sent);
    revocations.mirror().list().for_each(|revocation| {
        let text = revocation.to_string();
        let good = (0..=u8::MAX).find(|number| good(*number) == text);
        listed.extend(good);
        // Another spelling of it may have been sent.
        assert!(good.is_some() || sent.contains("kind"), "{text}");
    });
    assert!(engine.expected.is_subset(&listed), "{:?}", engine.expected);
    if revocations.mirror().age().is_some() {
        assert!(sent.contains("role:master") && !engine.evicts);
    }
    assert!(!engine.evicts || listed.is_empty());
}

fn good(number: u8) -> String {
    format!(
        r#"{{"kind":"session","iss":"https://id.example.com","id":"s-{number}","until":4102444800000}}"#
    )
}

async fn connect(
    engine: Arc<Mutex<Engine>>,
    is_over: Arc<Notify>,
) -> Result<MultiplexedConnection, RedisError> {
    let (client, server) = duplex(8192);
    tokio::spawn(serve(server, engine, is_over));
    let (connection, driver) = MultiplexedConnection::new(&INFO, client).await?;
    tokio::spawn(driver);
    Ok(connection)
}

/// Answers the commands of a connection, until there are no more pages.
async fn serve(mut stream: DuplexStream, engine: Arc<Mutex<Engine>>, is_over: Arc<Notify>) {
    let (mut read, mut page) = (Vec::new(), None);
    loop {
        while let Some(words) = command(&mut read) {
            let reply = {
                let mut engine = engine.lock().expect("no server panics");
                engine.answer(&words, &mut page)
            };
            let Some(reply) = reply else {
                is_over.notify_one();
                return;
            };
            if stream.write_all(&reply).await.is_err() {
                return;
            }
        }
        match stream.read_buf(&mut read).await {
            Ok(1..) => {}
            _ => return,
        }
    }
}

/// Takes a command off the front, if all of it is there.
fn command(read: &mut Vec<u8>) -> Option<Vec<String>> {
    let mut lines = Lines { read, at: 0 };
    let count: usize = lines.number(b'*')?;
    let mut words = Vec::new();
    for _ in 0..count {
        let length = lines.number(b'$')?;
        let word = lines.read.get(lines.at..lines.at + length)?;
        words.push(String::from_utf8_lossy(word).into_owned());
        lines.at += length + 2;
    }
    let end = lines.at;
    (end <= read.len()).then(|| _ = read.drain(..end))?;
    Some(words)
}

struct Lines<'a> {
    read: &'a [u8],
    at: usize,
}

impl Lines<'_> {
    fn number(&mut self, sign: u8) -> Option<usize> {
        let rest = self.read.get(self.at..)?;
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let number = rest[..end].strip_prefix(&[sign])?;
        self.at += end + 2;
        str::from_utf8(number).ok()?.parse().ok()
    }
}

impl Engine {
    /// `None` closes the connection. A page is begun by its first command, and kept until its last.
    fn answer(&mut self, words: &[String], page: &mut Option<(Page, usize)>) -> Option<Vec<u8>> {
        let reply = match &*words[0] {
            "XREAD" => {
                let next = self.pages.pop_front()?;
                let is_raw = |reply: &Reply| matches!(reply, Reply::Raw(_));
                self.is_shifted |= is_raw(&next.entries) || next.at_cursors.iter().any(is_raw);
                let reply = next.entries.bytes();
                *page = Some((next, 0));
                reply
            }
            "XRANGE" => {
                let (page, at) = page.as_mut()?;
                *at += 1;
                page.at_cursors[(*at - 1) % 3].bytes()
            }
            "INFO" if words.get(1).is_some_and(|word| word == "memory") => {
                let policy = if self.evicts {
                    "allkeys-lru"
                } else {
                    "noeviction"
                };
                bulk(format!("maxmemory_policy:{policy}\r\n").as_bytes())
            }
            "INFO" => {
                let (page, _) = page.take()?;
                self.note(&page);
                match page.role {
                    Role::Primary => bulk(b"# Replication\r\nrole:master\r\n"),
                    Role::Replica => bulk(b"# Replication\r\nrole:slave\r\n"),
                    Role::Text(text) => bulk(&text),
                }
            }
            "XADD" => bulk(b"1-1"),
            "XTRIM" | "WAIT" => b":0\r\n".to_vec(),
            _ => b"+OK\r\n".to_vec(),
        };
        self.sent.extend_from_slice(&reply);
        Some(reply)
    }

    /// Notes what the driver has to list after this page.
    fn note(&mut self, page: &Page) {
        // An error is one of the whole read.
        let is_error = |reply: &Reply| matches!(reply, Reply::Error);
        let are_whole = !page.at_cursors.iter().any(is_error) && !is_error(&page.entries);
        if !are_whole || !matches!(page.role, Role::Primary) || self.is_shifted {
            return;
        }
        if let Reply::Streams(streams) = &page.entries {
            let entries = streams.iter().flatten();
            self.expected
                .extend(entries.filter_map(|entry| match entry.fields.first() {
                    Some(Field::Good(number)) => Some(*number),
                    _ => None,
                }));
        }
    }
}

impl Reply {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Nil => b"*-1\r\n".to_vec(),
            Self::Streams(streams) => {
                let names = ["1h", "1d", "8d"].map(|name| format!("tst:{{shop}}:rev:{name}"));
                let streams = names.iter().zip(streams).map(|(name, entries)| {
                    array([
                        bulk(name.as_bytes()),
                        array(entries.iter().map(Entry::bytes)),
                    ])
                });
                array(streams)
            }
            Self::Entries(entries) => array(entries.iter().map(Entry::bytes)),
            Self::Error => b"-ERR no\r\n".to_vec(),
            Self::Raw(bytes) => bytes.clone(),
        }
    }
}

impl Entry {
    fn bytes(&self) -> Vec<u8> {
        let id = match &self.id {
            Id::Good(millis, number) => bulk(format!("{millis}-{number}").as_bytes()),
            Id::Bytes(bytes) => bulk(bytes),
        };
        let fields = self.fields.iter().flat_map(|field| match field {
            Field::Good(number) => vec![bulk(b"r"), bulk(good(*number).as_bytes())],
            Field::Ours(bytes) => vec![bulk(b"r"), bulk(bytes)],
            Field::Other(name, value) => vec![bulk(name), bulk(value)],
            Field::Name(name) => vec![bulk(name)],
        });
        array([id, array(fields)])
    }
}

fn bulk(bytes: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn array(items: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let items: Vec<_> = items.into_iter().collect();
    let mut all = format!("*{}\r\n", items.len()).into_bytes();
    items.into_iter().for_each(|item| all.extend(item));
    all
}
