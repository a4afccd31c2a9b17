//! Private servers that the cloud runs for its databases and caches: which programs there are, as whom they run.
//!
//! PostgreSQL refuses to run as root, and nothing here needs root: started by root, such servers run as `postgres`
//! (or `nobody`) over folders that belong to that user. They are no children of the cloud: they outlive a `kill -9`
//! of it, and the next start finds them running. [`crate::rds`] and [`crate::elasticache`] call it.

use std::ffi::OsStr;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

/// The user that servers run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Runner {
    /// Whoever runs the cloud.
    Same,
    /// The cloud is root, the servers are not.
    Dropped { name: String, user: u32, group: u32 },
}

impl Runner {
    pub fn find() -> io::Result<Self> {
        match rustix::process::geteuid().is_root() {
            true => Self::dropped(&std::fs::read_to_string("/etc/passwd")?),
            false => Ok(Self::Same),
        }
    }

    /// The best of the users in `passwd` (the content of `/etc/passwd`).
    fn dropped(passwd: &str) -> io::Result<Self> {
        let user = |wanted: &str| {
            passwd.lines().find_map(|line| {
                let fields: Vec<&str> = line.split(':').collect();
                let (user, group) = (fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?);
                (fields[0] == wanted && user != 0).then(|| Self::Dropped {
                    name: wanted.to_owned(),
                    user,
                    group,
                })
            })
        };
        user("postgres").or_else(|| user("nobody")).ok_or_else(|| {
            io::Error::other(
                "the embedded cloud runs as root, and PostgreSQL refuses to: make a user called postgres or nobody, \
                 or run the cloud as another user",
            )
        })
    }

    /// Makes a folder that belongs to the user and that nobody else may read.
    pub fn make_folder(&self, folder: &Path) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        std::fs::create_dir_all(folder)?;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
        self.own(folder)
    }

    pub fn own(&self, path: &Path) -> io::Result<()> {
        match self {
            Self::Same => Ok(()),
            Self::Dropped { user, group, .. } => std::os::unix::fs::chown(path, Some(*user), Some(*group)),
        }
    }

    /// A command that runs as the user, in `folder`, with next to nothing of our environment and no terminal.
    pub async fn command(&self, program: &Path, folder: &Path) -> io::Result<Command> {
        let mut command = match self {
            Self::Same => Command::new(program),
            Self::Dropped { user, group, .. } if self.reaches(folder).await => {
                let mut command = Command::new(program);
                command.uid(*user).gid(*group);
                command
            }
            // A folder above is closed to the user (`/root` is): it keeps the one capability to get there.
            Self::Dropped { name, user, group } => {
                let setpriv = find_program("setpriv").ok_or_else(|| {
                    io::Error::other(format!(
                        "the user {name} cannot reach {}: choose a folder outside of root's home, or install setpriv \
                         (util-linux)",
                        folder.display()
                    ))
                })?;
                let mut command = Command::new(setpriv);
                command.args([&format!("--reuid={user}"), &format!("--regid={group}")]);
                command.args([
                    "--clear-groups",
                    "--inh-caps=+dac_override",
                    "--ambient-caps=+dac_override",
                    "--",
                ]);
                command.arg(program);
                command
            }
        };
        command.env_clear().env("LC_ALL", "C").env("PATH", search_path());
        command.current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
        Ok(command)
    }

    /// Whether the user gets to the folder by itself.
    async fn reaches(&self, folder: &Path) -> bool {
        let Self::Dropped { user, group, .. } = self else {
            return true;
        };
        let mut test = Command::new("/bin/sh");
        test.args([OsStr::new("-c"), OsStr::new("test -w \"$0\""), folder.as_os_str()])
            .uid(*user)
            .gid(*group);
        test.current_dir("/").stdin(Stdio::null());
        test.status().await.is_ok_and(|status| status.success())
    }
}

fn search_path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into())
}

/// The program's file, found by `PATH`. Links are not followed: some programs go by the name they are called by.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let folders: Vec<PathBuf> = std::env::split_paths(&search_path()).collect();
    folders
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// A port of loopback on which nothing listens. Somebody else may take it before it is used; then starting fails and
/// says so.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Whether something listens on a port of loopback.
pub async fn listens(port: u16) -> bool {
    tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
}

/// Runs a command to its end; a failure carries what it said.
pub async fn run(mut command: Command, what: &str) -> io::Result<String> {
    let output = command
        .output()
        .await
        .map_err(|error| io::Error::other(format!("{what} could not be run: {error}")))?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match output.status.success() {
        true => Ok(said(&output.stdout)),
        false => Err(io::Error::other(format!(
            "{what} failed ({}): {}",
            output.status,
            [said(&output.stderr), said(&output.stdout)].join("\n").trim()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_becomes_postgres_or_nobody() {
        let passwd = "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65533::/:/bin/false\n";
        let nobody = Runner::Dropped {
            name: "nobody".into(),
            user: 65534,
            group: 65533,
        };
        assert_eq!(Runner::dropped(passwd).unwrap(), nobody);
        let postgres = Runner::Dropped {
            name: "postgres".into(),
            user: 101,
            group: 104,
        };
        assert_eq!(
            Runner::dropped(&format!("{passwd}postgres:x:101:104::/:/bin/sh")).unwrap(),
            postgres
        );
        let error = Runner::dropped("root:x:0:0::/root:/bin/sh\npostgres:x:0:0::/:/bin/sh").unwrap_err();
        assert!(error.to_string().contains("make a user"), "{error}");
    }
}
