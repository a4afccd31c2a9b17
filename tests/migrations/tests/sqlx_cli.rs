//! sqlx's own command line and this repository's migrations, on one database.

use std::path::Path;
use std::process::Command;

use migrate::{Database, MigrateError, Migrator, Options, Password, Phase, Remedy, Silent};
use tempfile::TempDir;
use test_postgres::{PASSWORD, TestPostgres};

struct Project {
    postgres: TestPostgres,
    folder: TempDir,
}

impl Project {
    async fn new(files: &[(&str, &str)]) -> Self {
        let project = Self {
            postgres: TestPostgres::start().await,
            folder: tempfile::tempdir().expect("a folder for the test"),
        };
        for (name, text) in files {
            project.write(name, text);
        }
        project
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("the folder is there");
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn migrator(&self) -> Migrator {
        Migrator::load(self.path()).expect("the files can be migrations")
    }

    fn database(&self) -> Database {
        let password = Password::new(PASSWORD);
        Database::new("127.0.0.1", self.postgres.port(), "postgres", "postgres", password)
    }

    async fn up(&self, options: &Options) -> Result<Vec<String>, MigrateError> {
        let report = self.migrator().up(&self.database(), options, &Silent).await?;
        Ok(report.applied.into_iter().map(|applied| applied.file).collect())
    }

    /// What `sqlx migrate COMMAND` prints.
    ///
    /// # Panics
    /// When it ends badly.
    fn sqlx(&self, command: &str) -> String {
        let port = self.postgres.port();
        let output = Command::new(env!("CARGO_BIN_EXE_sqlx"))
            .args(["--no-dotenv", "migrate", command, "--source"])
            .arg(self.path())
            .env(
                "DATABASE_URL",
                format!(
                    "postgres://postgres:{}@127.0.0.1:{port}/postgres",
                    PASSWORD.replace(' ', "%20")
                ),
            )
            .output()
            .expect("sqlx is built with this test");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        said
    }

    /// `sqlx migrate info` as our own status would have it.
    async fn status_as_info(&self) -> String {
        let status = self
            .migrator()
            .status(&self.database())
            .await
            .expect("the server answers");
        let edited: Vec<_> = status
            .problems
            .iter()
            .filter(|problem| problem.kind() == "edited")
            .collect();
        assert!(edited.is_empty(), "{edited:?}");
        let is_applied = |version| status.applied.iter().any(|applied| applied.version == version);
        self.migrator()
            .files()
            .iter()
            .map(|file| {
                let state = if is_applied(file.version) {
                    "installed"
                } else {
                    "pending"
                };
                format!("{}/{state} {}\n", file.version, file.description)
            })
            .collect()
    }
}

/// Every kind of file that there is.
const FILES: &[(&str, &str)] = &[
    (
        "10_users.expand.up.sql",
        "CREATE TABLE users (id bigint PRIMARY KEY, name text);\n",
    ),
    ("10_users.expand.down.sql", "DROP TABLE users;\n"),
    (
        "20_from_another_machine.sql",
        "\u{feff}-- phase: expand\r\nALTER TABLE users\r\n  ADD COLUMN lower text;\r\n",
    ),
    (
        "30_index.expand.sql",
        "-- Copyright\n\n-- no-transaction\nCREATE INDEX CONCURRENTLY users_name ON users (name)",
    ),
    (
        "40_fill.backfill.sql",
        "-- batch: table=users key=id rows=100 pause=1ms\nUPDATE users SET lower = lower(name) WHERE id BETWEEN $1 AND $2",
    ),
    ("50_name.contract.sql", "ALTER TABLE users DROP COLUMN name"),
    ("60_sample.seed.sql", "INSERT INTO users (id) VALUES (1)"),
];

#[tokio::test]
async fn info_agrees_with_us_at_every_step() {
    let project = Project::new(FILES).await;
    for (options, applied) in [
        (
            Options {
                steps: Some(1),
                ..Options::rollout()
            },
            1,
        ),
        (Options::rollout(), 2),
        (Options::by_hand(), 1),
        (Options::by_hand().allowing(Phase::Seed), 1),
    ] {
        assert_eq!(project.up(&options).await.unwrap().len(), applied);
        let info = project.sqlx("info");
        assert_eq!(info, project.status_as_info().await);
    }
    assert_eq!(
        project.sqlx("info"),
        "10/installed users.expand\n20/installed from another machine\n30/installed index.expand\n\
         40/installed fill.backfill\n50/pending name.contract\n60/installed sample.seed\n"
    );
}

#[tokio::test]
async fn a_project_of_sqlx_moves_in_and_back_out() {
    let project = Project::new(&[
        ("1_users.sql", "CREATE TABLE users (id int)"),
        ("2_orders.up.sql", "CREATE TABLE orders (id int)"),
        ("2_orders.down.sql", "DROP TABLE orders"),
        (
            "3_index.sql",
            "-- no-transaction\nCREATE INDEX CONCURRENTLY users_id ON users (id)",
        ),
    ])
    .await;
    let said = project.sqlx("run");
    assert_eq!(said.matches("Applied").count(), 3, "{said}");
    let status = project.migrator().status(&project.database()).await.unwrap();
    assert_eq!(
        (status.applied.len(), status.pending.len(), status.problems),
        (3, 0, vec![])
    );

    project.write("4_age.expand.up.sql", "ALTER TABLE users ADD COLUMN age int");
    project.write("4_age.expand.down.sql", "ALTER TABLE users DROP COLUMN age");
    assert_eq!(project.up(&Options::rollout()).await.unwrap(), ["4_age.expand.up.sql"]);
    assert_eq!(project.sqlx("run"), "", "nothing is left for sqlx");
    assert_eq!(project.sqlx("info"), project.status_as_info().await);

    // What we applied sqlx takes back, and we apply it again.
    assert!(project.sqlx("revert").contains("4/revert age.expand"));
    assert_eq!(project.sqlx("info"), project.status_as_info().await);
    assert_eq!(project.up(&Options::rollout()).await.unwrap(), ["4_age.expand.up.sql"]);
}

#[tokio::test]
async fn an_edit_is_one_to_both_until_it_is_blessed() {
    let project = Project::new(&FILES[..2]).await;
    project.up(&Options::rollout()).await.unwrap();
    project.write(FILES[0].0, &FILES[0].1.replace("users (", "users ( "));
    assert!(project.sqlx("info").starts_with("10/installed (different checksum)"));
    let found = project.migrator().diagnose(&project.database()).await.unwrap();
    assert!(matches!(&found[..], [Remedy::Rebless { version: 10, .. }]), "{found:?}");
    project
        .migrator()
        .repair(&project.database(), &found[0], "ops", &Options::by_hand(), &Silent)
        .await
        .unwrap();
    assert_eq!(project.sqlx("info"), project.status_as_info().await);
}

#[tokio::test]
async fn a_baseline_is_one_to_sqlx_too() {
    let project = Project::new(FILES).await;
    let (migrator, database) = (project.migrator(), project.database());
    migrator
        .baseline(&database, 20, &Options::by_hand(), &Silent)
        .await
        .unwrap();
    let info = project.sqlx("info");
    assert_eq!(info.matches("/installed ").count(), 2, "{info}");
    assert_eq!(info, project.status_as_info().await);
}
