//! `llama-deploy db list ENV`: the backups, oldest first, and which of them are known to restore.

use serde_json::json;

use super::OpenDatabase;
use super::entry::{self, Entry};
use crate::arguments::EnvironmentArgument;
use crate::console::Console;
use crate::failure::Outcome;
use crate::moment;
use crate::settings::Settings;

pub fn run(options: &EnvironmentArgument, settings: &Settings, console: &Console) -> Outcome<u8> {
    let open = OpenDatabase::find(options.name(), settings, console)?;
    let entries = entry::all(&open)?;
    console.clear();
    let environment = &open.environment().name;
    if entries.is_empty() {
        console.print(&format!("{environment} has no backup"));
    }
    let widest = entries.iter().map(|entry| entry.id.len()).max().unwrap_or(0);
    for entry in &entries {
        console.print(&line(entry, widest));
    }
    console.print_json(&json!({ "environment": environment, "backups": entries }));
    Ok(0)
}

fn line(entry: &Entry, widest: usize) -> String {
    let made = entry.made_at.map_or_else(|| "?".to_owned(), moment::at);
    let size = entry
        .bytes
        .map(|bytes| format!("  {}", size(bytes)))
        .unwrap_or_default();
    let schema = entry
        .schema_version
        .map(|version| format!("  schema {version}"))
        .unwrap_or_default();
    let known = match (&entry.problem, entry.verified_at) {
        (Some(problem), _) => format!("UNUSABLE: {problem}"),
        (None, Some(at)) => format!("verified {}", moment::at(at)),
        (None, None) => "UNVERIFIED".to_owned(),
    };
    format!(
        "{:widest$}  {:8}  {made:20}{size}{schema}  {known}",
        entry.id,
        entry.kind.to_string()
    )
}

/// In the largest unit of which there is one.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes} bytes")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_read_in_the_largest_unit() {
        let of: Vec<String> = [0, 999, 1000, 1_500_000, 2_000_000_000_000].map(size).into();
        assert_eq!(of, ["0 bytes", "999 bytes", "1.0 kB", "1.5 MB", "2.0 TB"]);
    }
}
