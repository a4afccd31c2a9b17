//! Which service a request is for, and which operation of a REST service.

use http::HeaderMap;
use http::request::Parts;

use super::model::{Http, Location, Model, Operation, model, models};

/// The service that a request means: by its signature's scope, else by what only that service's requests have.
pub fn service(parts: &Parts, query: &[(String, String)], form: &[(String, String)]) -> Result<&'static Model, String> {
    if let Some(target) = header(&parts.headers, "x-amz-target")
        && let Some(model) = all().find(|model| target.split('.').next() == model.metadata.target_prefix.as_deref())
    {
        return Ok(model);
    }
    let path = parts.uri.path();
    if let Some(rest) = path.strip_prefix("/service/") {
        let prefix = rest.split('/').next();
        if let Some(model) = all().find(|model| model.metadata.target_prefix.as_deref() == prefix) {
            return Ok(model);
        }
    }
    if let Some(scope) = scope(&parts.headers, query) {
        // Both kinds of APIs are signed for by one name; their paths tell them apart.
        if scope.service == "apigateway"
            && path.starts_with("/v2/")
            && let Some(model) = model("apigatewayv2")
        {
            return Ok(model);
        }
        let signed = |model: &&Model| model.signing_name() == scope.service;
        return all().find(signed).ok_or_else(|| scope.service.to_owned());
    }
    let value = |name: &str| {
        form.iter()
            .chain(query)
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    if let (Some(_), Some(version)) = (value("Action"), value("Version")) {
        let same = |model: &&Model| model.speaks("query") && model.metadata.api_version == version;
        return all().find(same).ok_or_else(|| format!("query version {version}"));
    }
    let unsigned = ["lambda", "apigateway", "apigatewayv2", "apigatewaymanagementapi"]
        .into_iter()
        .filter_map(model);
    let mut by_path = unsigned.filter(|model| rest_operation(model, parts, path, query).is_some());
    // An unsigned request that names no other service is a browser's or curl's to S3.
    by_path
        .next()
        .or_else(|| model("s3"))
        .ok_or_else(|| "an unknown service".to_owned())
}

fn all() -> impl Iterator<Item = &'static Model> {
    models().filter_map(model)
}

pub struct Scope<'a> {
    pub region: &'a str,
    pub service: &'a str,
}

/// The credential scope `ID/date/region/service/aws4_request` of a header or a presigned URL.
pub fn scope<'a>(headers: &'a HeaderMap, query: &'a [(String, String)]) -> Option<Scope<'a>> {
    let from_header = header(headers, "authorization")
        .and_then(|value| value.split_once("Credential="))
        .map(|(_, rest)| rest.split([',', ' ']).next().unwrap_or(rest));
    let from_query = || {
        query
            .iter()
            .find(|(key, _)| key == "X-Amz-Credential")
            .map(|(_, value)| value.as_str())
    };
    let mut parts = from_header.or_else(from_query)?.split('/').skip(2);
    Some(Scope {
        region: parts.next()?,
        service: parts.next()?,
    })
}

pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// What a request of a REST service is, with the raw (still encoded) values of the labels in its path.
pub enum Route<'m> {
    Served {
        name: &'m str,
        operation: &'m Operation,
        labels: Vec<(&'m str, String)>,
    },
    Unserved {
        name: &'m str,
    },
}

/// The most specific operation whose method, path and literal query match: one that has more literals wins, then one
/// whose required headers and query members are all there.
pub fn rest_operation<'m>(
    model: &'m Model,
    parts: &Parts,
    path: &str,
    query: &[(String, String)],
) -> Option<Route<'m>> {
    let mut best: Option<(usize, Route<'m>)> = None;
    let mut offer = |score: usize, route: Route<'m>| {
        if best.as_ref().is_none_or(|(other, _)| score > *other) {
            best = Some((score, route));
        }
    };
    for (name, operation) in &model.operations {
        let Some((score, labels)) = matches(&operation.http, parts, path, query) else {
            continue;
        };
        let score = match required_present(model, operation, parts, query) {
            Some(count) => 1 + score * 64 + count * 2,
            None => score * 64,
        };
        offer(
            score,
            Route::Served {
                name,
                operation,
                labels,
            },
        );
    }
    for (name, http) in &model.unserved {
        if let Some((score, _)) = matches(http, parts, path, query) {
            offer(score * 64, Route::Unserved { name });
        }
    }
    best.map(|(_, route)| route)
}

/// How many required headers and query members an operation has, when all of them are there.
fn required_present(model: &Model, operation: &Operation, parts: &Parts, query: &[(String, String)]) -> Option<usize> {
    let Some(input) = &operation.input else { return Some(0) };
    let shape = model.shape(&input.shape);
    let mut count = 0;
    for name in &shape.required {
        let Some(member) = shape.members.get(name) else {
            continue;
        };
        let wire = member.wire_name(name);
        match member.location {
            Some(Location::Header) if !parts.headers.contains_key(wire) => return None,
            Some(Location::QueryString) if !query.iter().any(|(key, _)| key == wire) => return None,
            Some(Location::Header | Location::QueryString) => count += 1,
            _ => {}
        }
    }
    Some(count)
}

fn matches<'m>(
    http: &'m Http,
    parts: &Parts,
    path: &str,
    query: &[(String, String)],
) -> Option<(usize, Vec<(&'m str, String)>)> {
    if http.method != parts.method.as_str() {
        return None;
    }
    let (template, literals) = http.request_uri.split_once('?').unwrap_or((&http.request_uri, ""));
    let mut score = 0;
    for literal in literals.split('&').filter(|literal| !literal.is_empty()) {
        let (key, value) = literal.split_once('=').unwrap_or((literal, ""));
        if !query
            .iter()
            .any(|(name, given)| name == key && (value.is_empty() || given == value))
        {
            return None;
        }
        score += 1;
    }
    let mut labels = Vec::new();
    let mut rest = path.strip_prefix('/')?;
    let mut segments = template
        .trim_start_matches('/')
        .split('/')
        .filter(|segment| !segment.is_empty())
        .peekable();
    if segments.peek().is_none() {
        return rest.is_empty().then_some((score, labels));
    }
    let mut more = !rest.is_empty();
    while let Some(segment) = segments.next() {
        if !more {
            return None;
        }
        let label = segment.strip_prefix('{').and_then(|label| label.strip_suffix('}'));
        if let Some(greedy) = label.and_then(|label| label.strip_suffix('+')) {
            // Literal segments may follow a greedy label: `/{resourceArn+}/tags`; our models have none.
            (!rest.is_empty()).then_some(())?;
            labels.push((greedy, rest.to_owned()));
            return Some((score, labels));
        }
        let (value, after) = match rest.split_once('/') {
            // A trailing slash is no further segment.
            Some((value, "")) if segments.peek().is_none() => (value, None),
            Some((value, after)) => (value, Some(after)),
            None => (rest, None),
        };
        match label {
            Some(label) if !value.is_empty() => labels.push((label, value.to_owned())),
            Some(_) => return None,
            None if segment == value => score += 4,
            None => return None,
        }
        more = after.is_some();
        rest = after.unwrap_or_default();
    }
    (!more).then_some((score, labels))
}
