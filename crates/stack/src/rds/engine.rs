//! Database engines of instances and of clusters.
//!
//! Versions are texts, as RDS names them: a list of them would be out of date within a month.

/// A version of an engine. The major version follows from the full one, unless it is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineVersion {
    full: String,
    major: Option<String>,
}

impl EngineVersion {
    /// For engines whose versions are numbered in another way than usual: `EngineVersion::new("16.13", "16")`.
    pub fn new(full: impl Into<String>, major: impl Into<String>) -> Self {
        Self {
            full: full.into(),
            major: Some(major.into()),
        }
    }
}

impl From<&str> for EngineVersion {
    fn from(full: &str) -> Self {
        full.to_owned().into()
    }
}

impl From<String> for EngineVersion {
    fn from(full: String) -> Self {
        Self { full, major: None }
    }
}

/// How an engine numbers its versions, and names the families of its parameter groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Numbering {
    /// `16.13` is of `16`; before ten, `9.6.24` was of `9.6`.
    Postgres,
    /// `8.4.5` is of `8.4`.
    TwoParts,
    /// `19.0.0.0.ru-2024-01` is of `19`; before eighteen, `12.2.0.1` was of `12.2`. Families have a hyphen.
    Oracle,
    /// `15.00.4236.7.v1` is of `15.00`, whose family ends with `15.0`.
    SqlServer,
}

impl Numbering {
    fn major(self, full: &str) -> String {
        let mut parts = full.split('.');
        let first = parts.next().unwrap_or_default();
        let is_before = |number: u32| first.parse::<u32>().is_ok_and(|first| first < number);
        let one = match self {
            Self::Postgres => !is_before(10),
            Self::Oracle => !is_before(18),
            Self::TwoParts | Self::SqlServer => false,
        };
        match parts.next() {
            Some(second) if !one => format!("{first}.{second}"),
            _ => first.to_owned(),
        }
    }

    fn family(self, engine: &str, major: &str) -> String {
        match self {
            Self::Postgres | Self::TwoParts => format!("{engine}{major}"),
            Self::Oracle => format!("{engine}-{major}"),
            Self::SqlServer => {
                let major = if major.ends_with(".00") {
                    &major[..major.len() - 1]
                } else {
                    major
                };
                format!("{engine}-{major}")
            }
        }
    }
}

/// What an engine and a version have in common, of instances and of clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Product {
    pub(super) name: &'static str,
    version: EngineVersion,
    numbering: Numbering,
    /// The first user where nothing is said.
    pub(super) default_username: &'static str,
}

impl Product {
    fn new(name: &'static str, version: EngineVersion, numbering: Numbering, default_username: &'static str) -> Self {
        Self {
            name,
            version,
            numbering,
            default_username,
        }
    }

    pub(super) fn full_version(&self) -> &str {
        &self.version.full
    }

    pub(super) fn major_version(&self) -> String {
        let major = self.version.major.clone();
        major.unwrap_or_else(|| self.numbering.major(&self.version.full))
    }

    /// The family of parameter groups: `postgres15`, `mysql8.4`, `oracle-ee-19`.
    pub(super) fn family(&self) -> String {
        self.numbering.family(self.name, &self.major_version())
    }
}

/// What a parameter group may be for: an engine of instances or of clusters.
pub trait ParameterFamily {
    /// The name of the family: `postgres16`, `aurora-mysql8.0`.
    fn parameter_group_family(&self) -> String;
}

/// An engine with a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine(pub(super) Product);

impl ParameterFamily for Engine {
    fn parameter_group_family(&self) -> String {
        self.0.family()
    }
}

impl Engine {
    /// What RDS calls its access to S3, for imports and exports; an engine without has none.
    pub(super) fn s3_features(&self) -> Option<(&'static str, &'static str)> {
        match self.0.numbering {
            Numbering::Postgres => Some(("s3Import", "s3Export")),
            Numbering::Oracle | Numbering::SqlServer => Some(("S3_INTEGRATION", "S3_INTEGRATION")),
            Numbering::TwoParts => None,
        }
    }

    pub(super) fn is_oracle(&self) -> bool {
        self.0.numbering == Numbering::Oracle
    }

    pub(super) fn is_sql_server(&self) -> bool {
        self.0.numbering == Numbering::SqlServer
    }
}

/// PostgreSQL of a version: `postgres("15.17")`.
pub fn postgres(version: impl Into<EngineVersion>) -> Engine {
    Engine(Product::new(
        "postgres",
        version.into(),
        Numbering::Postgres,
        "postgres",
    ))
}

macro_rules! engines {
    ($($(#[$doc:meta])* $function:ident: $name:literal, $numbering:ident;)*) => { $(
        $(#[$doc])*
        pub fn $function(version: impl Into<EngineVersion>) -> Engine {
            Engine(Product::new($name, version.into(), Numbering::$numbering, "admin"))
        }
    )* };
}

engines! {
    /// MySQL of a version: `mysql("8.4.5")`.
    mysql: "mysql", TwoParts;
    /// MariaDB of a version: `mariadb("11.4.5")`.
    mariadb: "mariadb", TwoParts;
    /// Oracle Enterprise Edition: `oracle_ee("19.0.0.0.ru-2024-01.rur-2024-01.r1")`.
    oracle_ee: "oracle-ee", Oracle;
    /// Oracle Enterprise Edition as a container database.
    oracle_ee_cdb: "oracle-ee-cdb", Oracle;
    /// Oracle Standard Edition 2.
    oracle_se2: "oracle-se2", Oracle;
    /// Oracle Standard Edition 2 as a container database.
    oracle_se2_cdb: "oracle-se2-cdb", Oracle;
    /// SQL Server Enterprise Edition: `sql_server_ee("15.00.4236.7.v1")`.
    sql_server_ee: "sqlserver-ee", SqlServer;
    /// SQL Server Standard Edition.
    sql_server_se: "sqlserver-se", SqlServer;
    /// SQL Server Express Edition.
    sql_server_ex: "sqlserver-ex", SqlServer;
    /// SQL Server Web Edition.
    sql_server_web: "sqlserver-web", SqlServer;
}

/// An engine of Aurora with a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterEngine(pub(super) Product);

impl ParameterFamily for ClusterEngine {
    fn parameter_group_family(&self) -> String {
        self.0.family()
    }
}

impl ClusterEngine {
    pub(super) fn is_mysql(&self) -> bool {
        self.0.numbering == Numbering::TwoParts
    }

    /// Where it listens, as far as the template says it.
    pub(super) fn default_port(&self) -> Option<u16> {
        (!self.is_mysql()).then_some(5432)
    }
}

/// Aurora that speaks PostgreSQL: `aurora_postgres("16.13")`.
pub fn aurora_postgres(version: impl Into<EngineVersion>) -> ClusterEngine {
    let product = Product::new("aurora-postgresql", version.into(), Numbering::Postgres, "postgres");
    ClusterEngine(product)
}

/// Aurora that speaks MySQL: `aurora_mysql("8.0.mysql_aurora.3.08.0")`.
pub fn aurora_mysql(version: impl Into<EngineVersion>) -> ClusterEngine {
    ClusterEngine(Product::new(
        "aurora-mysql",
        version.into(),
        Numbering::TwoParts,
        "admin",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_follow_from_versions() {
        let families = [
            postgres("16.13"),
            postgres("9.6.24"),
            mysql("8.4.5"),
            mariadb("11.4.5"),
            oracle_ee("19.0.0.0.ru-2024-01.rur-2024-01.r1"),
            oracle_se2("12.2.0.1.ru-2020"),
            sql_server_ex("15.00.4236.7.v1"),
            mysql(EngineVersion::new("9", "9.1")),
        ]
        .map(|engine| engine.parameter_group_family());
        assert_eq!(
            families,
            [
                "postgres16",
                "postgres9.6",
                "mysql8.4",
                "mariadb11.4",
                "oracle-ee-19",
                "oracle-se2-12.2",
                "sqlserver-ex-15.0",
                "mysql9.1"
            ]
        );
        assert_eq!(aurora_postgres("16").parameter_group_family(), "aurora-postgresql16");
        let aurora = aurora_mysql("8.0.mysql_aurora.3.08.0");
        assert_eq!(aurora.parameter_group_family(), "aurora-mysql8.0");
    }
}
