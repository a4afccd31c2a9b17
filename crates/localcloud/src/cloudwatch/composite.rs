//! The rules of composite alarms: `ALARM("a") AND NOT (OK(b) OR INSUFFICIENT_DATA(c))`
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html>). `AT_LEAST` is not
//! served.

use super::alarm::State;

#[derive(Clone, Debug, PartialEq)]
pub enum CompositeRule {
    Constant(bool),
    Is(State, String),
    Not(Box<CompositeRule>),
    And(Vec<CompositeRule>),
    Or(Vec<CompositeRule>),
}

const DEEPEST: usize = 64;

impl CompositeRule {
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser {
            rest: text.trim(),
            depth: 0,
        };
        let rule = parser.either()?;
        match parser.rest {
            "" => Ok(rule),
            rest => Err(format!("unexpected '{rest}'")),
        }
    }

    /// `state_of` knows the other alarms; one that is gone counts as insufficient data.
    pub fn holds(&self, state_of: &dyn Fn(&str) -> Option<State>) -> bool {
        match self {
            Self::Constant(value) => *value,
            Self::Is(state, alarm) => state_of(alarm).unwrap_or(State::InsufficientData) == *state,
            Self::Not(rule) => !rule.holds(state_of),
            Self::And(rules) => rules.iter().all(|rule| rule.holds(state_of)),
            Self::Or(rules) => rules.iter().any(|rule| rule.holds(state_of)),
        }
    }

    /// The alarms that the rule names.
    pub fn alarms(&self) -> Vec<&str> {
        match self {
            Self::Constant(_) => Vec::new(),
            Self::Is(_, alarm) => vec![alarm],
            Self::Not(rule) => rule.alarms(),
            Self::And(rules) | Self::Or(rules) => rules.iter().flat_map(Self::alarms).collect(),
        }
    }
}

struct Parser<'t> {
    rest: &'t str,
    depth: usize,
}

impl Parser<'_> {
    fn either(&mut self) -> Result<CompositeRule, String> {
        let mut rules = vec![self.both()?];
        while self.word("OR") {
            rules.push(self.both()?);
        }
        Ok(if rules.len() == 1 {
            rules.remove(0)
        } else {
            CompositeRule::Or(rules)
        })
    }

    fn both(&mut self) -> Result<CompositeRule, String> {
        let mut rules = vec![self.operand()?];
        while self.word("AND") {
            rules.push(self.operand()?);
        }
        Ok(if rules.len() == 1 {
            rules.remove(0)
        } else {
            CompositeRule::And(rules)
        })
    }

    fn operand(&mut self) -> Result<CompositeRule, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("the rule is nested too deeply".into());
        }
        let rule = if self.word("NOT") {
            CompositeRule::Not(Box::new(self.operand()?))
        } else if self.word("TRUE") {
            CompositeRule::Constant(true)
        } else if self.word("FALSE") {
            CompositeRule::Constant(false)
        } else if self.symbol('(') {
            let rule = self.either()?;
            self.close()?;
            rule
        } else {
            let states = [State::Alarm, State::Ok, State::InsufficientData];
            let state = states.into_iter().find(|state| self.word(state.name()));
            let state = state.ok_or_else(|| {
                format!(
                    "expected ALARM, OK, INSUFFICIENT_DATA, NOT, TRUE, FALSE or ( before '{}'",
                    self.rest
                )
            })?;
            if !self.symbol('(') {
                return Err(format!("expected ( before '{}'", self.rest));
            }
            let name = self.name()?;
            self.close()?;
            CompositeRule::Is(state, name)
        };
        self.depth -= 1;
        Ok(rule)
    }

    /// Takes the word, unless it is the beginning of a longer one.
    fn word(&mut self, word: &str) -> bool {
        let Some(after) = self.rest.strip_prefix(word) else {
            return false;
        };
        if after.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_') {
            return false;
        }
        self.rest = after.trim_start();
        true
    }

    fn symbol(&mut self, symbol: char) -> bool {
        match self.rest.strip_prefix(symbol) {
            Some(after) => {
                self.rest = after.trim_start();
                true
            }
            None => false,
        }
    }

    fn close(&mut self) -> Result<(), String> {
        match self.symbol(')') {
            true => Ok(()),
            false => Err(format!("expected ) before '{}'", self.rest)),
        }
    }

    /// A name, quoted or not, or the ARN of an alarm.
    fn name(&mut self) -> Result<String, String> {
        let quote = self.rest.chars().next().filter(|first| ['"', '\''].contains(first));
        let (name, after) = match quote {
            Some(quote) => self.rest[1..].split_once(quote).ok_or("a quote is not closed")?,
            None => {
                let end = self.rest.find(')').ok_or("expected )")?;
                self.rest.split_at(end)
            }
        };
        self.rest = after.trim_start();
        let name = name.trim();
        let name = name
            .split_once(":alarm:")
            .filter(|_| name.starts_with("arn:"))
            .map_or(name, |(_, name)| name);
        match name {
            "" => Err("an alarm's name is missing".into()),
            name => Ok(name.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_by_table() {
        let state_of = |name: &str| match name {
            "red" => Some(State::Alarm),
            "green" => Some(State::Ok),
            "a (b) \"c\"" => Some(State::Alarm),
            _ => None,
        };
        for (text, expected) in [
            ("ALARM(red)", true),
            ("ALARM(\"red\")", true),
            ("ALARM(arn:aws:cloudwatch:us-east-1:000000000000:alarm:red)", true),
            ("ALARM('a (b) \"c\"')", true),
            ("ALARM(green)", false),
            ("OK(green) AND ALARM(red)", true),
            ("ALARM(green) AND ALARM(red) OR OK(green)", true),
            ("ALARM(green) AND (ALARM(red) OR OK(green))", false),
            ("NOT ALARM(red)", false),
            ("NOT(ALARM(green))", true),
            ("INSUFFICIENT_DATA(gone)", true),
            ("TRUE AND NOT FALSE", true),
        ] {
            let rule = CompositeRule::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(rule.holds(&state_of), expected, "{text}");
        }
        assert_eq!(
            CompositeRule::parse("ALARM(a) OR NOT OK(\"b\")").unwrap().alarms(),
            ["a", "b"]
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "ALARM",
            "ALARM()",
            "ALARM(a",
            "ALARM(a) XOR OK(b)",
            "ALARMED(a)",
            "(ALARM(a)",
            "ALARM(\"a)",
            &"(".repeat(9999),
        ] {
            assert!(CompositeRule::parse(text).is_err(), "{text}");
        }
    }
}
