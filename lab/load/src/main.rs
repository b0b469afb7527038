//! Drives the example server at full load, a part of it hostile, and sees whether each answer is right.
//!
//! `scripts/load` builds the server and runs this.

use std::{
    cell::RefCell,
    ffi::OsStr,
    process::ExitCode,
    rc::Rc,
    time::{Duration, Instant, SystemTime},
};

use tokio::{
    signal::{
        ctrl_c,
        unix::{SignalKind, signal},
    },
    task::{JoinSet, LocalSet},
    time::{MissedTickBehavior, interval_at, sleep, timeout},
};

mod aliases;
mod client;
mod hindrance;
mod keys;
mod report;
mod request;
mod server;
mod session;

use aliases::{Failure, Shared};
use client::Client;
use keys::Keys;
use report::Report;
use request::Requests;
use server::Server;

const HELP: &str = "\
  --server PATH      the built example server
  --seconds N        how long, 300
  --connections N    each sends its next request when it has its answer, 32
  --seed N           the one that a run has printed: the same choices in the same order; ids, times and which
                     connection sends what still differ
";

/// Until the server has taken the memory that it works with: at some moment it holds as many of the longest requests
/// at once as it ever will, and does not give all of that back.
const WARM_UP: Duration = Duration::from_secs(60);
/// For the server to notice that all clients are gone.
const CLOSING: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let run = async { LocalSet::new().run_until(run()).await };
    match runtime
        .map_err(Failure::from)
        .and_then(|it| it.block_on(run))
    {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<bool, Failure> {
    let (mut path, mut seconds, mut connections) = (None, 300, 32);
    let (mut seed, _) = uuid::Uuid::new_v4().as_u64_pair();
    let mut words = lexopt::Parser::from_env();
    while let Some(word) = words.next()? {
        use lexopt::{Arg::Long, ValueExt};
        match word {
            Long("server") => path = Some(words.value()?),
            Long("seconds") => seconds = words.value()?.parse()?,
            Long("connections") => connections = words.value()?.parse()?,
            Long("seed") => seed = words.value()?.parse()?,
            Long("help") => {
                print!("{HELP}");
                return Ok(true);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let path = path.ok_or("--server is missing")?;
    let interrupted = interrupted()?;
    println!("seed {seed}");
    tokio::select! {
        is_right = load(&path, Duration::from_secs(seconds), connections, seed) => is_right,
        () = interrupted => Err("it was interrupted".into()),
    }
}

/// The server and all clients end with this, however it ends.
async fn load(
    path: &OsStr,
    duration: Duration,
    connections: usize,
    seed: u64,
) -> Result<bool, Failure> {
    let keys = Keys::new();
    let mut server = Server::start(path, &keys).await?;
    // It has what it needs for that by then.
    server.swap(&keys, "").await?;
    let sockets = server.sockets()?;
    let keys = Rc::new(RefCell::new(keys));
    let requests = Rc::new(RefCell::new(Requests::new(seed)?));
    let report = Rc::new(RefCell::new(Report::default()));

    let before = server.effort()?;
    let end = Instant::now() + duration;
    let (mut clients, mut hindrances) = (JoinSet::new(), JoinSet::new());
    for _ in 0..connections {
        let client = Client::new(server.address, &keys, &requests, &report);
        clients.spawn_local(client.run(end));
    }
    hindrance::spawn(&mut hindrances, server.address, &requests, &report, end);
    watch(&mut server, &keys, &requests, &report, end).await?;
    report.borrow_mut().effort = server.effort()?.since(before);

    // Each waits for its answer, or says that there is none.
    while let Some(client) = clients.join_next().await {
        client?;
    }
    hindrances.shutdown().await;
    report.borrow_mut().sockets[0] = sockets;
    let left = left(&server, sockets).await?;
    report.borrow_mut().sockets[2] = left;
    server.stop().await?;
    Ok(report.borrow().print())
}

/// How many sockets the server has when it has had the time to close those of clients that are gone.
async fn left(server: &Server, wanted: usize) -> Result<usize, Failure> {
    let closed = async {
        while server.sockets()? > wanted {
            sleep(Duration::from_millis(50)).await;
        }
        Ok::<_, Failure>(())
    };
    // Whether it was enough tells the number.
    let _ = timeout(CLOSING, closed).await;
    server.sockets()
}

/// Ctrl-C, SIGTERM or SIGHUP: the server has to end with this.
fn interrupted() -> Result<impl Future<Output = ()>, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = ctrl_c() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

/// Each second swaps the keys, and looks at the server's memory and sockets.
async fn watch(
    server: &mut Server,
    keys: &Shared<Keys>,
    requests: &Shared<Requests>,
    report: &Shared<Report>,
    end: Instant,
) -> Result<(), Failure> {
    let start = Instant::now();
    // At each half second, since tokens expire at the full ones.
    let since_full = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let wait = Duration::from_nanos(1_500_000_000 - u64::from(since_full.subsec_nanos()));
    let mut seconds = interval_at((start + wait).into(), Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while Instant::now() < end {
        seconds.tick().await;
        let next = keys.borrow().next();
        let revoked: Vec<_> = (requests.borrow().revoked_with(next.swaps))
            .map(str::to_owned)
            .collect();
        server.swap(&next, &revoked.join("\n")).await?;
        requests.borrow_mut().go_on(&next)?;
        *keys.borrow_mut() = next;
        let mut report = report.borrow_mut();
        report.swaps += 1;
        report.sockets[1] = report.sockets[1].max(server.sockets()?);
        if start.elapsed() > WARM_UP {
            report.memory.push(server.memory()?);
        }
    }
    Ok(())
}
