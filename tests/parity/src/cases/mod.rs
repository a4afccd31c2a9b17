//! The oracle's cases in Rust, construct by construct: compare each with its namesake in `oracle/cases`.

mod aliases;
mod buckets;
mod cdn;
mod core;
mod database;
mod databases;
mod dns;
mod domains;
mod eventsources;
mod functions;
mod guide;
mod httpapi;
mod identities;
mod imports;
mod keys;
mod observability;
mod options;
mod phase2;
mod realtime;
mod restapi;
mod scheduler;
mod stepfunctions;
mod tables;
mod vpc;
mod websocket;
mod wiring;

use stack::App;

/// Who wrote the TypeScript that a case is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The reference apps that the constructs were built for.
    Oracle,
    /// Apps of this repository, for options that the reference apps leave out.
    Own,
}

pub struct Case {
    pub name: &'static str,
    pub origin: Origin,
    pub build: fn(&App),
}

const fn oracle(name: &'static str, build: fn(&App)) -> Case {
    let origin = Origin::Oracle;
    Case { name, origin, build }
}

const fn own(name: &'static str, build: fn(&App)) -> Case {
    let origin = Origin::Own;
    Case { name, origin, build }
}

pub const CASES: &[Case] = &[
    oracle("core", core::build),
    oracle("phase2", phase2::build),
    oracle("database", database::build),
    oracle("restapi", restapi::build),
    oracle("functions", functions::build),
    oracle("vpc", vpc::build),
    oracle("realtime", realtime::build),
    own("aliases", aliases::build),
    own("buckets", buckets::build),
    own("cdn", cdn::build),
    own("dns", dns::build),
    own("domains", domains::build),
    own("keys", keys::build),
    own("guide", guide::build),
    own("options", options::build),
    own("wiring", wiring::build),
    own("identities", identities::build),
    own("imports", imports::build),
    own("tables", tables::build),
    own("observability", observability::build),
    own("eventsources", eventsources::build),
    own("httpapi", httpapi::build),
    own("websocket", websocket::build),
    own("databases", databases::build),
    own("scheduler", scheduler::build),
    own("stepfunctions", stepfunctions::build),
];

pub fn find(name: &str) -> Option<&'static Case> {
    CASES.iter().find(|case| case.name == name)
}

pub fn names() -> String {
    let names: Vec<&str> = CASES.iter().map(|case| case.name).collect();
    names.join(", ")
}

/// A folder of `oracle/assets`.
fn asset(name: &str) -> String {
    format!("{}/assets/{name}", crate::run::ORACLE)
}
