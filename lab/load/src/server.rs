//! The example server as a child process.

use std::{
    ffi::OsStr,
    fs,
    net::SocketAddr,
    ops::Range,
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::{sleep, timeout},
};

use crate::{
    aliases::Failure,
    keys::{AUDIENCE, ISSUER},
};

/// Timeout for each line that the server prints.
const PATIENCE: Duration = Duration::from_secs(30);
/// For it to notice that all clients are gone.
const CLOSING: Duration = Duration::from_secs(10);
/// Unit of the CPU times in `/proc` (`proc_pid_stat(5)`).
const TICKS_A_SECOND: f64 = 100.0;

/// CPU use, in seconds.
#[derive(Clone, Copy, Default)]
pub struct Effort {
    pub elapsed: f64,
    /// CPU time of the server.
    pub server: f64,
    /// Idle time of all CPUs together.
    pub idle: f64,
}

impl Effort {
    /// Prints what was done meanwhile.
    #[expect(
        clippy::as_conversions,
        reason = "a count of answers is far below 2^52"
    )]
    pub fn print(self, answers: u64) {
        let Self {
            elapsed,
            server,
            idle,
        } = self;
        println!(
            "{:.0} answers a second; the server had {:.2} CPUs, and {:.2} were idle",
            answers as f64 / elapsed,
            server / elapsed,
            idle / elapsed
        );
    }

    pub fn since(self, earlier: Self) -> Self {
        Self {
            elapsed: self.elapsed - earlier.elapsed,
            server: self.server - earlier.server,
            idle: self.idle - earlier.idle,
        }
    }
}

pub struct Server {
    pub address: SocketAddr,
    process: Child,
    start: Instant,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts a server with `keys`, the arguments that name its keys.
    pub async fn start<A: AsRef<OsStr>>(
        path: &OsStr,
        keys: impl IntoIterator<Item = A>,
    ) -> Result<Self, Failure> {
        let mut process = Command::new(path)
            .args([
                "--listen",
                "127.0.0.1:0",
                "--problem-details",
                "--call-context",
            ])
            .args(["--issuer", ISSUER, "--audience", AUDIENCE])
            .args(["--leeway", "0", "--header", "x-session-token"])
            .args(keys)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = process.stdout.take().ok_or("the server has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let listening = async {
            loop {
                let line = lines.next_line().await?.ok_or("the server ended")?;
                // It may have printed that it has read its keys.
                if let Some(address) = line.strip_prefix("listening on http://") {
                    return Ok::<_, Failure>(address.parse()?);
                }
            }
        };
        let address = timeout(PATIENCE, listening).await??;
        Ok(Self {
            address,
            process,
            start: Instant::now(),
            lines,
        })
    }

    /// Makes it read its files again; returns when it reports both.
    pub async fn reload(&mut self) -> Result<(), Failure> {
        let id = self.id()?;
        let kill = Command::new("kill")
            .args(["-HUP", &id.to_string()])
            .status();
        if !kill.await?.success() {
            return Err("the server cannot be signalled".into());
        }
        timeout(PATIENCE, async {
            self.expect("sessions are revoked").await?;
            self.expect("keys of generation").await
        })
        .await?
    }

    /// Waits for the next line of output, which has to contain `words`.
    async fn expect(&mut self, words: &str) -> Result<(), Failure> {
        let line = self.lines.next_line().await?.ok_or("the server ended")?;
        if line.contains(words) {
            Ok(())
        } else {
            Err(format!("the server printed {line:?}").into())
        }
    }

    /// Number of open sockets.
    pub fn sockets(&self) -> Result<usize, Failure> {
        let mut sockets = 0;
        for file in fs::read_dir(format!("/proc/{}/fd", self.id()?))? {
            // It may be closed by now.
            let link = fs::read_link(file?.path()).unwrap_or_default();
            sockets += usize::from(link.to_string_lossy().starts_with("socket:"));
        }
        Ok(sockets)
    }

    /// Number of open sockets, once there are no more than `wanted` or it had time to close those of
    /// departed clients.
    pub async fn sockets_left(&self, wanted: usize) -> Result<usize, Failure> {
        let closed = async {
            while self.sockets()? > wanted {
                sleep(Duration::from_millis(50)).await;
            }
            Ok::<_, Failure>(())
        };
        // On a timeout the count below shows what is left.
        let _ = timeout(CLOSING, closed).await;
        self.sockets()
    }

    /// CPU use since the start.
    pub fn effort(&self) -> Result<Effort, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id()?))?;
        // The fields after the process name, which may contain spaces.
        let (_, fields) = stat.rsplit_once(')').ok_or("no CPU times in /proc")?;
        Ok(Effort {
            elapsed: self.start.elapsed().as_secs_f64(),
            server: seconds(fields, 11..13)?,
            idle: seconds(&fs::read_to_string("/proc/stat")?, 4..5)?,
        })
    }

    /// Its resident memory, in KiB (`proc_pid_status(5)`).
    pub fn memory(&self) -> Result<u64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()?))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let memory = line.and_then(|size| size.trim().strip_suffix(" kB"));
        Ok(memory.ok_or("no memory size in /proc")?.parse()?)
    }

    pub async fn stop(mut self) -> Result<(), Failure> {
        Ok(self.process.kill().await?)
    }

    fn id(&self) -> Result<u32, Failure> {
        Ok(self.process.id().ok_or("the server ended")?)
    }
}

/// The sum of these fields, from ticks to seconds.
fn seconds(fields: &str, which: Range<usize>) -> Result<f64, Failure> {
    let ticks = fields.split_whitespace().take(which.end).skip(which.start);
    let ticks: Vec<f64> = ticks.map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / TICKS_A_SECOND)
}
