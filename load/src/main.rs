//! Drives the example server at full load, a part of it hostile, and sees whether each answer is right.
//!
//! `scripts/load` builds the server and runs this.

use std::{
    cell::RefCell,
    error::Error,
    process::ExitCode,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    signal::{
        ctrl_c,
        unix::{SignalKind, signal},
    },
    task::{JoinSet, LocalSet},
    time::{interval, sleep_until},
};

mod client;
mod hindrance;
mod report;
mod request;
mod server;

use client::Client;
use report::Report;
use request::Requests;
use server::{Keys, Server};

type Failure = Box<dyn Error>;
type Shared<T> = Rc<RefCell<T>>;

const HELP: &str = "\
  --server PATH      the built example server
  --seconds N        how long, 300
  --connections N    each sends its next request when it has its answer, 32
";

/// Until the server has taken the memory that it works with.
const WARM_UP: Duration = Duration::from_secs(10);

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
    let mut words = lexopt::Parser::from_env();
    while let Some(word) = words.next()? {
        use lexopt::{Arg::Long, ValueExt};
        match word {
            Long("server") => path = Some(words.value()?),
            Long("seconds") => seconds = words.value()?.parse()?,
            Long("connections") => connections = words.value()?.parse()?,
            Long("help") => {
                print!("{HELP}");
                return Ok(true);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let path = path.ok_or("--server is missing")?;
    let keys = Keys::new();
    let mut server = Server::start(&path, &keys).await?;
    let requests = Rc::new(RefCell::new(Requests::new(&keys)?));
    let keys = Rc::new(RefCell::new(keys));
    let report = Rc::new(RefCell::new(Report::default()));

    let end = Instant::now() + Duration::from_secs(seconds);
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        let client = Client::new(server.address, &keys, &requests, &report);
        clients.spawn_local(client.run(end));
    }
    hindrance::spawn(&mut clients, server.address, &requests, &report, end);

    let outcome = tokio::select! {
        outcome = watch(&mut server, &keys, &requests, &report, end) => outcome,
        _ = interrupted()? => Err("it was interrupted".into()),
    };
    // Those that wait for an answer have a moment for it.
    sleep_until((end.min(Instant::now()) + Duration::from_secs(2)).into()).await;
    clients.shutdown().await;
    server.stop().await?;
    outcome?;
    Ok(report.borrow().print())
}

/// Ctrl-C or SIGTERM: the server has to end with this.
fn interrupted() -> Result<impl Future<Output = ()>, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = ctrl_c() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Each second swaps the keys and looks at the server's memory.
async fn watch(
    server: &mut Server,
    keys: &Shared<Keys>,
    requests: &Shared<Requests>,
    report: &Shared<Report>,
    end: Instant,
) -> Result<(), Failure> {
    let start = Instant::now();
    let mut seconds = interval(Duration::from_secs(1));
    while Instant::now() < end {
        seconds.tick().await;
        let next = keys.borrow().next();
        server.swap(&next).await?;
        requests.borrow_mut().sign_with(&next)?;
        *keys.borrow_mut() = next;
        let mut report = report.borrow_mut();
        report.swaps += 1;
        if start.elapsed() > WARM_UP {
            report.memory.push(server.memory()?);
        }
    }
    Ok(())
}
