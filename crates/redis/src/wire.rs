//! The streams, and what is written to them.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use redis::{
    Cmd, FromRedisValue, Pipeline, RedisResult, Value, aio::MultiplexedConnection, cmd, pipe,
};
use tower_session_token::Revocation;

/// The streams of a fleet: name, and how far ahead the `until` of their revocations is at most.
const STREAMS: [(&str, u64); 3] = [("1h", 3600), ("1d", 86_400), ("8d", 8 * 86_400)];
/// An entry is kept for so much longer: lists add five minutes, and clocks may differ by as much.
const MARGIN: Duration = Duration::from_secs(600);
/// The most entries that one read returns of a stream, so that decoding them holds a thread for less than
/// a millisecond.
const PAGE: usize = 250;
/// The field of an entry, and the version of its value.
const FIELD: &str = "r";
const MAX_TEXT: usize = 4096;

/// The id of a stream's entry: the engine's time in milliseconds, and a number.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Id {
    pub(crate) millis: u64,
    number: u64,
}

impl Id {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (millis, number) = text.split_once('-')?;
        let (millis, number) = (millis.parse().ok()?, number.parse().ok()?);
        Some(Self { millis, number })
    }
}

/// The last entry that was read of each stream.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cursors(pub(crate) [Id; 3]);

impl Cursors {
    pub(crate) fn advance(&mut self, to: &Self) {
        for (id, to) in self.0.iter_mut().zip(&to.0) {
            *id = (*id).max(*to);
        }
    }

    /// Whether each is at least the other's.
    pub(crate) fn reach(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(id, other)| other <= id)
    }
}

/// The keys of a fleet's streams.
pub(crate) struct Streams {
    keys: [String; 3],
}

/// The reply to one read.
pub(crate) struct Page {
    /// The readable entries.
    pub(crate) revocations: Vec<Revocation>,
    pub(crate) unreadable: u64,
    /// The last entry of each stream, as far as it was read.
    pub(crate) cursors: Cursors,
    /// Whether a stream has more.
    pub(crate) is_full: bool,
    /// Whether an entry that was read before is gone, though it was not due to be trimmed.
    pub(crate) has_lost: bool,
    /// Whether the node is a primary.
    pub(crate) is_primary: bool,
    /// The replicas that have confirmed within the last ten seconds.
    pub(crate) replicas: usize,
}

impl Streams {
    pub(crate) fn new(fleet: &str) -> Self {
        Self {
            keys: STREAMS.map(|(name, _)| format!("tst:{{{fleet}}}:rev:{name}")),
        }
    }

    /// The stream for a revocation, and the text to write; `None` if no stream outlasts it.
    fn place(revocation: &Revocation) -> Option<(usize, String)> {
        let ahead = revocation.until() - Utc::now();
        let lasts = |seconds: u64| ahead.to_std().unwrap_or_default().as_secs() <= seconds;
        let stream = STREAMS.iter().position(|(_, seconds)| lasts(*seconds))?;
        let text = revocation.to_string();
        (text.len() <= MAX_TEXT).then_some((stream, text))
    }

    pub(crate) fn can_hold(revocation: &Revocation) -> bool {
        Self::place(revocation).is_some()
    }

    /// Adds them, and returns the last id of each stream and the number of replicas that have confirmed
    /// it, which is waited for where `replicas` are wanted.
    pub(crate) async fn add(
        &self,
        connection: &mut MultiplexedConnection,
        revocations: impl Iterator<Item = &Revocation>,
        replicas: usize,
    ) -> RedisResult<(Cursors, usize)> {
        let mut pipe = pipe();
        let mut streams = Vec::new();
        for (stream, text) in revocations.filter_map(Self::place) {
            pipe.cmd("XADD")
                .arg(&self.keys[stream])
                .arg("*")
                .arg(FIELD)
                .arg(text);
            streams.push(stream);
        }
        if replicas > 0 {
            pipe.cmd("WAIT").arg(replicas).arg(1000);
        }
        let mut replies: Vec<Value> = query(connection, &pipe).await?;
        let confirmed = match replies.pop_if(|_| replicas > 0) {
            Some(reply) => usize::from_redis_value(reply)?,
            None => 0,
        };
        let mut last = Cursors::default();
        for (stream, reply) in streams.into_iter().zip(replies) {
            if let Some(id) = Id::parse(&String::from_redis_value(reply)?) {
                last.0[stream] = id;
            }
        }
        Ok((last, confirmed))
    }

    /// Drops what all lists have dropped at `now`, the engine's time in milliseconds.
    pub(crate) async fn trim(
        &self,
        connection: &mut MultiplexedConnection,
        now: u64,
    ) -> RedisResult<()> {
        let mut pipe = pipe();
        for (key, (_, seconds)) in self.keys.iter().zip(STREAMS) {
            let oldest = now.saturating_sub(kept_for(seconds));
            pipe.cmd("XTRIM").arg(key).arg("MINID").arg("~").arg(oldest);
        }
        query(connection, &pipe).await
    }

    /// Reads what is behind the cursors, or waits for it for up to `wait`. The entries at the cursors are
    /// looked for *after* that, so that a loss in between is seen, by this read or the next.
    pub(crate) async fn read(
        &self,
        connection: &mut MultiplexedConnection,
        cursors: &Cursors,
        wait: Duration,
    ) -> RedisResult<Page> {
        let ids = cursors.0.map(|id| format!("{}-{}", id.millis, id.number));
        let mut read = cmd("XREAD");
        read.arg("COUNT")
            .arg(PAGE)
            .arg("BLOCK")
            .arg(wait.as_millis().to_string());
        read.arg("STREAMS").arg(&self.keys).arg(&ids);
        let mut pipe = pipe();
        pipe.add_command(read);
        for (key, id) in self.keys.iter().zip(&ids) {
            pipe.cmd("XRANGE").arg(key).arg(id).arg(id);
        }
        pipe.cmd("INFO").arg("replication");
        let (reply, a, b, c, info): (Value, Value, Value, Value, String) =
            query(connection, &pipe).await?;
        let mut page = Page {
            revocations: Vec::new(),
            unreadable: 0,
            cursors: *cursors,
            is_full: false,
            has_lost: false,
            is_primary: info.lines().any(|line| line == "role:master"),
            replicas: info.lines().filter(|line| is_replica(line)).count(),
        };
        for (stream, entry) in [a, b, c].iter().enumerate() {
            if items(entry).is_empty() && cursors.0[stream] != Id::default() {
                page.has_lost |= !is_trimmed(cursors.0[stream], STREAMS[stream].1);
                page.cursors.0[stream] = Id::default();
            }
        }
        for (key, entries) in pairs(&reply) {
            let Some(stream) = self.keys.iter().position(|own| text(key) == Some(own)) else {
                continue;
            };
            let entries = items(entries);
            page.is_full |= entries.len() >= PAGE;
            for entry in entries {
                let [id, fields] = items(entry) else {
                    continue;
                };
                if let Some(id) = text(id).and_then(Id::parse) {
                    page.cursors.0[stream] = id;
                }
                match parse(fields) {
                    Some(revocation) => page.revocations.push(revocation),
                    None => page.unreadable += 1,
                }
            }
        }
        Ok(page)
    }
}

/// Whether the engine may drop the streams to make room.
pub(crate) async fn evicts(connection: &mut MultiplexedConnection) -> RedisResult<bool> {
    let info: String = query_one(connection, cmd("INFO").arg("memory")).await?;
    Ok(info
        .lines()
        .any(|line| line.starts_with("maxmemory_policy:allkeys")))
}

pub(crate) async fn ping(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    query_one(connection, &cmd("PING")).await
}

async fn query<T: FromRedisValue>(
    connection: &mut MultiplexedConnection,
    pipe: &Pipeline,
) -> RedisResult<T> {
    pipe.query_async(connection).await
}

async fn query_one<T: FromRedisValue>(
    connection: &mut MultiplexedConnection,
    command: &Cmd,
) -> RedisResult<T> {
    command.query_async(connection).await
}

/// The elements of an array, and of nothing none.
fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        _ => &[],
    }
}

/// The pairs of an array of arrays, or of a map (RESP3).
fn pairs(value: &Value) -> Vec<(&Value, &Value)> {
    match value {
        Value::Map(pairs) => pairs.iter().map(|(key, value)| (key, value)).collect(),
        _ => {
            let pairs = items(value).iter().map(items);
            pairs
                .filter_map(|pair| pair.first().zip(pair.get(1)))
                .collect()
        }
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => str::from_utf8(bytes).ok(),
        _ => None,
    }
}

fn parse(fields: &Value) -> Option<Revocation> {
    let mut pairs = items(fields).chunks_exact(2);
    let value = pairs.find_map(|pair| match pair {
        [field, value] if text(field) == Some(FIELD) => text(value),
        _ => None,
    })?;
    (value.len() <= MAX_TEXT).then(|| value.parse().ok())?
}

/// Whether a line is such as `slave0:ip=10.0.0.2,port=6379,state=online,offset=14,lag=0`, which Valkey
/// writes with more fields.
fn is_replica(line: &str) -> bool {
    let Some((name, fields)) = line.split_once(':') else {
        return false;
    };
    let has = |wanted: &dyn Fn(&str, &str) -> bool| {
        let mut pairs = fields.split(',').filter_map(|field| field.split_once('='));
        pairs.any(|(name, value)| wanted(name, value))
    };
    name.starts_with("slave")
        && has(&|name, value| name == "state" && value == "online")
        && has(&|name, value| name == "lag" && value.parse().is_ok_and(|lag: u64| lag <= 10))
}

fn is_trimmed(id: Id, seconds: u64) -> bool {
    let millis = i64::try_from(id.millis.saturating_add(kept_for(seconds))).ok();
    let over = millis.and_then(DateTime::<Utc>::from_timestamp_millis);
    over.is_some_and(|over| over < Utc::now() + TimeDelta::seconds(120))
}

/// How long an entry of a stream is kept, in milliseconds.
fn kept_for(seconds: u64) -> u64 {
    seconds
        .saturating_mul(1000)
        .saturating_add(u64::try_from(MARGIN.as_millis()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_counts_while_it_is_online_and_confirms() {
        for (line, counts) in [
            (
                "slave0:ip=10.0.0.2,port=6379,state=online,offset=14,lag=0",
                true,
            ),
            (
                "slave12:ip=::1,port=6379,state=online,offset=14,lag=10,type=replica",
                true,
            ),
            (
                "slave0:ip=10.0.0.2,port=6379,state=online,offset=14,lag=11",
                false,
            ),
            (
                "slave0:ip=10.0.0.2,port=6379,state=wait_bgsave,offset=0,lag=0",
                false,
            ),
            ("slave0:ip=10.0.0.2,port=6379,state=online,offset=14", false),
            ("slave_repl_offset:14", false),
            ("connected_slaves:1", false),
            ("", false),
        ] {
            assert_eq!(is_replica(line), counts, "{line}");
        }
    }

    #[test]
    fn an_id_is_two_numbers() {
        let id = Id::parse("1768478400000-7").unwrap();
        assert_eq!((id.millis, id.number), (1_768_478_400_000, 7));
        for text in [
            "",
            "1",
            "-1",
            "1-",
            "x-1",
            "1-x",
            "1--1",
            "99999999999999999999-0",
        ] {
            assert_eq!(Id::parse(text), None, "{text}");
        }
        let (low, high) = (
            Id {
                millis: 9,
                number: 9,
            },
            Id {
                millis: 10,
                number: 0,
            },
        );
        assert!(low < high);
    }

    #[test]
    fn a_revocation_is_placed_in_the_first_stream_that_outlasts_it() {
        let placed = |ahead: TimeDelta| {
            let id = tower_session_token::SessionId::from("s");
            let revocation = Revocation::session("https://id.example.com", &id, Utc::now() + ahead);
            Streams::place(&revocation).map(|(stream, _)| STREAMS[stream].0)
        };
        for (ahead, stream) in [
            (TimeDelta::hours(-1), Some("1h")),
            (TimeDelta::hours(1), Some("1h")),
            (TimeDelta::minutes(61), Some("1d")),
            (TimeDelta::days(1), Some("1d")),
            (TimeDelta::days(8), Some("8d")),
            (TimeDelta::days(8) + TimeDelta::minutes(1), None),
        ] {
            assert_eq!(placed(ahead), stream, "{ahead}");
        }
        let long = "x".repeat(5000);
        let id = tower_session_token::SessionId::from(&*long);
        let revocation = Revocation::session("https://id.example.com", &id, Utc::now());
        assert!(!Streams::can_hold(&revocation));
    }
}
