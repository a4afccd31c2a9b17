//! Values as a person reads them: on one line where they are short, cut to what differs where they are long, and line
//! by line where they have lines. All of it stands in `--json`.

use serde_json::Value;
use stack::diff::{compact, same, shown};

use crate::paint::Paint;

/// A longer value is cut.
const LONGEST: usize = 100;
/// What is left around a difference inside of a long text.
const AROUND: usize = 24;
/// Lines around a line that differs.
const LINES_AROUND: usize = 2;
/// More lines than that are left to `--json`.
const MOST_LINES: usize = 40;
/// Beyond this product of line counts the middle is shown as taken out and put in.
const MOST_CELLS: usize = 1_000_000;

/// What stands behind a property's name: the rest of its line, and further lines below it.
pub struct Shown {
    pub line: String,
    pub below: Vec<String>,
}

pub fn transition(old: Option<&Value>, new: Option<&Value>, paint: Paint) -> Shown {
    let line = match (old, new) {
        (Some(old), Some(new)) => return both(old, new, paint),
        (Some(only), None) => paint.red(&cut(&text(only))),
        (None, Some(only)) => paint.green(&cut(&text(only))),
        (None, None) => String::new(),
    };
    Shown {
        line,
        below: Vec::new(),
    }
}

fn both(old: &Value, new: &Value, paint: Paint) -> Shown {
    let one_line = |line: String| Shown {
        line,
        below: Vec::new(),
    };
    if same(&compact(old), &compact(new)) {
        return one_line(format!("{} (the same text from other functions)", cut(&text(new))));
    }
    if let (Value::Array(left), Value::Array(right)) = (old, new) {
        let sorted = |items: &[Value]| {
            let mut texts: Vec<String> = items.iter().map(shown).collect();
            texts.sort();
            texts
        };
        if sorted(left) == sorted(right) {
            return one_line(format!("another order: {} → {}", cut(&text(old)), cut(&text(new))));
        }
    }
    let (old, new) = (shown(old), shown(new));
    if old.trim_end().contains('\n') || new.trim_end().contains('\n') {
        return Shown {
            line: String::new(),
            below: lines(&old, &new, paint),
        };
    }
    let (old, new) = (quoted(&old), quoted(&new));
    let (old, new) = if old.chars().count() > LONGEST || new.chars().count() > LONGEST {
        around_the_difference(&old, &new)
    } else {
        (old, new)
    };
    one_line(format!("{} → {}", paint.red(&old), paint.green(&new)))
}

/// A value on one line.
pub fn text(value: &Value) -> String {
    quoted(&shown(value))
}

/// Bare, unless one would not see where it begins and ends. Characters that would steer the terminal are escaped.
fn quoted(text: &str) -> String {
    let visible = visible(text);
    if visible.is_empty() || visible.trim() != visible {
        format!("\"{visible}\"")
    } else {
        visible
    }
}

pub fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            visible.extend(character.escape_debug());
        } else {
            visible.push(character);
        }
    }
    visible
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
        None => text.to_owned(),
    }
}

fn around_the_difference(old: &str, new: &str) -> (String, String) {
    let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
    let prefix = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let most = old.len().min(new.len()) - prefix;
    let suffix = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(old, new)| old == new)
        .count()
        .min(most);
    let part = |whole: &[char]| {
        let from = prefix.saturating_sub(AROUND);
        let to = (whole.len() - suffix + AROUND).min(whole.len()).min(from + LONGEST);
        let middle: String = whole[from..to].iter().collect();
        format!(
            "{}{middle}{}",
            if from > 0 { "…" } else { "" },
            if to < whole.len() { "…" } else { "" }
        )
    };
    (part(&old), part(&new))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Both,
    Old,
    New,
}

fn lines(old: &str, new: &str, paint: Paint) -> Vec<String> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let steps = steps(&old, &new);
    let differs: Vec<usize> = (0..steps.len()).filter(|index| steps[*index].0 != Side::Both).collect();
    let near = |index: usize| {
        let after = differs.partition_point(|differing| *differing + LINES_AROUND < index);
        differs
            .get(after)
            .is_some_and(|differing| *differing <= index + LINES_AROUND)
    };
    let mut shown: Vec<String> = Vec::new();
    let mut skipped = false;
    for (index, (side, line)) in steps.iter().enumerate() {
        if !near(index) {
            skipped = true;
            continue;
        }
        if shown.len() >= MOST_LINES {
            shown.push(format!("… {} more lines", steps.len() - index));
            break;
        }
        if std::mem::take(&mut skipped) {
            shown.push(paint.faint("…"));
        }
        let line = cut(&visible(line));
        shown.push(match side {
            Side::Both => format!("  {line}").trim_end().to_owned(),
            Side::Old => paint.red(format!("- {line}").trim_end()),
            Side::New => paint.green(format!("+ {line}").trim_end()),
        });
    }
    if differs.is_empty() {
        shown.push("only the ends of lines differ".to_owned());
    }
    shown
}

/// The fewest lines out and in.
fn steps<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(Side, &'a str)> {
    let prefix = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let most = old.len().min(new.len()) - prefix;
    let suffix = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(old, new)| old == new)
        .count()
        .min(most);
    let (middle_old, middle_new) = (&old[prefix..old.len() - suffix], &new[prefix..new.len() - suffix]);
    let mut steps: Vec<(Side, &str)> = old[..prefix].iter().map(|line| (Side::Both, *line)).collect();
    if middle_old.len().saturating_mul(middle_new.len()) > MOST_CELLS {
        steps.extend(middle_old.iter().map(|line| (Side::Old, *line)));
        steps.extend(middle_new.iter().map(|line| (Side::New, *line)));
    } else {
        steps.extend(longest_common(middle_old, middle_new));
    }
    steps.extend(old[old.len() - suffix..].iter().map(|line| (Side::Both, *line)));
    steps
}

/// By the table of the longest common subsequence's lengths, read from its front.
fn longest_common<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(Side, &'a str)> {
    let width = new.len() + 1;
    let mut lengths = vec![0u32; (old.len() + 1) * width];
    for row in (0..old.len()).rev() {
        for column in (0..new.len()).rev() {
            lengths[row * width + column] = if old[row] == new[column] {
                lengths[(row + 1) * width + column + 1] + 1
            } else {
                lengths[(row + 1) * width + column].max(lengths[row * width + column + 1])
            };
        }
    }
    let (mut row, mut column) = (0, 0);
    let mut steps = Vec::new();
    while row < old.len() || column < new.len() {
        if row < old.len() && column < new.len() && old[row] == new[column] {
            steps.push((Side::Both, old[row]));
            row += 1;
            column += 1;
        } else if column == new.len()
            || (row < old.len() && lengths[(row + 1) * width + column] >= lengths[row * width + column + 1])
        {
            steps.push((Side::Old, old[row]));
            row += 1;
        } else {
            steps.push((Side::New, new[column]));
            column += 1;
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(old: Value, new: Value) -> String {
        let shown = transition(Some(&old), Some(&new), Paint::default());
        std::iter::once(shown.line)
            .chain(shown.below)
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn short_values_stand_side_by_side() {
        assert_eq!(seen(json!("a"), json!({ "Ref": "B" })), "a → ${B}");
        assert_eq!(seen(json!(""), json!(" x")), "\"\" → \" x\"");
        assert_eq!(seen(json!("\u{1b}[31m"), json!("b")), "\\u{1b}[31m → b");
        assert_eq!(
            seen(json!(["a", "b"]), json!(["b", "a"])),
            r#"another order: ["a","b"] → ["b","a"]"#
        );
        assert_eq!(
            seen(
                json!({ "Fn::Join": ["", ["x-", { "Ref": "A" }]] }),
                json!({ "Fn::Sub": "x-${A}" })
            ),
            "x-${A} (the same text from other functions)"
        );
    }

    #[test]
    fn long_values_are_cut_to_what_differs() {
        let long = |middle: &str| json!(format!("{}{middle}{}", "a".repeat(300), "z".repeat(300)));
        assert_eq!(
            seen(long("one"), long("two")),
            "…aaaaaaaaaaaaaaaaaaaaaaaaonezzzzzzzzzzzzzzzzzzzzzzzz… → …aaaaaaaaaaaaaaaaaaaaaaaatwozzzzzzzzzzzzzzzzzzzzzzzz…"
        );
        assert!(seen(json!("a"), long("b")).ends_with('…'));
        let only = transition(None, Some(&json!("ü".repeat(101))), Paint::default()).line;
        assert!(only.ends_with("ü… (101 characters)"), "{only}");
    }

    #[test]
    fn texts_of_several_lines_differ_line_by_line() {
        let old: Vec<String> = (0..12).map(|line| format!("line {line}")).collect();
        let mut new = old.clone();
        new[6] = "another".to_owned();
        new.insert(7, "more".to_owned());
        insta::assert_snapshot!(seen(json!(old.join("\n")), json!(new.join("\n"))), @r"
        …
          line 4
          line 5
        - line 6
        + another
        + more
          line 7
          line 8
        ");
        assert_eq!(seen(json!("a\nb"), json!("a\r\nb")), "\nonly the ends of lines differ");
    }

    #[test]
    fn many_lines_are_not_all_shown() {
        let text = |from: u32| {
            json!(
                (from..from + 3000)
                    .map(|line| line.to_string())
                    .collect::<Vec<_>>()
                    .join("\n")
            )
        };
        let seen = seen(text(0), text(10_000));
        assert_eq!(seen.lines().count(), 42);
        assert!(seen.ends_with("… 5960 more lines"), "{seen}");
    }
}
