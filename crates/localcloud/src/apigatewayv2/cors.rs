//! CORS of HTTP APIs: preflight requests are answered by the gateway, and its headers win over a function's.
//!
//! API Gateway Developer Guide, "Configure CORS for HTTP APIs".

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::exchange::Exchange;
use super::record::Object;
use crate::members::Members;

/// The answer to a preflight request; None when it is none.
pub(super) fn preflight(cors: &Object, exchange: &Exchange) -> Option<Response<Bytes>> {
    let asks = exchange.verb == "OPTIONS" && exchange.header("access-control-request-method").is_some();
    let origin = exchange.header("origin").filter(|_| asks)?;
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Some(allowed) = allowed_origin(cors, &origin) {
        let headers = response.headers_mut();
        set(headers, "access-control-allow-origin", &allowed);
        set_list(headers, "access-control-allow-methods", &cors.texts("AllowMethods"));
        set_list(headers, "access-control-allow-headers", &cors.texts("AllowHeaders"));
        if let Some(seconds) = cors.integer("MaxAge") {
            set(headers, "access-control-max-age", &seconds.to_string());
        }
        set_credentials(headers, cors);
    }
    Some(response)
}

/// Takes the function's own CORS headers away and adds those of the configuration.
pub(super) fn apply(cors: &Object, exchange: &Exchange, headers: &mut HeaderMap) {
    let own: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("access-control-"))
        .cloned()
        .collect();
    for name in own {
        headers.remove(name);
    }
    let Some(allowed) = exchange
        .header("origin")
        .and_then(|origin| allowed_origin(cors, &origin))
    else {
        return;
    };
    set(headers, "access-control-allow-origin", &allowed);
    set_list(headers, "access-control-expose-headers", &cors.texts("ExposeHeaders"));
    set_credentials(headers, cors);
}

fn allowed_origin(cors: &Object, origin: &str) -> Option<String> {
    let allowed = cors.texts("AllowOrigins");
    if allowed.iter().any(|of| of == "*") {
        return Some("*".to_owned());
    }
    let fits = |of: &String| {
        of.eq_ignore_ascii_case(origin)
            // `https://*` and `http://*`
            || of.strip_suffix('*').is_some_and(|start| origin.starts_with(start))
    };
    allowed.iter().any(fits).then(|| origin.to_owned())
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn set_list(headers: &mut HeaderMap, name: &'static str, values: &[String]) {
    if !values.is_empty() {
        set(headers, name, &values.join(","));
    }
}

fn set_credentials(headers: &mut HeaderMap, cors: &Object) {
    if cors.flag("AllowCredentials") == Some(true) {
        set(headers, "access-control-allow-credentials", "true");
    }
}
