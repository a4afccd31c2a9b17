//! The project of the tests about databases and caches: the app `src/store.rs`, and migrations that are written by name.

use std::ops::Deref;

use serde_json::Value;

use crate::Project;
use crate::project::binary;

/// A project with a database and a cache, and no function.
pub struct Store {
    project: Project,
}

impl Deref for Store {
    type Target = Project;

    fn deref(&self) -> &Project {
        &self.project
    }
}

/// The settings, with more of `[database]` and of the environment `local`.
fn settings(database: &str, local: &str) -> String {
    format!(
        "[app]\ncommand = ['{}']\n\
         [database]\nsecret-output = 'DatabaseSecretArn'\nmigrations = 'migrations'\n{database}\n\
         [environments.local]\nport = 0\n{local}\n\
         [environments.staging]\nregion = 'us-east-1'\n\
         ledger = '.llama/local/ledger'\nrollout = {{ backup = 'pg-dump' }}\n",
        binary("e2e-store").display()
    )
}

impl Store {
    /// Nothing is deployed, and there is no migration.
    pub fn new() -> Self {
        let project = Project::empty();
        project.write("llama-deploy.toml", &settings("", ""));
        project.write("migrations/.keep", "");
        Self { project }
    }

    /// Other settings from now on.
    pub fn set(&self, database: &str, local: &str) {
        self.write("llama-deploy.toml", &settings(database, local));
    }

    /// The stack stands; what migrations there are, are applied.
    pub fn deployed() -> Self {
        let store = Self::new();
        store.run(&["deploy"]).expect(0);
        store
    }

    pub fn migration(&self, name: &str, sql: &str) {
        self.write(&format!("migrations/{name}"), sql);
    }

    /// The one document that the command answers with.
    #[track_caller]
    pub fn json(&self, arguments: &[&str], status: i32) -> Value {
        let with_json: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let mut documents = self.run(&with_json).expect(status).json();
        assert_eq!(documents.len(), 1, "one document: {documents:?}");
        documents.remove(0)
    }
}

impl Default for Store {
    fn default() -> Self {
        Self::new()
    }
}
