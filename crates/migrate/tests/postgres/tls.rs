//! A server elsewhere: reached by TLS, its certificate and its name verified, by us and by `pg_dump` and `pg_restore`.
//!
//! Elsewhere is this machine under other names, which only the test's second process knows: a loopback address would not be
//! verified.

use std::path::{Path, PathBuf};
use std::process::Command;

use migrate::backup::{RestoreOptions, VerifyOptions, restore, verify};
use migrate::{BackupOptions, Database, Password, back_up};
use test_postgres::{Authority, PASSWORD, TestPostgres};

use crate::again;
use crate::world::{World, hasty};

const NAME: &str = "database.example.internal";
/// The same server by a name that its certificate does not have.
const OTHER_NAME: &str = "other.example.internal";

/// A server of a company's own authority, and a migration for it.
struct Elsewhere {
    world: World,
    root: String,
}

impl Elsewhere {
    /// `None` in the process that only looks on; `test` is the caller.
    async fn start(test: &str) -> Option<Self> {
        if !again::may_mount(&format!("tls::{test}")) {
            return None;
        }
        let authority = Authority::new("the company's own authority");
        let mut world = World::new(&[("1_a.expand.sql", "CREATE TABLE a AS SELECT 1 AS b")]).await;
        world.postgres = TestPostgres::start_certified(&authority, &[NAME]).await;
        let hosts = world.path().join("hosts");
        std::fs::write(&hosts, format!("127.0.0.1 localhost {NAME} {OTHER_NAME}\n")).unwrap();
        let mut mount = Command::new("mount");
        mount.arg("--bind").arg(&hosts).arg("/etc/hosts");
        assert!(mount.status().unwrap().success());
        Some(Self {
            world,
            root: authority.root(),
        })
    }

    fn at(&self, host: &str, roots: &str) -> Database {
        let port = self.world.postgres.port();
        Database::new(host, port, "postgres", "postgres", Password::new(PASSWORD)).trusting(roots)
    }

    fn backup(&self, label: &str, programs: &Path) -> BackupOptions {
        let mut options = BackupOptions::new(self.world.path().join("backups"), label);
        options.programs = Some(programs.to_owned());
        options
    }

    /// A `pg_dump` that sets this before the real one runs.
    fn pg_dump_with(&self, setting: &str) -> PathBuf {
        let folder = self.world.path().join("programs");
        std::fs::create_dir_all(&folder).unwrap();
        let real = self.world.postgres.binaries().join("pg_dump");
        let script = format!("#!/bin/sh\n{setting} exec {} \"$@\"\n", real.display());
        let program = folder.join("pg_dump");
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        folder
    }

    /// The sessions of this name that came by TLS, and all of them.
    fn connections(&self, application: &str) -> (usize, usize) {
        let log = self.world.postgres.log();
        let of = format!("application_name={application}");
        let lines = log
            .lines()
            .filter(|line| line.contains("connection authorized") && line.contains(&of));
        (
            lines.clone().filter(|line| line.contains("SSL enabled")).count(),
            lines.count(),
        )
    }
}

/// What a person is told: the error and its causes.
fn whole(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
}

#[tokio::test]
async fn migrations_backups_and_restores_go_by_tls_to_a_server_that_is_vouched_for() {
    let test = "migrations_backups_and_restores_go_by_tls_to_a_server_that_is_vouched_for";
    let Some(elsewhere) = Elsewhere::start(test).await else {
        return;
    };
    let database = elsewhere.at(NAME, &elsewhere.root);
    let programs = elsewhere.world.postgres.binaries().to_owned();
    let report = elsewhere
        .world
        .migrator()
        .up(&database, &hasty(), &migrate::Silent)
        .await
        .unwrap();
    assert_eq!(report.applied.len(), 1);
    let backup = back_up(&database, &elsewhere.backup("one", &programs)).await.unwrap();
    let proving = VerifyOptions {
        programs: Some(programs.clone()),
        ..VerifyOptions::default()
    };
    verify(&backup, &database, &proving).await.unwrap();
    let restoring = RestoreOptions {
        programs: Some(programs),
        ..RestoreOptions::default()
    };
    assert_eq!(restore(&backup, &database, &restoring).await.unwrap().rows, 2);
    for application in ["llama-deploy migrate", "llama-deploy backup"] {
        let (by_tls, all) = elsewhere.connections(application);
        assert!(by_tls > 0 && by_tls == all, "{application}: {by_tls} of {all} by TLS");
    }
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_or_of_another_name_is_refused_and_says_why() {
    let test = "a_server_that_nobody_vouches_for_or_of_another_name_is_refused_and_says_why";
    let Some(elsewhere) = Elsewhere::start(test).await else {
        return;
    };
    let stranger = Authority::new("a stranger").root();
    let programs = elsewhere.world.postgres.binaries();
    for (host, roots, why) in [
        (NAME, "", "UnknownIssuer"),
        (NAME, stranger.as_str(), "UnknownIssuer"),
        (OTHER_NAME, elsewhere.root.as_str(), "not valid for name"),
    ] {
        let database = elsewhere.at(host, roots);
        let up = elsewhere
            .world
            .migrator()
            .up(&database, &hasty(), &migrate::Silent)
            .await;
        let up = up.unwrap_err();
        assert_eq!((up.kind(), up.is_transient()), ("untrusted", false));
        let up = whole(&up);
        assert!(up.contains(host) && up.contains(why), "{up}");
        let backup = back_up(&database, &elsewhere.backup("two", programs))
            .await
            .unwrap_err();
        let backup = whole(&backup);
        assert!(backup.contains(host) && backup.contains(why), "{backup}");
        assert!(!up.contains(PASSWORD) && !backup.contains(PASSWORD));
    }
    // We were refused before any of it; `pg_dump` verifies by itself, too.
    let database = elsewhere.at(NAME, &elsewhere.root);
    let file = elsewhere.world.path().join("stranger.pem");
    std::fs::write(&file, stranger).unwrap();
    for (setting, why) in [
        (format!("PGHOST={OTHER_NAME}"), "does not match host name"),
        (format!("PGSSLROOTCERT={}", file.display()), "certificate verify failed"),
    ] {
        let programs = elsewhere.pg_dump_with(&setting);
        let error = back_up(&database, &elsewhere.backup("three", &programs))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), "backup_dump", "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
    let (_, all) = elsewhere.connections("llama-deploy backup");
    assert_eq!(all, 0, "no password was ever given to it");
}
