//! A server that stands for a provider: takes requests, remembers them, and does as told.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// What a double speaks.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Speaks {
    Http1,
    /// Without TLS, and without asking.
    Http2,
    /// TLS, and of these whatever the other side prefers.
    Tls(&'static [&'static str]),
}

/// What a double does with a request.
pub(crate) enum Does {
    Answers(u16, Vec<(&'static str, String)>, String),
    /// Answers, and lets no other request come by this connection.
    Leaves(u16),
    /// Says that it did nothing with it.
    Refuses,
    /// Answers with a body that never ends.
    Drips(u16),
    /// Says nothing.
    Hangs,
    /// Closes the connection.
    Closes,
}

impl Does {
    pub(crate) fn answer(status: u16) -> Self {
        Self::Answers(status, Vec::new(), String::new())
    }

    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::Answers(status, Vec::new(), body.to_string())
    }

    pub(crate) fn with(self, name: &'static str, value: &str) -> Self {
        match self {
            Self::Answers(status, mut headers, body) => {
                headers.push((name, value.to_owned()));
                Self::Answers(status, headers, body)
            }
            other => other,
        }
    }
}

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) version: Version,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Got {
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What an answer has behind its head.
enum Body {
    Whole(Full<Bytes>),
    Endless,
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(cx),
            Self::Endless => Poll::Pending,
        }
    }
}

type Behavior = Arc<dyn Fn(&Got) -> Does + Send + Sync>;

/// Stands for a provider on a free port, until it is dropped.
pub(crate) struct Double {
    address: SocketAddr,
    scheme: &'static str,
    /// Its certificate in PEM, if it speaks TLS.
    pub(crate) certificate: String,
    seen: Arc<Seen>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    got: Mutex<Vec<Got>>,
    n_connections: AtomicUsize,
}

impl Double {
    pub(crate) fn start(speaks: Speaks, does: impl Fn(&Got) -> Does + Send + Sync + 'static) -> Self {
        let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (certificate, acceptor) = match speaks {
            Speaks::Tls(protocols) => tls(protocols),
            Speaks::Http1 | Speaks::Http2 => (String::new(), None),
        };
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let seen = Arc::new(Seen::default());
        let accepting =
            runtime().spawn(accept(listener, acceptor, speaks, Arc::clone(&seen), Arc::new(does)));
        Self { address, scheme, certificate, seen, accepting }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The requests that came until now.
    pub(crate) fn got(&self) -> Vec<Got> {
        self.seen.got.lock().unwrap().clone()
    }

    pub(crate) fn n_connections(&self) -> usize {
        self.seen.n_connections.load(Ordering::Relaxed)
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// An address where nobody listens.
pub(crate) fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap())
}

fn tls(protocols: &[&str]) -> (String, Option<TlsAcceptor>) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".into()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let pem = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        BASE64_STANDARD.encode(made.cert.der())
    );
    (pem, Some(Arc::new(config).into()))
}

async fn accept(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    speaks: Speaks,
    seen: Arc<Seen>,
    does: Behavior,
) {
    while let Ok((stream, _)) = listener.accept().await {
        seen.n_connections.fetch_add(1, Ordering::Relaxed);
        let (acceptor, seen, does) = (acceptor.clone(), Arc::clone(&seen), Arc::clone(&does));
        tokio::spawn(async move {
            match acceptor {
                None => serve(stream, speaks == Speaks::Http2, seen, does).await,
                // One that does not trust the certificate goes away.
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                        serve(stream, is_http2, seen, does).await;
                    }
                }
            }
        });
    }
}

async fn serve<S>(stream: S, is_http2: bool, seen: Arc<Seen>, does: Behavior)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (closing, leaving) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let service = {
        let (closing, leaving) = (Arc::clone(&closing), Arc::clone(&leaving));
        service_fn(move |request| {
            respond(request, Arc::clone(&seen), Arc::clone(&does), Arc::clone(&closing), Arc::clone(&leaving))
        })
    };
    let stream = TokioIo::new(stream);
    if is_http2 {
        let connection = http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service);
        let mut connection = pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            () = closing.notified() => return,
            () = leaving.notified() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    } else {
        let connection = http1::Builder::new().serve_connection(stream, service);
        tokio::select! {
            _ = connection => {}
            () = closing.notified() => {}
        }
    }
}

async fn respond(
    request: Request<Incoming>,
    seen: Arc<Seen>,
    does: Behavior,
    closing: Arc<Notify>,
    leaving: Arc<Notify>,
) -> Result<Response<Body>, h2::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
    let path = head.uri.path_and_query().unwrap().as_str().to_owned();
    let got = Got { version: head.version, path, headers: head.headers, body };
    seen.got.lock().unwrap().push(got.clone());
    let (status, headers, body) = match does(&got) {
        Does::Answers(status, headers, body) => (status, headers, body),
        Does::Leaves(status) => {
            leaving.notify_one();
            (status, Vec::new(), String::new())
        }
        Does::Drips(status) => {
            let mut response = Response::new(Body::Endless);
            *response.status_mut() = status.try_into().unwrap();
            return Ok(response);
        }
        Does::Refuses => return Err(h2::Reason::REFUSED_STREAM.into()),
        Does::Hangs => std::future::pending().await,
        Does::Closes => {
            closing.notify_one();
            std::future::pending().await
        }
    };
    let mut response = Response::new(Body::Whole(Full::new(Bytes::from(body))));
    *response.status_mut() = status.try_into().unwrap();
    for (name, value) in headers {
        response.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap());
    }
    Ok(response)
}
