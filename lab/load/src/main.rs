//! Drives the example server at full load, a part of it hostile, and checks each answer.
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
    time::{MissedTickBehavior, interval_at},
};

mod aliases;
mod client;
mod files;
mod hindrance;
mod idp;
mod keys;
mod memory;
mod random;
mod report;
mod request;
mod server;
mod session;
mod times;

use aliases::{Failure, Shared};
use client::Client;
use files::Files;
use keys::Keys;
use memory::WARM_UP;
use report::Report;
use request::Requests;
use server::Server;

const HELP: &str = "\
  --idp              with keys of a provider that rotates and fails; --server is built with its feature https
  --server PATH      the built example server
  --seconds N        how long, 300
  --connections N    each sends its next request when it has its answer, 32
  --seed N           the seed that an earlier run printed: the same choices in the same order; ids, times and
                     the connection of each request still differ
";

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let run = async { LocalSet::new().run_until(run()).await };
    match runtime
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(run))
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
    let (mut path, mut seconds, mut connections, mut is_idp) = (None, 300, 32, false);
    let (mut seed, _) = uuid::Uuid::new_v4().as_u64_pair();
    let mut words = lexopt::Parser::from_env();
    while let Some(word) = words.next()? {
        use lexopt::{Arg::Long, ValueExt};
        match word {
            Long("idp") => is_idp = true,
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
    let duration = Duration::from_secs(seconds);
    let load = async {
        if is_idp {
            idp::load(&path, duration, connections, seed).await
        } else {
            load(&path, duration, connections, seed).await
        }
    };
    tokio::select! {
        is_right = load => is_right,
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
    let files = Files::new(&keys)?;
    let mut server = Server::start(path, files.args()).await?;
    // The first swap allocates what later ones reuse.
    server.reload().await?;
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
    watch(&mut server, &files, &keys, &requests, &report, end).await?;
    report.borrow_mut().effort = server.effort()?.since(before);

    // Each waits for its answer, or says that there is none.
    while let Some(client) = clients.join_next().await {
        client?;
    }
    hindrances.shutdown().await;
    report.borrow_mut().sockets[0] = sockets;
    let left = server.sockets_left(sockets).await?;
    report.borrow_mut().sockets[2] = left;
    server.stop().await?;
    Ok(report.borrow().print())
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

/// Swaps the keys each second, and samples memory and sockets of the server.
async fn watch(
    server: &mut Server,
    files: &Files,
    keys: &Shared<Keys>,
    requests: &Shared<Requests>,
    report: &Shared<Report>,
    end: Instant,
) -> Result<(), Failure> {
    let start = Instant::now();
    // At half seconds, since tokens expire at full ones.
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
        files.write(&next, &revoked.join("\n"))?;
        server.reload().await?;
        requests.borrow_mut().follow_swap(&next)?;
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
