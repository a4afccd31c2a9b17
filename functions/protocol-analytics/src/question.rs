//! What a caller may ask, checked before anything is looked up.

use jiff::Timestamp;
use lambda_http::{Request, RequestExt};

/// As wide as the column `protocol_id`.
const LONGEST_PROTOCOL_ID: usize = 255;
const DEFAULT_LIMIT: u32 = 30;
const LARGEST_LIMIT: u32 = 1000;

/// A valid request for a protocol's performance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub protocol_id: String,
    /// At most this many points, the newest ones.
    pub limit: u32,
    /// Only points at or after this time.
    pub from: Option<Timestamp>,
    /// Only points before this time, so that neighbouring ranges share no point.
    pub to: Option<Timestamp>,
}

/// Why a request is refused, in words for its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(pub String);

impl Question {
    /// Reads the path parameter `protocolId` and the query parameters `limit` (1 to 1000, 30), `from` and `to`
    /// (RFC 3339 with an offset). A parameter given twice is refused; one with another name is ignored.
    pub fn read(request: &Request) -> Result<Self, Invalid> {
        let path = request.path_parameters();
        let protocol_id = path.first("protocolId").unwrap_or_default().to_owned();
        if protocol_id.is_empty()
            || protocol_id.chars().count() > LONGEST_PROTOCOL_ID
            || protocol_id.chars().any(char::is_control)
        {
            return Err(Invalid(format!(
                "protocolId must be 1 to {LONGEST_PROTOCOL_ID} printable characters"
            )));
        }
        let limit = match parameter(request, "limit")? {
            None => DEFAULT_LIMIT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=LARGEST_LIMIT).contains(limit))
                .ok_or_else(|| Invalid(format!("limit must be a number from 1 to {LARGEST_LIMIT}")))?,
        };
        let from = instant(request, "from")?;
        let to = instant(request, "to")?;
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            return Err(Invalid("from must be before to".to_owned()));
        }
        Ok(Self {
            protocol_id,
            limit,
            from,
            to,
        })
    }

    /// The cache's key. `v1` is the form of the answer: both slots share the cache, so a version that answers otherwise counts it up.
    pub fn cache_key(&self) -> String {
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
        format!(
            "protocol-performance:v1:{}:{}:{}:{}",
            self.limit,
            time(self.from),
            time(self.to),
            self.protocol_id
        )
    }
}

fn parameter(request: &Request, name: &str) -> Result<Option<String>, Invalid> {
    let query = request.query_string_parameters();
    match query.all(name).unwrap_or_default().as_slice() {
        [] => Ok(None),
        [value] => Ok(Some((*value).to_owned())),
        _ => Err(Invalid(format!("{name} is given more than once"))),
    }
}

fn instant(request: &Request, name: &str) -> Result<Option<Timestamp>, Invalid> {
    let Some(text) = parameter(request, name)? else {
        return Ok(None);
    };
    let time = text
        .parse::<Timestamp>()
        .map_err(|_| Invalid(format!("{name} must be a time such as 2025-10-14T00:00:00Z")))?;
    Ok(Some(time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_http::Body;
    use lambda_http::http::Request as HttpRequest;
    use std::collections::HashMap;

    fn read(protocol: &str, query: &[(&str, &[&str])]) -> Result<Question, Invalid> {
        let query: HashMap<String, Vec<String>> = query
            .iter()
            .map(|(name, values)| {
                (
                    (*name).to_owned(),
                    values.iter().map(|value| (*value).to_owned()).collect(),
                )
            })
            .collect();
        let path = HashMap::from([("protocolId".to_owned(), vec![protocol.to_owned()])]);
        let request = HttpRequest::new(Body::Empty)
            .with_path_parameters(path)
            .with_query_string_parameters(query);
        Question::read(&request)
    }

    #[test]
    fn without_parameters_the_defaults_hold() {
        let question = read("uniswap-v3", &[]).unwrap();
        assert_eq!(
            question,
            Question {
                protocol_id: "uniswap-v3".into(),
                limit: 30,
                from: None,
                to: None
            }
        );
    }

    #[test]
    fn a_range_and_a_limit_are_read() {
        let question = read(
            "aave",
            &[
                ("limit", &["1000"]),
                ("from", &["2025-10-14T02:00:00+02:00"]),
                ("to", &["2025-10-15T00:00:00Z"]),
            ],
        )
        .unwrap();
        assert_eq!(question.limit, 1000);
        assert_eq!(question.from.unwrap().to_string(), "2025-10-14T00:00:00Z");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let long = "x".repeat(256);
        type Query<'a> = &'a [(&'a str, &'a [&'a str])];
        let cases: [(&str, Query, &str); 10] = [
            ("", &[], "protocolId must be 1 to 255 printable characters"),
            (&long, &[], "protocolId must be 1 to 255 printable characters"),
            ("a\0b", &[], "protocolId must be 1 to 255 printable characters"),
            ("a", &[("limit", &["0"])], "limit must be a number from 1 to 1000"),
            ("a", &[("limit", &["1001"])], "limit must be a number from 1 to 1000"),
            ("a", &[("limit", &["many"])], "limit must be a number from 1 to 1000"),
            ("a", &[("limit", &["1", "2"])], "limit is given more than once"),
            (
                "a",
                &[("from", &["yesterday"])],
                "from must be a time such as 2025-10-14T00:00:00Z",
            ),
            (
                "a",
                &[("to", &["2025-10-14"])],
                "to must be a time such as 2025-10-14T00:00:00Z",
            ),
            (
                "a",
                &[("from", &["2025-10-14T00:00:00Z"]), ("to", &["2025-10-14T00:00:00Z"])],
                "from must be before to",
            ),
        ];
        for (protocol, query, message) in cases {
            assert_eq!(read(protocol, query), Err(Invalid(message.to_owned())));
        }
    }

    #[test]
    fn different_questions_have_different_keys() {
        let keys = [
            read("a", &[]).unwrap().cache_key(),
            read("b", &[]).unwrap().cache_key(),
            read("a", &[("limit", &["1"])]).unwrap().cache_key(),
            read("a", &[("from", &["2025-10-14T00:00:00Z"])]).unwrap().cache_key(),
            read("a", &[("to", &["2025-10-14T00:00:00Z"])]).unwrap().cache_key(),
        ];
        let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }
}
