//! Answers `GET /hello`.

use lambda_http::{Error, Request, RequestExt, run, service_fn, tracing};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    run(service_fn(hello)).await
}

/// `?name=` says whom to greet.
async fn hello(request: Request) -> Result<String, Error> {
    let parameters = request.query_string_parameters();
    let name = parameters.first("name").unwrap_or("world");
    Ok(format!("hello, {name}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn greets_the_world() {
        assert_eq!(hello(Request::default()).await.unwrap(), "hello, world\n");
    }
}
