//! The example server as a process of its own, and the keys that it is given.

use std::{ffi::OsStr, fs, net::SocketAddr, path::PathBuf, process::Stdio};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::Failure;

pub const ISSUER: &str = "https://id.example.com";
pub const AUDIENCE: &str = "orders";

/// Which keys there are: one that stays, and one for each swap, which is in force until the swap
/// after the next.
#[derive(Clone, Debug)]
pub struct Keys {
    pub swaps: u64,
}

/// Nobody else's: the server is on loopback, and ends with this.
pub const STAYING: u64 = u64::MAX;

impl Keys {
    pub fn new() -> Self {
        Self { swaps: 2 }
    }

    pub fn next(&self) -> Self {
        Self {
            swaps: self.swaps + 1,
        }
    }

    pub fn newest(&self) -> u64 {
        self.swaps
    }

    /// The newest of those that are withdrawn.
    pub fn withdrawn(&self) -> u64 {
        self.swaps - 2
    }

    fn jwks(&self) -> Value {
        let keys = [STAYING, self.swaps - 1, self.swaps].map(jwk);
        json!({ "keys": keys })
    }
}

pub fn jwk(number: u64) -> Value {
    let secret = [number.to_be_bytes(); 4].concat();
    let k = base64_simd::URL_SAFE_NO_PAD.encode_to_string(secret);
    json!({ "kty": "oct", "alg": "HS256", "kid": format!("k{number}"), "k": k })
}

pub struct Server {
    pub address: SocketAddr,
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    jwks: PathBuf,
}

impl Server {
    pub async fn start(path: &OsStr, keys: &Keys) -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("load-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&folder)?;
        let jwks = folder.join("jwks.json");
        fs::write(&jwks, keys.jwks().to_string())?;
        let mut process = Command::new(path)
            .args([
                "--listen",
                "127.0.0.1:0",
                "--problem-details",
                "--call-context",
            ])
            .args(["--issuer", ISSUER, "--audience", AUDIENCE])
            .args(["--header", "x-session-token", "--jwks"])
            .arg(&jwks)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = process.stdout.take().ok_or("the server has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = lines.next_line().await?.ok_or("the server ended")?;
        let address = line.strip_prefix("listening on http://");
        Ok(Self {
            address: address.ok_or("the server says no address")?.parse()?,
            process,
            lines,
            jwks,
        })
    }

    /// Returns when the keys are in force.
    pub async fn swap(&mut self, keys: &Keys) -> Result<(), Failure> {
        fs::write(&self.jwks, keys.jwks().to_string())?;
        let id = self.process.id().ok_or("the server ended")?;
        let kill = Command::new("kill")
            .args(["-HUP", &id.to_string()])
            .status();
        if !kill.await?.success() {
            return Err("the server does not hear".into());
        }
        let line = self.lines.next_line().await?.ok_or("the server ended")?;
        match line.starts_with("keys of generation ") {
            true => Ok(()),
            false => Err(format!("the server says {line:?}").into()),
        }
    }

    /// Its resident memory, in KiB (`proc_pid_status(5)`).
    pub fn memory(&self) -> Result<u64, Failure> {
        let id = self.process.id().ok_or("the server ended")?;
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
        let memory = line.and_then(|it| it.trim().strip_suffix(" kB"));
        Ok(memory.ok_or("its memory is not told")?.parse()?)
    }

    pub async fn stop(mut self) -> Result<(), Failure> {
        self.process.kill().await?;
        if let Some(folder) = self.jwks.parent() {
            fs::remove_dir_all(folder)?;
        }
        Ok(())
    }
}
