//! Private servers that the cloud runs for its databases and caches: which programs there are, as whom they run.
//!
//! PostgreSQL refuses to run as root, and nothing here needs root: started by root, such servers run as `postgres`
//! (or `nobody`) over folders that belong to that user. They are no children of the cloud: they outlive a `kill -9`
//! of it, and the next start finds them running. RDS and ElastiCache call it.

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

/// Ports that a system gives to nobody who asks for any, nor to the near end of a connection: Linux begins at 32768, IANA at
/// 49152. One of them is still free when its server comes up later, or comes back.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// So many are tried.
const PORT_TRIES: usize = 100;

/// Listens on one of them, by chance, so that two that look for one do not meet.
///
/// # Errors
/// Nothing can be bound at all.
pub fn free_listener() -> io::Result<TcpListener> {
    let tried = std::iter::repeat_with(|| fastrand::u16(PORTS)).take(PORT_TRIES);
    let mut listeners = tried.map(|port| TcpListener::bind(("127.0.0.1", port)));
    let free = listeners.find_map(Result::ok);
    free.map_or_else(|| TcpListener::bind(("127.0.0.1", 0)), Ok)
}

/// A port of loopback on which nothing listens. Somebody else may take it before it is used; then starting fails and
/// says so.
///
/// # Errors
/// Nothing can be bound at all.
pub fn free_port() -> io::Result<u16> {
    Ok(free_listener()?.local_addr()?.port())
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

/// Ends the servers that a killed cloud left in its folder, before somebody removes it; tells how many processes that
/// were. There must be no cloud running on the folder. (Linux only: elsewhere nobody tells where a process works.)
pub fn end_left_servers(cloud_folder: &Path) -> usize {
    const CHECKS: usize = 500;
    let homes: Vec<PathBuf> = ["rds", "elasticache"]
        .iter()
        .filter_map(|kind| cloud_folder.join(kind).canonicalize().ok())
        .collect();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..CHECKS {
        let left = working_below(&homes);
        for pid in left.iter().filter(|pid| seen.insert(**pid)) {
            // An interrupt: PostgreSQL ends open transactions, Redis saves; both then go. One that is gone already
            // cannot be told, and need not be.
            if let Some(pid) = rustix::process::Pid::from_raw(*pid) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
            }
        }
        if left.is_empty() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    seen.len()
}

/// The processes (no zombies) whose working directory is in one of the folders, as those of a server all are.
pub(crate) fn working_below(folders: &[PathBuf]) -> Vec<i32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|process| {
            let pid = process.file_name().to_str()?.parse().ok()?;
            let home = std::fs::read_link(process.path().join("cwd")).ok()?;
            folders.iter().any(|folder| home.starts_with(folder)).then_some(pid)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_servers_of_the_folder_are_ended() {
        let folder = tempfile::tempdir().unwrap();
        let start = |home: &str| {
            let home = folder.path().join(home);
            std::fs::create_dir_all(&home).unwrap();
            std::process::Command::new("sleep")
                .arg("60")
                .current_dir(home)
                .spawn()
                .unwrap()
        };
        let (mut inside, mut outside) = (start("rds/instances/db/data"), start("other"));
        assert_eq!(end_left_servers(folder.path()), 1);
        assert!(!inside.wait().unwrap().success());
        assert!(outside.try_wait().unwrap().is_none(), "the other goes on");
        outside.kill().unwrap();
        outside.wait().unwrap();
        assert_eq!(end_left_servers(&folder.path().join("absent")), 0);
    }

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
