use super::*;
use crate::files::Migrator;

fn migrator(files: &[(&str, &str)]) -> Migrator {
    let folder = tempfile::tempdir().expect("a folder for the test");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("the folder is there");
    }
    Migrator::load(folder.path()).expect("the files can be migrations")
}

fn found(files: &[(&str, &str)], catalogue: Option<&Catalogue>) -> Vec<String> {
    let surroundings = Surroundings {
        server_major: Some(15),
        catalogue,
    };
    lint(migrator(files).files(), &surroundings)
        .iter()
        .map(|finding| {
            format!(
                "{}:{} {} {}",
                finding.file, finding.line, finding.severity, finding.rule
            )
        })
        .collect()
}

fn expand(sql: &str) -> Vec<String> {
    found(&[("1_a.expand.sql", sql)], None)
}

fn rules(sql: &str) -> Vec<String> {
    expand(sql)
        .iter()
        .filter_map(|line| Some(line.rsplit_once(' ')?.1.to_owned()))
        .collect()
}

#[test]
fn what_the_running_version_cannot_survive_is_an_error_before_it_is_gone() {
    for sql in [
        "ALTER TABLE users DROP COLUMN email",
        "ALTER TABLE users RENAME COLUMN email TO mail",
        "ALTER TABLE users RENAME TO people",
        "ALTER TABLE users ALTER COLUMN age TYPE bigint",
        "ALTER TABLE users ALTER COLUMN email SET NOT NULL",
        "ALTER TABLE users ADD COLUMN country text NOT NULL",
        "DROP TABLE users",
        "DROP VIEW active_users",
        "ALTER TABLE users ADD CONSTRAINT adult CHECK (age > 17)",
        "TRUNCATE users",
        "REVOKE SELECT ON users FROM app",
        "CREATE POLICY own ON users USING (owner = current_user)",
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
    ] {
        let errors = expand(sql).iter().filter(|line| line.contains(" error ")).count();
        assert!(errors > 0, "{sql}");
        let contract = found(&[("1_a.contract.sql", sql)], None);
        assert!(
            !contract
                .iter()
                .any(|line| line.contains("ban-drop") || line.contains("renaming")),
            "{sql}: {contract:?}"
        );
    }
}

#[test]
fn what_only_adds_is_fine() {
    for sql in [
        "CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, paid_at timestamptz)",
        "CREATE TABLE orders (id bigint); CREATE INDEX orders_id ON orders (id); ALTER TABLE orders ALTER COLUMN id SET NOT NULL",
        "CREATE VIEW v AS SELECT 1 AS one",
        "-- no-transaction\nCREATE INDEX CONCURRENTLY users_email ON users (email)",
    ] {
        assert_eq!(expand(sql), Vec::<String>::new(), "{sql}");
    }
    assert_eq!(
        rules("ALTER TABLE users ADD COLUMN country text"),
        ["adding-column-under-select-star"]
    );
}

#[test]
fn writes_of_every_row_and_blocks_are_found_where_they_begin() {
    assert_eq!(
        expand("SELECT 1;\n\n-- why\nUPDATE users\nSET a = 1;\nDELETE FROM users;"),
        [
            "1_a.expand.sql:4 error unbounded-write",
            "1_a.expand.sql:4 error write-in-expand",
            "1_a.expand.sql:6 error unbounded-write",
            "1_a.expand.sql:6 error write-in-expand",
        ]
    );
    assert_eq!(
        found(&[("1_a.backfill.sql", "UPDATE users SET a = 1 WHERE a IS NULL")], None),
        Vec::<String>::new()
    );
    assert_eq!(rules("DO $$ BEGIN DROP TABLE users; END $$"), ["unexplained-block"]);
    for sql in [
        "TRUNCATE users",
        "LOCK TABLE users",
        "REFRESH MATERIALIZED VIEW sums",
        "CLUSTER users",
        "-- no-transaction\nVACUUM FULL users",
        "CREATE TRIGGER audit AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION note()",
    ] {
        assert!(rules(sql).contains(&"long-lock".to_owned()), "{sql}: {:?}", rules(sql));
    }
}

#[test]
fn a_waiver_needs_a_reason_and_something_to_waive() {
    assert_eq!(
        rules("-- lint: allow unexplained-block because it only raises a notice\nDO $$ BEGIN END $$"),
        Vec::<String>::new()
    );
    assert_eq!(
        rules("-- lint: allow unexplained-block\nDO $$ BEGIN END $$"),
        ["unreasoned-waiver", "unexplained-block"]
    );
    assert_eq!(
        rules("-- lint: allow long-lock because of nothing\nSELECT 1;\nTRUNCATE users"),
        ["unused-waiver", "long-lock"]
    );
}

#[test]
fn the_catalogue_knows_which_locks_nobody_feels() {
    let size = |bytes| TableSize { bytes, rows: 1000 };
    let catalogue = Catalogue::of(
        15,
        [("small".to_owned(), size(65_536)), ("large".to_owned(), size(1 << 30))],
    );
    let change = "ALTER TABLE large ALTER COLUMN a TYPE bigint; ALTER TABLE small ALTER COLUMN a TYPE bigint";
    assert_eq!(
        found(&[("1_a.contract.sql", change)], Some(&catalogue)),
        ["1_a.contract.sql:1 error changing-column-type"]
    );
    let index = |table: &str| {
        let sql = format!("CREATE INDEX i ON {table} (a)");
        found(&[("1_a.expand.sql", &sql)], Some(&catalogue)).len()
    };
    assert_eq!(
        (index("small"), index("large"), index("\"small\""), index("unknown")),
        (0, 1, 0, 1)
    );
}

#[test]
fn a_table_of_an_earlier_file_is_new_too() {
    let files = [
        ("1_a.expand.sql", "CREATE TABLE orders (id bigint)"),
        ("2_b.expand.sql", "CREATE INDEX orders_id ON orders (id)"),
    ];
    assert_eq!(found(&files, None), Vec::<String>::new());
}

#[test]
fn a_finding_says_where_why_and_what_instead() {
    let migrator = migrator(&[("7_wipe.expand.sql", "DELETE FROM users")]);
    let findings = lint(migrator.files(), &Surroundings::default());
    let text = findings[0].to_string();
    assert!(
        text.starts_with("7_wipe.expand.sql:1: error: DELETE without WHERE writes every row of users"),
        "{text}"
    );
    assert!(text.contains("\n    instead: a backfill"), "{text}");
}

#[test]
fn what_the_parser_does_not_understand_is_said() {
    assert!(rules("SELEC 1").contains(&"unreadable".to_owned()));
}

#[test]
fn what_a_server_does_depends_on_its_version() {
    let on = |server_major, sql: &str| -> Vec<String> {
        let surroundings = Surroundings {
            server_major,
            catalogue: None,
        };
        let findings = lint(migrator(&[("1_a.expand.sql", sql)]).files(), &surroundings);
        findings.into_iter().map(|finding| finding.rule).collect()
    };
    let has = |rules: &[String], rule: &str| rules.iter().any(|found| found == rule);
    // Until 10 a default rewrote the table; REPACK comes with 19.
    let with_default = "ALTER TABLE users ADD COLUMN plan text DEFAULT 'free'";
    assert!(has(&on(Some(10), with_default), "adding-field-with-default"));
    assert!(!has(&on(Some(15), with_default), "adding-field-with-default"));
    assert!(!has(&on(None, with_default), "adding-field-with-default"));
    let cluster = "CLUSTER users USING users_pkey";
    assert!(has(&on(Some(19), cluster), "prefer-repack"));
    assert!(!has(&on(Some(18), cluster), "prefer-repack"));
    assert!(!has(&on(None, cluster), "prefer-repack"));
}
