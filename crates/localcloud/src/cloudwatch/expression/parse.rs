//! From text to [`Expression`].

use super::{Expression, Operator};

/// Deeper than any expression that AWS would take, far above what the stack holds.
const DEEPEST: usize = 64;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(f64),
    Text(String),
    Name(String),
    Symbol(&'static str),
}

const SYMBOLS: [&str; 18] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "^", "(", ")", "[", "]", ",",
];

/// The expression, or what is wrong with the text.
pub fn parse(text: &str) -> Result<Expression, String> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        place: 0,
        depth: 0,
    };
    let expression = parser.binary(0)?;
    match parser.tokens.get(parser.place) {
        None => Ok(expression),
        Some(token) => Err(format!("unexpected {} in '{text}'", shown(token))),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_ascii_digit() || first == '.' {
            let length = number_length(rest);
            let number = rest[..length]
                .parse()
                .map_err(|_| format!("{} is no number", &rest[..length]))?;
            tokens.push(Token::Number(number));
            length
        } else if first.is_ascii_alphabetic() || first == '_' {
            let length = rest
                .find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'))
                .unwrap_or(rest.len());
            tokens.push(Token::Name(rest[..length].to_owned()));
            length
        } else if first == '"' || first == '\'' {
            let end = rest[1..]
                .find(first)
                .ok_or_else(|| format!("a quote is not closed in '{text}'"))?;
            tokens.push(Token::Text(rest[1..=end].to_owned()));
            end + 2
        } else {
            let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
            let symbol = symbol.ok_or_else(|| format!("unexpected {first} in '{text}'"))?;
            tokens.push(Token::Symbol(symbol));
            symbol.len()
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut length = 0;
    while length < bytes.len() {
        let exponent = matches!(bytes[length], b'e' | b'E')
            && bytes
                .get(length + 1)
                .is_some_and(|next| next.is_ascii_digit() || b"+-".contains(next));
        match bytes[length] {
            b'0'..=b'9' | b'.' => length += 1,
            _ if exponent => length += 2,
            _ => break,
        }
    }
    length
}

fn shown(token: &Token) -> String {
    match token {
        Token::Number(number) => number.to_string(),
        Token::Text(text) => format!("\"{text}\""),
        Token::Name(name) => name.clone(),
        Token::Symbol(symbol) => (*symbol).to_owned(),
    }
}

struct Parser {
    tokens: Vec<Token>,
    place: usize,
    depth: usize,
}

/// Operators by how loosely they bind.
fn operator(token: &Token) -> Option<(u8, Operator)> {
    Some(match token {
        Token::Symbol("||") => (1, Operator::Or),
        Token::Symbol("&&") => (2, Operator::And),
        Token::Name(name) if name == "OR" => (1, Operator::Or),
        Token::Name(name) if name == "AND" => (2, Operator::And),
        Token::Symbol("==") => (3, Operator::Equal),
        Token::Symbol("!=") => (3, Operator::NotEqual),
        Token::Symbol("<") => (4, Operator::Less),
        Token::Symbol("<=") => (4, Operator::LessOrEqual),
        Token::Symbol(">") => (4, Operator::Greater),
        Token::Symbol(">=") => (4, Operator::GreaterOrEqual),
        Token::Symbol("+") => (5, Operator::Add),
        Token::Symbol("-") => (5, Operator::Subtract),
        Token::Symbol("*") => (6, Operator::Multiply),
        Token::Symbol("/") => (6, Operator::Divide),
        Token::Symbol("^") => (7, Operator::Power),
        _ => return None,
    })
}

impl Parser {
    fn binary(&mut self, loosest: u8) -> Result<Expression, String> {
        let mut left = self.operand()?;
        while let Some((strength, operator)) = self.tokens.get(self.place).and_then(operator) {
            if strength <= loosest {
                break;
            }
            self.place += 1;
            // A power binds its right side first: 2 ^ 3 ^ 2 is 2 ^ 9.
            let right = self.binary(if operator == Operator::Power {
                strength - 1
            } else {
                strength
            })?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("the expression is nested too deeply".into());
        }
        let token = self
            .tokens
            .get(self.place)
            .cloned()
            .ok_or("the expression breaks off")?;
        self.place += 1;
        let operand = match token {
            Token::Number(number) => Expression::Number(number),
            Token::Text(text) => Expression::Text(text),
            // Binds more strongly than anything but a power.
            Token::Symbol("-") => Expression::Negated(Box::new(self.binary(6)?)),
            Token::Symbol("+") => self.binary(6)?,
            Token::Symbol("(") => {
                let inner = self.binary(0)?;
                self.expect(")")?;
                inner
            }
            Token::Symbol("[") => Expression::Array(self.list("]")?),
            Token::Name(name) if self.tokens.get(self.place) == Some(&Token::Symbol("(")) => {
                self.place += 1;
                Expression::Call(name.to_ascii_uppercase(), self.list(")")?)
            }
            Token::Name(name) => Expression::Id(name),
            Token::Symbol(symbol) => return Err(format!("unexpected {symbol}")),
        };
        self.depth -= 1;
        Ok(operand)
    }

    /// Expressions up to the closing symbol, which is taken too.
    fn list(&mut self, close: &'static str) -> Result<Vec<Expression>, String> {
        let mut members = Vec::new();
        if self.tokens.get(self.place) == Some(&Token::Symbol(close)) {
            self.place += 1;
            return Ok(members);
        }
        loop {
            members.push(self.binary(0)?);
            if self.tokens.get(self.place) != Some(&Token::Symbol(",")) {
                self.expect(close)?;
                return Ok(members);
            }
            self.place += 1;
        }
    }

    fn expect(&mut self, symbol: &'static str) -> Result<(), String> {
        match self.tokens.get(self.place) {
            Some(token) if *token == Token::Symbol(symbol) => {
                self.place += 1;
                Ok(())
            }
            Some(token) => Err(format!("expected {symbol}, found {}", shown(token))),
            None => Err(format!("expected {symbol}, the expression breaks off")),
        }
    }
}
