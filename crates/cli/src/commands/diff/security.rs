//! What a change allows, as a table. Rows that allow more than before are marked with `!`.

use stack::diff::{Direction, SecurityChanges, Traffic};

use super::values::visible;
use crate::paint::Paint;

struct Row {
    change: Direction,
    broadens: bool,
    /// Each with its lines.
    cells: Vec<Vec<String>>,
}

/// The lines below a stack's name; none where nothing is allowed or forbidden anew.
pub fn table(changes: &SecurityChanges, paint: Paint) -> Vec<String> {
    if changes.is_empty() {
        return Vec::new();
    }
    let title = if changes.broadens() {
        "Security: allows more than before, see !"
    } else {
        "Security: allows nothing more"
    };
    let mut lines = vec![paint.bold(title)];
    let one = |text: &str| vec![visible(text)];
    let many = |texts: &[String]| texts.iter().map(|text| visible(text)).collect::<Vec<_>>();
    let statements = changes.statements.iter().map(|row| Row {
        change: row.change,
        broadens: row.broadens,
        cells: vec![
            one(&format!("{:?}", row.effect)),
            many(&row.principals),
            many(&row.actions),
            many(&row.resources),
            row.condition.split("; ").map(visible).collect(),
        ],
    });
    let head = ["Effect", "Principal", "Action", "Resource", "Condition"];
    lines.extend(rows(&head, statements.collect(), paint));
    let policies = changes.managed_policies.iter().map(|row| Row {
        change: row.change,
        broadens: row.broadens,
        cells: vec![
            one(&row.identity),
            one(&row.policy),
            one(if row.is_boundary { "boundary" } else { "" }),
        ],
    });
    lines.extend(rows(&["Identity", "Managed policy", ""], policies.collect(), paint));
    let rules = changes.rules.iter().map(|row| Row {
        change: row.change,
        broadens: row.broadens,
        cells: vec![
            one(&row.group),
            one(match row.traffic {
                Traffic::Ingress => "in",
                Traffic::Egress => "out",
            }),
            one(&row.protocol),
            one(&row.peer),
        ],
    });
    lines.extend(rows(
        &["Security group", "Traffic", "Protocol", "Peer"],
        rules.collect(),
        paint,
    ));
    let exposure = changes.exposure.iter().map(|row| Row {
        change: if row.broadens {
            Direction::Added
        } else {
            Direction::Removed
        },
        broadens: row.broadens,
        cells: vec![
            one(&row.logical_id),
            one(&row.setting),
            one(row.old.as_deref().unwrap_or("unset")),
            one(row.new.as_deref().unwrap_or("unset")),
        ],
    });
    lines.extend(rows(
        &["Public access", "Setting", "Old", "New"],
        exposure.collect(),
        paint,
    ));
    lines
}

fn rows(head: &[&str], rows: Vec<Row>, paint: Paint) -> Vec<String> {
    if rows.is_empty() {
        return Vec::new();
    }
    let width = |column: usize| {
        let cells = rows
            .iter()
            .flat_map(|row| &row.cells[column])
            .map(|line| line.chars().count());
        let widest = cells.max().unwrap_or_default();
        // A column without a value has no head either.
        if widest == 0 {
            0
        } else {
            widest.max(head[column].chars().count())
        }
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[&str]| {
        let columns = cells.iter().zip(&widths).filter(|(_, width)| **width > 0);
        let padded: Vec<String> = columns.map(|(cell, width)| format!("{cell:width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![paint.faint(&format!("    {}", line(head)))];
    for row in &rows {
        let height = row.cells.iter().map(Vec::len).max().unwrap_or_default();
        for at in 0..height {
            let cells: Vec<&str> = row
                .cells
                .iter()
                .map(|lines| lines.get(at).map_or("", String::as_str))
                .collect();
            let mark = match (at, row.broadens, row.change) {
                (0, true, Direction::Added) => "! + ",
                (0, true, Direction::Removed) => "! - ",
                (0, false, Direction::Added) => "  + ",
                (0, false, Direction::Removed) => "  - ",
                _ => "    ",
            };
            let text = format!("{mark}{}", line(&cells));
            lines.push(match (row.broadens, row.change) {
                (true, _) => paint.yellow(&text),
                (false, Direction::Added) => paint.green(&text),
                (false, Direction::Removed) => paint.red(&text),
            });
        }
    }
    lines
}
