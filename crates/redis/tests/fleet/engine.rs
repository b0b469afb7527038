//! A real engine in a folder of its own.

use std::{
    env, fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use redis::{Client, FromRedisValue, aio::MultiplexedConnection};

use crate::process::eventually;

pub(crate) struct Engine {
    child: Child,
    folder: PathBuf,
    port: u16,
    /// The file with its configuration, which it writes to.
    sentinel: Option<PathBuf>,
    options: Vec<String>,
}

impl Engine {
    /// Starts an engine that keeps what it acknowledges.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    pub(crate) async fn with(options: &[&str]) -> Self {
        Self::of_kind(None, options).await
    }

    async fn of_kind(sentinel: Option<PathBuf>, options: &[&str]) -> Self {
        let port = free_port();
        let folder = env::temp_dir().join(format!("tst-redis-{}-{port}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let options: Vec<_> = options.iter().map(|option| (*option).to_owned()).collect();
        let child = spawn(&folder, port, sentinel.as_ref(), &options);
        let mut engine = Self {
            child,
            folder,
            port,
            sentinel,
            options,
        };
        engine.answers().await;
        engine
    }

    /// A Sentinel with this configuration.
    pub(crate) async fn sentinel(config: &str) -> Self {
        let path = env::temp_dir().join(format!("tst-sentinel-{}.conf", uuid::Uuid::new_v4()));
        fs::write(&path, config).unwrap();
        Self::of_kind(Some(path), &[]).await
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn client(&self) -> Client {
        Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap()
    }

    pub(crate) async fn connection(&self) -> MultiplexedConnection {
        let client = self.client();
        let mut connection = None;
        for _ in 0..50 {
            connection = client.get_multiplexed_async_connection().await.ok();
            if connection.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut connection = connection.expect("the engine accepts connections");
        connection.set_response_timeout(Duration::from_secs(10));
        connection
    }

    /// Runs a command that is written with blanks.
    pub(crate) async fn run<T: FromRedisValue>(&self, command: &str) -> T {
        let mut words = command.split(' ');
        let mut built = redis::cmd(words.next().unwrap());
        words.for_each(|word| _ = built.arg(word));
        built
            .query_async(&mut self.connection().await)
            .await
            .unwrap()
    }

    async fn answers(&mut self) {
        let client = self.client();
        eventually("the engine answers", Duration::from_secs(20), async || {
            let connection = client.get_multiplexed_async_connection().await;
            let Ok(mut connection) = connection else {
                return false;
            };
            redis::cmd("PING")
                .query_async::<()>(&mut connection)
                .await
                .is_ok()
        })
        .await;
        assert!(
            self.child.try_wait().unwrap().is_none(),
            "another program answers"
        );
    }

    /// As `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again with the data of its folder.
    pub(crate) async fn restart(&mut self) {
        self.child = spawn(
            &self.folder,
            self.port,
            self.sentinel.as_ref(),
            &self.options,
        );
        self.answers().await;
    }

    pub(crate) fn pause(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .arg(signal)
            .arg(self.child.id().to_string())
            .status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
        _ = fs::remove_dir_all(&self.folder);
        self.sentinel
            .iter()
            .for_each(|path| _ = fs::remove_file(path));
    }
}

/// A port that no connection gets by itself, since an engine that is killed leaves it for a while.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let next = std::process::id() * 64 + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(20_000 + next % 12_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn spawn(folder: &PathBuf, port: u16, sentinel: Option<&PathBuf>, options: &[String]) -> Child {
    let program = env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".into());
    let mut command = Command::new(&program);
    match sentinel {
        Some(path) => command.arg(path).arg("--sentinel"),
        None => command
            .args(["--appendonly", "yes", "--save", ""])
            .args(["--repl-diskless-sync-delay", "0"]),
    };
    let spawned = command
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(options)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    spawned.unwrap_or_else(|error| {
        panic!("{program}: {error}; install redis-server, or set REDIS_SERVER")
    })
}
