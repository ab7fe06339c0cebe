//! How long a page may take. Live pages and files begin their answer within it too; what streams after is not cut off.

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::Fault;
use crate::error::Error;

const PATIENCE: Duration = Duration::from_secs(30);
/// For a large file over a slow line.
const FILE_PATIENCE: Duration = Duration::from_secs(600);
const RETRY_AFTER_S: u64 = 5;

/// Cuts off what takes too long: a form that never ends, a question that never stops.
pub async fn in_time(request: Request, next: Next) -> Response {
    let patience = match request.uri().path() {
        "/contacts/import" => FILE_PATIENCE,
        _ => PATIENCE,
    };
    within(patience, next.run(request)).await
}

async fn within(patience: Duration, answer: impl Future<Output = Response>) -> Response {
    tokio::time::timeout(patience, answer).await.unwrap_or_else(|_| {
        Fault(Error::Busy {
            retry_after_s: RETRY_AFTER_S,
        })
        .into_response()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_takes_too_long_is_answered_all_the_same() {
        let answer = within(Duration::from_millis(1), std::future::pending()).await;
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["retry-after"], "5");
    }
}
