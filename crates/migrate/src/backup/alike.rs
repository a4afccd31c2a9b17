//! What a database has besides its contents, and a dump does not hold: a restored one has to have it too.
//!
//! Tablespace and locale are given when a database is made; settings, rights, limit and comment only at the end, because a
//! setting such as `default_transaction_read_only` would stop the restore itself.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::BackupError;
use super::verify::execute;
use crate::error::MigrateError;
use crate::sql::{literal, quoted};

/// Settings that are lists of names. Their values are recorded quoted already, and one literal would be one name
/// (PostgreSQL's `variable_is_guc_list_quote`, `src/fe_utils/string_utils.c`).
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// A database's properties, as statements about a new one.
pub(super) struct Alike {
    creation: String,
    connection_limit: i32,
    comment: Option<String>,
    /// The role, if the setting is for one, with `NAME=VALUE`.
    settings: Vec<(Option<String>, String)>,
    /// Grantee (`None` is everybody), right, and whether it may be passed on; `None` where nobody ever changed them.
    rights: Option<Vec<(Option<String>, String, bool)>>,
}

/// What `pg_database` holds of it.
struct Record {
    encoding: String,
    collate: String,
    ctype: String,
    owner: String,
    /// Named only where it is another than the template's, which needs no right on it.
    tablespace: Option<String>,
    connection_limit: i32,
    comment: Option<String>,
    has_rights: bool,
    provider: Option<String>,
    locale: Option<String>,
    rules: Option<String>,
}

impl Alike {
    pub(super) async fn read(connection: &mut PgConnection, name: &str) -> Result<Self, BackupError> {
        let failed = |source| MigrateError::Database {
            what: "the database's settings",
            source,
        };
        // The provider's columns have other names in other versions, and none before 15.
        let row = sqlx::query(
            "SELECT pg_encoding_to_char(encoding)::text AS encoding, datcollate::text AS collate, datctype::text AS ctype,
                    pg_get_userbyid(datdba)::text AS owner, datconnlimit AS connection_limit,
                    (SELECT spcname::text FROM pg_tablespace t WHERE t.oid = dattablespace AND t.oid <>
                        (SELECT dattablespace FROM pg_database WHERE datname = 'template0')) AS tablespace,
                    shobj_description(oid, 'pg_database') AS comment, datacl IS NOT NULL AS has_rights,
                    to_jsonb(d) ->> 'datlocprovider' AS provider,
                    coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale,
                    to_jsonb(d) ->> 'daticurules' AS rules
             FROM pg_database d WHERE datname = $1",
        )
        .bind(name)
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed)?;
        let Some(row) = row else {
            return Err(BackupError::NoDatabase { name: name.to_owned() });
        };
        let record = Record::read(&row).map_err(failed)?;
        let settings = sqlx::query_as(
            "SELECT CASE WHEN setrole <> 0 THEN pg_get_userbyid(setrole)::text END, unnest(setconfig)
             FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = $1)",
        )
        .bind(name)
        .fetch_all(&mut *connection)
        .await
        .map_err(failed)?;
        let rights = sqlx::query_as(
            "SELECT CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee)::text END, a.privilege_type::text, a.is_grantable
             FROM pg_database d CROSS JOIN aclexplode(d.datacl) a WHERE d.datname = $1",
        )
        .bind(name)
        .fetch_all(connection)
        .await
        .map_err(failed)?;
        Ok(Self {
            creation: record.creation(),
            connection_limit: record.connection_limit,
            comment: record.comment,
            settings,
            rights: record.has_rights.then_some(rights),
        })
    }

    /// Makes an empty database like it.
    pub(super) async fn create(&self, connection: &mut PgConnection, name: &str) -> Result<(), BackupError> {
        let create = format!("CREATE DATABASE {} TEMPLATE template0 {}", quoted(name), self.creation);
        execute(connection, create, "a database beside the old one").await
    }

    /// Gives the rest to the restored database.
    pub(super) async fn carry_over(&self, connection: &mut PgConnection, name: &str) -> Result<(), BackupError> {
        for statement in self.statements(name) {
            execute(
                connection,
                statement,
                "to carry the database's settings and rights over",
            )
            .await?;
        }
        Ok(())
    }

    fn statements(&self, name: &str) -> Vec<String> {
        let name = quoted(name);
        let mut statements = Vec::new();
        if self.connection_limit >= 0 {
            statements.push(format!(
                "ALTER DATABASE {name} CONNECTION LIMIT {}",
                self.connection_limit
            ));
        }
        if let Some(comment) = &self.comment {
            statements.push(format!("COMMENT ON DATABASE {name} IS {}", literal(comment)));
        }
        for (role, setting) in &self.settings {
            let Some((setting, value)) = setting.split_once('=') else {
                continue;
            };
            let value = if LISTS.contains(&setting) {
                let names: Vec<String> = listed(value).iter().map(|name| literal(name)).collect();
                if names.is_empty() {
                    literal("")
                } else {
                    names.join(", ")
                }
            } else {
                literal(value)
            };
            // A setting of an extension has a point in its name, which stands between two names.
            let setting: Vec<String> = setting.split('.').map(quoted).collect();
            let setting = setting.join(".");
            statements.push(match role {
                Some(role) => format!(
                    "ALTER ROLE {} IN DATABASE {name} SET {setting} TO {value}",
                    quoted(role)
                ),
                None => format!("ALTER DATABASE {name} SET {setting} TO {value}"),
            });
        }
        if let Some(rights) = &self.rights {
            statements.push(format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC"));
            for (grantee, right, may_grant) in rights {
                let grantee = grantee.as_deref().map_or_else(|| "PUBLIC".to_owned(), quoted);
                let may_grant = if *may_grant { " WITH GRANT OPTION" } else { "" };
                // The server's own words: CREATE, TEMPORARY, CONNECT.
                statements.push(format!("GRANT {right} ON DATABASE {name} TO {grantee}{may_grant}"));
            }
        }
        statements
    }
}

impl Record {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            encoding: row.try_get("encoding")?,
            collate: row.try_get("collate")?,
            ctype: row.try_get("ctype")?,
            owner: row.try_get("owner")?,
            tablespace: row.try_get("tablespace")?,
            connection_limit: row.try_get("connection_limit")?,
            comment: row.try_get("comment")?,
            has_rights: row.try_get("has_rights")?,
            provider: row.try_get("provider")?,
            locale: row.try_get("locale")?,
            rules: row.try_get("rules")?,
        })
    }

    /// What follows `CREATE DATABASE name TEMPLATE template0`.
    fn creation(&self) -> String {
        let mut creation = format!(
            "OWNER {} ENCODING {} LC_COLLATE {} LC_CTYPE {}",
            quoted(&self.owner),
            literal(&self.encoding),
            literal(&self.collate),
            literal(&self.ctype),
        );
        if let Some(tablespace) = &self.tablespace {
            creation += &format!(" TABLESPACE {}", quoted(tablespace));
        }
        // Without a provider of its own, it is the C library's, whose locale stands in the columns above.
        let provider = match self.provider.as_deref() {
            Some("i") => Some(("icu", "ICU_LOCALE")),
            Some("b") => Some(("builtin", "BUILTIN_LOCALE")),
            _ => None,
        };
        if let (Some((provider, option)), Some(locale)) = (provider, &self.locale) {
            creation += &format!(" LOCALE_PROVIDER {provider} {option} {}", literal(locale));
        }
        if let Some(rules) = &self.rules {
            creation += &format!(" ICU_RULES {}", literal(rules));
        }
        creation
    }
}

/// The names of a list, as `"a b", c` is two.
fn listed(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut name = String::new();
    let mut is_quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                name.push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => names.push(std::mem::take(&mut name)),
            ' ' if !is_quoted => {}
            other => name.push(other),
        }
    }
    if !name.is_empty() || !names.is_empty() {
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_names_are_read_as_the_server_wrote_them() {
        assert_eq!(
            listed(r#""$user", app, "Odd, ""name""""#),
            ["$user", "app", "Odd, \"name\""]
        );
        assert_eq!(listed(""), Vec::<String>::new());
        assert_eq!(listed(r#""""#), Vec::<String>::new(), "no path at all");
    }
}
