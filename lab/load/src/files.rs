//! The files that the server reads.

use std::{ffi::OsString, fs, path::PathBuf};

use crate::{aliases::Failure, keys::Keys};

/// A temporary folder with a key set and a list of revoked sessions.
pub struct Files(PathBuf);

impl Files {
    pub fn new(keys: &Keys) -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("load-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&path)?;
        let files = Self(path);
        files.write(keys, "")?;
        Ok(files)
    }

    pub fn write(&self, keys: &Keys, revoked: &str) -> Result<(), Failure> {
        fs::write(self.jwks(), keys.jwks().to_string())?;
        Ok(fs::write(self.revoked(), revoked)?)
    }

    /// The arguments of the server that name them.
    pub fn args(&self) -> [OsString; 4] {
        let (jwks, revoked) = (self.jwks().into(), self.revoked().into());
        ["--jwks".into(), jwks, "--revoked-sessions".into(), revoked]
    }

    fn jwks(&self) -> PathBuf {
        self.0.join("jwks.json")
    }

    fn revoked(&self) -> PathBuf {
        self.0.join("revoked")
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
