//! The answers that every function gives in one form.
//!
//! An error's body is `{"error":{"code","message","requestId"}}`. Its message never tells what went wrong inside;
//! the log line with the same request id does.

use lambda_http::http::{Response, StatusCode, header};
use lambda_http::{Body, Request, RequestExt};
use serde::Serialize;

/// An answer with this JSON text. `no-store`: a shared cache outside must not keep one caller's answer.
pub fn json(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::Text(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

/// 400: the caller can put it right, so the message says how.
pub fn invalid(request: &Request, message: &str) -> Response<Body> {
    error(request, StatusCode::BAD_REQUEST, "invalid_request", message)
}

/// 404: what was asked for does not exist.
pub fn not_found(request: &Request, message: &str) -> Response<Body> {
    error(request, StatusCode::NOT_FOUND, "not_found", message)
}

/// 503: something behind this function is down or too slow; the caller may try again.
pub fn outage(request: &Request) -> Response<Body> {
    let mut response = error(
        request,
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        "The service is temporarily unavailable. Try again.",
    );
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    response
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: ErrorText<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorText<'a> {
    code: &'a str,
    message: &'a str,
    request_id: &'a str,
}

fn error(request: &Request, status: StatusCode, code: &str, message: &str) -> Response<Body> {
    let request_id = request
        .lambda_context_ref()
        .map_or("", |context| context.request_id.as_str());
    let body = ErrorBody {
        error: ErrorText {
            code,
            message,
            request_id,
        },
    };
    let text = serde_json::to_string(&body).expect("strings always serialize");
    json(status, text)
}
