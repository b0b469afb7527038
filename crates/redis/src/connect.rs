//! Connections, and the pauses between them.

use std::{
    future::Future,
    hash::{BuildHasher, Hasher, RandomState},
    pin::Pin,
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, RedisError, aio::MultiplexedConnection, io::tcp::TcpSettings,
};
use tokio::time;

use crate::health::Problem;

type Connecting = Pin<Box<dyn Future<Output = Result<MultiplexedConnection, RedisError>> + Send>>;
pub(crate) type Connect = Box<dyn Fn() -> Connecting + Send + Sync>;

/// The time that a command may take, the second for which a read blocks included.
const DEADLINE: Duration = Duration::from_secs(2);
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);

pub(crate) fn by_client(client: Client) -> Connect {
    Box::new(move || {
        let info = client.get_connection_info().clone();
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        Box::pin(async move {
            let config =
                AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_DEADLINE));
            let client = Client::open(info)?;
            client
                .get_multiplexed_async_connection_with_config(&config)
                .await
        })
    })
}

pub(crate) async fn open(connect: &Connect) -> Result<MultiplexedConnection, Problem> {
    let connecting = time::timeout(CONNECT_DEADLINE, connect());
    let mut connection = connecting.await.map_err(|_| Problem::TimedOut)??;
    connection.set_response_timeout(DEADLINE);
    Ok(connection)
}

/// Pauses of a random length, up to 0.1 s after the first failure and up to 1.5 s after the fifth.
#[derive(Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    pub(crate) async fn pause(&mut self) {
        let longest = Duration::from_millis(100).saturating_mul(1 << self.failures.min(4));
        self.failures = self.failures.saturating_add(1);
        time::sleep(random_up_to(longest.min(Duration::from_millis(1500)))).await;
    }
}

/// A duration from zero to `longest`, to the millisecond.
pub(crate) fn random_up_to(longest: Duration) -> Duration {
    let random = u128::from(RandomState::new().build_hasher().finish());
    let millis = random % (longest.as_millis() + 1);
    Duration::from_millis(u64::try_from(millis).unwrap_or_default())
}
