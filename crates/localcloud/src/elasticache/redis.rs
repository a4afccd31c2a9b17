//! One private Redis: start, ask, stop. It listens on 127.0.0.1 only, and saves its data when it is stopped.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::process::{self, Runner, find_program, run};

/// How long a server that is busy may take to answer.
const ANSWER: Duration = Duration::from_secs(30);
/// Looks at a starting or stopping server each 20 ms, for at most a minute.
const CHECKS: usize = 3000;
const PAUSE: Duration = Duration::from_millis(20);

#[derive(Clone)]
pub struct Redis {
    pub folder: PathBuf,
    pub port: u16,
    pub password: Option<String>,
}

/// The server's program; `None` when none is installed.
pub fn program() -> Option<PathBuf> {
    find_program("redis-server").or_else(|| find_program("valkey-server"))
}

/// For example `7.0.15`.
pub async fn version(program: &std::path::Path) -> io::Result<String> {
    let mut command = Runner::Same.command(program, std::path::Path::new("/")).await?;
    command.arg("--version");
    // "Redis server v=7.0.15 sha=…"
    let said = run(command, "redis-server --version").await?;
    let version = said.split_whitespace().find_map(|word| word.strip_prefix("v="));
    Ok(version.unwrap_or("unknown").to_owned())
}

impl Redis {
    /// Starts the server and waits until it answers. One that runs already is taken over.
    pub async fn start(&self, program: &std::path::Path) -> io::Result<()> {
        if self.answers().await {
            return Ok(());
        }
        if process::listens(self.port).await {
            return Err(io::Error::other(format!(
                "port {} of 127.0.0.1, which belongs to this cache, is taken by another program: end that one",
                self.port
            )));
        }
        let runner = Runner::find()?;
        runner.make_folder(&self.folder)?;
        let mut settings = format!(
            "bind 127.0.0.1\nport {}\ndaemonize yes\ndir \"{folder}\"\npidfile \"{folder}/redis.pid\"\n\
             logfile \"{folder}/redis.log\"\nsave 60 1\n",
            self.port,
            folder = self.folder.display(),
        );
        if let Some(password) = &self.password {
            settings.push_str(&format!(
                "requirepass \"{}\"\n",
                password.replace('\\', "\\\\").replace('"', "\\\"")
            ));
        }
        let file = self.folder.join("redis.conf");
        std::fs::write(&file, settings)?;
        runner.own(&file)?;
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        let mut command = runner.command(program, &self.folder).await?;
        command.arg(&file);
        run(command, "redis-server").await?;
        for _ in 0..CHECKS {
            if self.answers().await {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        let log = std::fs::read_to_string(self.folder.join("redis.log")).unwrap_or_default();
        Err(io::Error::other(format!(
            "redis-server does not answer: {}",
            log.lines().last().unwrap_or("it says nothing")
        )))
    }

    /// Whether our server answers there: another one would refuse the password or have another folder.
    async fn answers(&self) -> bool {
        let asked = ["CONFIG", "GET", "dir"];
        self.ask(&asked)
            .await
            .is_ok_and(|answer| answer.contains(&self.folder.display().to_string()))
    }

    /// Saves and ends; a server that does not run is fine.
    pub async fn stop(&self) -> io::Result<()> {
        if !self.answers().await {
            return Ok(());
        }
        // The connection ends with the server: there is no answer to wait for.
        let _ = self.ask(&["SHUTDOWN", "SAVE"]).await;
        for _ in 0..CHECKS {
            if !process::listens(self.port).await {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(io::Error::other(format!(
            "the redis-server on port {} does not stop",
            self.port
        )))
    }

    /// Writes what the running server holds into `file`.
    pub async fn save_to(&self, file: &std::path::Path) -> io::Result<()> {
        self.ask(&["SAVE"]).await?;
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::copy(self.folder.join("dump.rdb"), file).map(drop)
    }

    /// Lets a server that was never started begin with what was saved.
    pub fn begin_with(&self, file: &std::path::Path) -> io::Result<()> {
        let runner = Runner::find()?;
        runner.make_folder(&self.folder)?;
        let data = self.folder.join("dump.rdb");
        std::fs::copy(file, &data)?;
        runner.own(&data)
    }

    pub async fn remove(&self) -> io::Result<()> {
        self.stop().await?;
        match tokio::fs::remove_dir_all(&self.folder).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Sends one command, after the password where there is one, and returns what is read of the answer.
    pub async fn ask(&self, words: &[&str]) -> io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        if let Some(password) = &self.password {
            exchange(&mut stream, &["AUTH", password]).await?;
        }
        exchange(&mut stream, words).await
    }
}

async fn exchange(stream: &mut TcpStream, words: &[&str]) -> io::Result<String> {
    let mut command = format!("*{}\r\n", words.len());
    for word in words {
        command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    stream.write_all(command.as_bytes()).await?;
    let mut answer = vec![0_u8; 4096];
    let length = tokio::time::timeout(ANSWER, stream.read(&mut answer)).await??;
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    match answer.strip_prefix('-') {
        Some(error) => Err(io::Error::other(error.trim().to_owned())),
        None => Ok(answer),
    }
}
