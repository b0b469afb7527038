//! The builder.

use std::{fmt, future::Future, time::Duration};

use redis::{Client, RedisError, aio::MultiplexedConnection};
use tokio::sync::mpsc;
use tower_session_token::MirroredRevocations;

use crate::{
    connect::{self, Connect},
    error::BuildError,
    revocations::{Driver, RedisRevocations},
    shared::Shared,
    wire::Streams,
    writer::OUTBOX,
};

/// Makes [`RedisRevocations`] and their [`Driver`].
#[must_use = "it does nothing until `build` is called"]
pub struct RedisRevocationsBuilder {
    fleet: String,
    connect: Option<Connect>,
    max_age: Duration,
    replicas: usize,
}

impl RedisRevocations {
    /// A builder for the fleet of this name: the processes that share their revocations.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token_redis::RedisRevocations;
    ///
    /// let (revocations, driver) = RedisRevocations::builder("shop")
    ///     .client(redis::Client::open("redis://127.0.0.1")?)
    ///     .build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder(fleet: &str) -> RedisRevocationsBuilder {
        RedisRevocationsBuilder {
            fleet: fleet.to_owned(),
            connect: None,
            max_age: Duration::from_secs(60),
            replicas: 0,
        }
    }
}

impl RedisRevocationsBuilder {
    /// Connects by this client, with `TCP_NODELAY`.
    ///
    /// TLS (`rediss://`) needs a feature of the crate `redis` and a crypto provider, as it says there.
    pub fn client(mut self, client: Client) -> Self {
        self.connect = Some(connect::by_client(client));
        self
    }

    /// Connects by this function, as by a Sentinel or with credentials that change.
    ///
    /// It is called for each connection, again for ever, and is given three seconds. A response timeout
    /// that the connection has is replaced.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_session_token_redis::RedisRevocations;
    /// let client = redis::Client::open("redis://127.0.0.1")?;
    /// let (revocations, driver) = RedisRevocations::builder("shop")
    ///     .connect_with(move || {
    ///         let client = client.clone();
    ///         async move { client.get_multiplexed_async_connection().await }
    ///     })
    ///     .build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn connect_with<F, C>(mut self, connect: F) -> Self
    where
        F: Fn() -> C + Send + Sync + 'static,
        C: Future<Output = Result<MultiplexedConnection, RedisError>> + Send + 'static,
    {
        self.connect = Some(Box::new(move || Box::pin(connect())));
        self
    }

    /// The age up to which the local copy decides; 60 s unless set, from 3 s to one day.
    ///
    /// It bounds for how long another process' revocation may be missed, and is for how long the engine
    /// may be away without a request being rejected. A failover lasts 10 to 60 seconds.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_session_token_redis::RedisRevocations;
    /// let builder = RedisRevocations::builder("shop").max_age(std::time::Duration::from_secs(5));
    /// ```
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// The number of replicas that have to hold a write before it is acknowledged, and that have to be
    /// online for a read to count; none unless set.
    ///
    /// With one, an acknowledged write is lost only with two nodes, and an old primary that was isolated
    /// stops counting within ten seconds.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower_session_token_redis::RedisRevocations;
    /// let builder = RedisRevocations::builder("shop").replicas(1);
    /// ```
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// Makes the revocations, empty and stale until the driver has read the engine.
    ///
    /// # Errors
    ///
    /// [`BuildError`] for a fleet that is not 1 to 64 of `A-Z a-z 0-9 . _ -`, an age out of range, or
    /// without [`client`](Self::client) and [`connect_with`](Self::connect_with).
    pub fn build(self) -> Result<(RedisRevocations, Driver), BuildError> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !(1..=64).contains(&self.fleet.len()) || !self.fleet.bytes().all(is_name) {
            return Err(BuildError("a fleet is 1 to 64 of A-Z a-z 0-9 . _ -"));
        }
        if !(Duration::from_secs(3)..=Duration::from_secs(86_400)).contains(&self.max_age) {
            return Err(BuildError("the age is from 3 seconds to one day"));
        }
        let connect = self
            .connect
            .ok_or(BuildError("a client, or a way to connect, is missing"))?;
        let (mirror, feed) = MirroredRevocations::new(self.max_age);
        let (sender, outbox) = mpsc::channel(OUTBOX);
        let streams = Streams::new(&self.fleet);
        let shared = Shared::new(mirror, streams, self.replicas, connect, sender);
        Ok((
            RedisRevocations::new(shared.clone()),
            Driver::new(shared, feed, outbox),
        ))
    }
}

impl fmt::Debug for RedisRevocationsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisRevocationsBuilder")
            .field("fleet", &self.fleet)
            .field("max_age", &self.max_age)
            .field("replicas", &self.replicas)
            .finish_non_exhaustive()
    }
}
