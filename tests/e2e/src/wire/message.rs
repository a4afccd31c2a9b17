//! HTTP/1.1 messages as they come, and which call of which service one is. As much of RFC 9112 as the AWS SDKs and
//! hyper use.

use std::fmt;
use std::io::{BufRead, Read, Write};
use std::net::TcpStream;

use super::Fault;

/// One request or answer, byte for byte.
pub(super) struct Message {
    /// First line and fields, with the empty line.
    pub(super) head: Vec<u8>,
    /// As on the wire, chunks included.
    pub(super) body: Vec<u8>,
    /// Whether the connection ends with it.
    pub(super) closes: bool,
}

impl Message {
    fn first_line(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.head);
        let line = text.lines().next().unwrap_or_default();
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn field(&self, name: &str) -> Option<String> {
        field(&self.head, name)
    }
}

fn field(head: &[u8], name: &str) -> Option<String> {
    String::from_utf8_lossy(head).lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

/// `None` where the connection ended.
pub(super) fn read_request(from: &mut impl BufRead, to: &TcpStream) -> Option<Message> {
    let head = read_head(from)?;
    if field(&head, "expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        { to }.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    let body = read_body(from, &head, false)?;
    Some(Message {
        closes: false,
        body,
        head,
    })
}

/// The answer to `request`; `None` where none came.
pub(super) fn read_response(from: &mut impl BufRead, request: &Message) -> Option<Message> {
    loop {
        let head = read_head(from)?;
        let status: u16 = String::from_utf8_lossy(&head).split_whitespace().nth(1)?.parse().ok()?;
        if status == 100 {
            continue;
        }
        let has_none = status == 204 || status == 304 || request.head.starts_with(b"HEAD ");
        let body = if has_none {
            Vec::new()
        } else {
            read_body(from, &head, true)?
        };
        let closes = field(&head, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
            || !has_none && field(&head, "content-length").is_none() && !is_chunked(&head);
        return Some(Message { head, body, closes });
    }
}

fn read_head(from: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    loop {
        let before = head.len();
        from.read_until(b'\n', &mut head).ok()?;
        match &head[before..] {
            [] => return None,
            b"\r\n" => return Some(head),
            _ => {}
        }
    }
}

fn is_chunked(head: &[u8]) -> bool {
    field(head, "transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked"))
}

/// Where neither a length nor chunks are told, a request has no body and an answer goes on to the connection's end.
fn read_body(from: &mut impl BufRead, head: &[u8], to_the_end: bool) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    if is_chunked(head) {
        loop {
            let before = body.len();
            from.read_until(b'\n', &mut body).ok()?;
            let line = String::from_utf8_lossy(&body[before..]).into_owned();
            let length = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
            if length == 0 {
                // The trailer, up to the empty line.
                body.extend(read_head(from)?);
                return Some(body);
            }
            from.take(length as u64 + 2).read_to_end(&mut body).ok()?;
        }
    }
    match field(head, "content-length") {
        Some(length) => {
            let length: u64 = length.parse().ok()?;
            from.take(length).read_to_end(&mut body).ok()?;
        }
        None if to_the_end => drop(from.read_to_end(&mut body).ok()?),
        None => {}
    }
    Some(body)
}

/// One call of a service's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// From 0.
    pub number: usize,
    /// As in the signature's scope: `apigateway`, `lambda`, `s3`, …
    pub service: String,
    /// `UpdateStack`, or method and path where the protocol names no operation.
    pub operation: String,
    /// Whether it may change something.
    pub is_change: bool,
    /// What it carries: `Action=ModifyDBInstance&…`, or a document.
    pub body: String,
    /// What became of it.
    pub fault: Fault,
    protocol: Protocol,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Query,
    Json,
    RestJson,
    S3,
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "call {}: {} {}", self.number, self.service, self.operation)
    }
}

impl Call {
    /// `None` for what is no call of a service: requests to a deployed API, and the cloud's own pages.
    pub(super) fn of(request: &Message, number: usize) -> Option<Call> {
        let line = request.first_line();
        let (method, path) = (line.first()?, line.get(1)?.split('?').next()?);
        let scope = request.field("authorization")?;
        let service = scope.split_once("Credential=")?.1.split('/').nth(3)?.to_owned();
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let target = request.field("x-amz-target");
        let named = target
            .and_then(|target| Some(target.rsplit_once('.')?.1.to_owned()))
            .or_else(|| Some(path.split_once("/operation/")?.1.to_owned()))
            .map(|name| (Protocol::Json, name))
            .or_else(|| {
                let action = body.split('&').find_map(|pair| pair.strip_prefix("Action="))?;
                Some((Protocol::Query, action.to_owned()))
            });
        let reads = |name: &str| {
            ["Get", "List", "Describe", "Head"]
                .iter()
                .any(|verb| name.starts_with(verb))
        };
        let (protocol, operation, is_change) = match named {
            Some((protocol, name)) => {
                let is_change = !reads(&name);
                (protocol, name, is_change)
            }
            None => {
                let protocol = if service == "s3" {
                    Protocol::S3
                } else {
                    Protocol::RestJson
                };
                let is_change = !matches!(method.as_str(), "GET" | "HEAD");
                (protocol, format!("{method} {path}"), is_change)
            }
        };
        Some(Call {
            number,
            service,
            operation,
            is_change,
            body,
            fault: Fault::None,
            protocol,
        })
    }

    /// The forms of <https://docs.aws.amazon.com/apigateway/latest/api/CommonErrors.html> and its like of the others.
    pub(super) fn throttled(&self) -> Message {
        match self.protocol {
            Protocol::Query => self.refused(400, "Throttling", "Rate exceeded"),
            Protocol::Json => self.refused(400, "ThrottlingException", "Rate exceeded"),
            Protocol::RestJson => self.refused(429, "TooManyRequestsException", "Rate exceeded"),
            Protocol::S3 => self.refused(503, "SlowDown", "Please reduce your request rate."),
        }
    }

    pub(super) fn broken(&self) -> Message {
        match self.protocol {
            Protocol::Query | Protocol::Json => self.refused(500, "InternalFailure", "It failed inside."),
            Protocol::RestJson => self.refused(500, "ServiceException", "It failed inside."),
            Protocol::S3 => self.refused(
                500,
                "InternalError",
                "We encountered an internal error. Please try again.",
            ),
        }
    }

    fn refused(&self, status: u16, code: &str, message: &str) -> Message {
        let (kind, body) = match self.protocol {
            Protocol::Query => (
                "text/xml",
                format!(
                    "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                     <RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"
                ),
            ),
            Protocol::Json | Protocol::RestJson => (
                "application/json",
                serde_json::json!({ "__type": code, "message": message }).to_string(),
            ),
            Protocol::S3 => (
                "application/xml",
                format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"),
            ),
        };
        let head = format!(
            "HTTP/1.1 {status} Refused\r\nContent-Type: {kind}\r\nx-amzn-ErrorType: {code}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Message {
            head: head.into_bytes(),
            body: body.into_bytes(),
            closes: false,
        }
    }
}
