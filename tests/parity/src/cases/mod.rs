//! The oracle's cases in Rust, construct by construct: compare each with its namesake in `oracle/cases`.

mod core;
mod functions;
mod options;
mod phase2;
mod restapi;
mod vpc;
mod wiring;

use stack::App;

pub struct Case {
    pub name: &'static str,
    pub build: fn(&App),
}

pub const CASES: [Case; 7] = [
    Case {
        name: "core",
        build: core::build,
    },
    Case {
        name: "phase2",
        build: phase2::build,
    },
    Case {
        name: "options",
        build: options::build,
    },
    Case {
        name: "restapi",
        build: restapi::build,
    },
    Case {
        name: "functions",
        build: functions::build,
    },
    Case {
        name: "vpc",
        build: vpc::build,
    },
    Case {
        name: "wiring",
        build: wiring::build,
    },
];

/// What runs when nobody names a case: the platform's stacks and what every stack leans on.
pub const DEFAULT_CASES: [&str; 2] = ["core", "phase2"];

pub fn find(name: &str) -> Option<&'static Case> {
    CASES.iter().find(|case| case.name == name)
}

pub fn names() -> String {
    CASES.map(|case| case.name).join(", ")
}

/// A folder of `oracle/assets`.
fn asset(name: &str) -> String {
    format!("{}/assets/{name}", crate::run::ORACLE)
}
