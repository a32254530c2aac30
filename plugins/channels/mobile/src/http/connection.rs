//! One open connection.

use super::Answer;
use http_body_util::{BodyExt, Collected, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::header::{HOST, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::error::Error as _;
use std::fmt::Display;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use url::{Position, Url};

/// The most that is read of an answer.
const ANSWER_LEN_MAX: usize = 64 << 10;
/// How long the body of an answer is waited for, once its head has come.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// How often an HTTP/2 connection is asked whether it is still there, idle or not, and how long it may take to
/// say so.
const PING_EVERY: Duration = Duration::from_mins(1);
const PING_MAX: Duration = Duration::from_secs(10);

type Body = Full<Bytes>;

/// One open connection. Of HTTP/2 there can be many for the same socket.
pub(crate) enum Connection {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

/// Why a connection gave no answer.
pub(crate) enum NotAnswered {
    /// It was closed before anything left: another one may do.
    Closed,
    /// The other side says that it did nothing with the request.
    NotProcessed(String),
    /// The request may have arrived.
    Unknown(String),
}

impl Connection {
    /// Begins to speak HTTP on `stream`.
    pub(crate) async fn open<S>(stream: S, is_http2: bool) -> hyper::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = TokioIo::new(stream);
        // How a connection ends is told to whoever waits for its answers.
        if is_http2 {
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .keep_alive_interval(PING_EVERY)
                .keep_alive_timeout(PING_MAX)
                .keep_alive_while_idle(true)
                .handshake(stream)
                .await?;
            tokio::spawn(connection);
            return Ok(Self::Http2(sender));
        }
        let (sender, connection) = http1::handshake(stream).await?;
        tokio::spawn(connection);
        Ok(Self::Http1(sender))
    }

    /// Whether it was closed, as far as we know.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_closed(),
            Self::Http2(sender) => sender.is_closed(),
        }
    }

    /// Posts `body`, and waits for the head of the answer.
    pub(crate) async fn post(
        &mut self,
        url: &Url,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response<Incoming>, NotAnswered> {
        let unknown = |why: &dyn Display| NotAnswered::Unknown(why.to_string());
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        request.headers_mut().clone_from(headers);
        let response = match self {
            Self::Http1(sender) => {
                let target = &url[Position::BeforePath..Position::AfterQuery];
                *request.uri_mut() = target.parse::<Uri>().map_err(|wrong| unknown(&wrong))?;
                let host = HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort]);
                request.headers_mut().insert(HOST, host.map_err(|wrong| unknown(&wrong))?);
                if sender.ready().await.is_err() {
                    return Err(NotAnswered::Closed);
                }
                sender.try_send_request(request).await
            }
            Self::Http2(sender) => {
                let target = &url[..Position::AfterQuery];
                *request.uri_mut() = target.parse::<Uri>().map_err(|wrong| unknown(&wrong))?;
                if sender.ready().await.is_err() {
                    return Err(NotAnswered::Closed);
                }
                sender.try_send_request(request).await
            }
        };
        response.map_err(not_answered)
    }
}

/// Reads the rest of an answer; from `deadline` on, its head has to do.
pub(crate) async fn answer(response: Response<Incoming>, deadline: Instant) -> Answer {
    let (head, body) = response.into_parts();
    let until = deadline.min(Instant::now() + ANSWER_MAX);
    let body = timeout_at(until, Limited::new(body, ANSWER_LEN_MAX).collect()).await;
    let body = body.ok().and_then(Result::ok).map(Collected::to_bytes).unwrap_or_default();
    Answer { status: head.status, headers: head.headers, body }
}

fn not_answered(mut error: TrySendError<Request<Body>>) -> NotAnswered {
    if error.take_message().is_some() {
        return NotAnswered::Closed;
    }
    let error = error.into_error();
    let cause = error.source().and_then(|cause| cause.downcast_ref::<h2::Error>());
    // A server that goes away names the last stream it looked at; only those behind it fail by that.
    let is_untouched = cause.is_some_and(|cause| {
        cause.is_remote() && (cause.is_go_away() || cause.reason() == Some(h2::Reason::REFUSED_STREAM))
    });
    let text = cause.map_or_else(|| error.to_string(), ToString::to_string);
    if is_untouched { NotAnswered::NotProcessed(text) } else { NotAnswered::Unknown(text) }
}
