//! Which route of an HTTP API a request reaches.
//!
//! API Gateway Developer Guide, "Routing API requests": a full match wins over one with a greedy variable, that over
//! `$default`; a fixed part wins over a variable, a method over `ANY`.

use super::record::ApiKind;
use crate::percent::percent_decoded;

/// The values of a path's variables.
pub(super) type PathParameters = Vec<(String, String)>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RouteKey {
    /// `$default`, and any key of a WebSocket API.
    Named(String),
    /// `GET /pets/{id}`
    Path { verb: String, segments: Vec<Segment> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Fixed(String),
    Variable(String),
    Greedy(String),
}

impl RouteKey {
    pub fn parse(kind: ApiKind, key: &str) -> Option<Self> {
        if kind == ApiKind::WebSocket || key == "$default" {
            return (!key.is_empty()).then(|| Self::Named(key.to_owned()));
        }
        let (verb, path) = key.split_once(' ')?;
        let known = ["ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
        if !known.contains(&verb) {
            return None;
        }
        let parts: Vec<&str> = path
            .strip_prefix('/')?
            .split('/')
            .filter(|part| !part.is_empty())
            .collect();
        let mut segments = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            let inner = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
            segments.push(match inner {
                Some(name) => match name.strip_suffix('+') {
                    Some(name) if index + 1 == parts.len() && !name.is_empty() => Segment::Greedy(name.to_owned()),
                    Some(_) => return None,
                    None if name.is_empty() => return None,
                    None => Segment::Variable(name.to_owned()),
                },
                None if part.contains(['{', '}']) => return None,
                None => Segment::Fixed((*part).to_owned()),
            });
        }
        Some(Self::Path {
            verb: verb.to_owned(),
            segments,
        })
    }

    /// How well a request fits, larger is better, and the values of the path's variables; None when it does not.
    /// `path` begins with `/` and is still percent-encoded.
    pub fn fits(&self, verb: &str, path: &str) -> Option<(Vec<u8>, PathParameters)> {
        let Self::Path { verb: wanted, segments } = self else {
            return None;
        };
        if wanted != "ANY" && wanted != verb {
            return None;
        }
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let is_greedy = matches!(segments.last(), Some(Segment::Greedy(_)));
        if is_greedy && parts.len() < segments.len() || !is_greedy && parts.len() != segments.len() {
            return None;
        }
        let mut rank = vec![u8::from(!is_greedy)];
        let mut variables = Vec::new();
        for (segment, (index, part)) in segments.iter().zip(parts.iter().enumerate()) {
            match segment {
                Segment::Fixed(text) if *text == percent_decoded(part) => rank.push(2),
                Segment::Fixed(_) => return None,
                Segment::Variable(name) => {
                    rank.push(1);
                    variables.push((name.clone(), percent_decoded(part)));
                }
                Segment::Greedy(name) => {
                    rank.push(0);
                    variables.push((name.clone(), percent_decoded(&parts[index..].join("/"))));
                }
            }
        }
        rank.push(u8::from(wanted != "ANY"));
        Some((rank, variables))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best<'a>(keys: &[&'a str], verb: &str, path: &str) -> Option<&'a str> {
        let fitting = keys.iter().filter_map(|key| {
            let (rank, _) = RouteKey::parse(ApiKind::Http, key)?.fits(verb, path)?;
            Some((rank, *key))
        });
        fitting.max().map(|(_, key)| key)
    }

    #[test]
    fn the_most_specific_route_wins() {
        // The example of "Routing API requests".
        let keys = [
            "GET /pets/dog/1",
            "GET /pets/dog/{id}",
            "GET /pets/{proxy+}",
            "ANY /{proxy+}",
        ];
        for (verb, path, expected) in [
            ("GET", "/pets/dog/1", "GET /pets/dog/1"),
            ("GET", "/pets/dog/2", "GET /pets/dog/{id}"),
            ("GET", "/pets/cat/1", "GET /pets/{proxy+}"),
            ("POST", "/test/5", "ANY /{proxy+}"),
        ] {
            assert_eq!(best(&keys, verb, path), Some(expected), "{verb} {path}");
        }
        assert_eq!(best(&keys[..3], "POST", "/pets/dog/1"), None);
        assert_eq!(best(&["ANY /a", "GET /a"], "GET", "/a/"), Some("GET /a"));
    }

    #[test]
    fn variables_are_decoded_and_broken_keys_refused() {
        let key = RouteKey::parse(ApiKind::Http, "GET /a/{id}/{rest+}").unwrap();
        let (_, variables) = key.fits("GET", "/a/x%20y/1/2").unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(variables, [pair("id", "x y"), pair("rest", "1/2")]);
        for broken in ["/a", "FETCH /a", "GET a", "GET /{a+}/b", "GET /{}", "GET /x{a}"] {
            assert_eq!(RouteKey::parse(ApiKind::Http, broken), None, "{broken}");
        }
        assert!(RouteKey::parse(ApiKind::WebSocket, "sendMessage").is_some());
    }
}
