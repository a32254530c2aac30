//! Opens connections, and checks where they lead at that very moment.

use super::connection::Connection;
use super::reach::Reach;
use super::{NoAnswer, Protocol};
use podium_plugin::prelude::*;
use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::{Host, Url};

/// How long name, connection and TLS may take together.
const CONNECT_MAX: Duration = Duration::from_secs(5);
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// Opens connections.
pub(crate) struct Connector {
    tls: TlsConnector,
    protocol: Protocol,
    reach: Reach,
}

impl Connector {
    pub(crate) fn new(protocol: Protocol, reach: Reach, roots: &RootCertStore) -> Result<Self> {
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|wrong| Error::internal(format!("TLS: {wrong}")))?;
        let mut config = config.with_root_certificates(roots.clone()).with_no_client_auth();
        config.alpn_protocols = match protocol {
            Protocol::Http2 => vec![HTTP2.into()],
            Protocol::Negotiated => vec![HTTP2.into(), HTTP1.into()],
        };
        Ok(Self { tls: Arc::new(config).into(), protocol, reach })
    }

    /// Opens a connection to the origin of `url`.
    pub(crate) async fn connect(&self, url: &Url) -> Result<Connection, NoAnswer> {
        let connection = timeout(CONNECT_MAX, self.open(url)).await;
        connection.map_err(|_| NoAnswer::NotSent("no connection in time".into()))?
    }

    async fn open(&self, url: &Url) -> Result<Connection, NoAnswer> {
        let addresses = self.addresses(url).await?;
        // To the addresses that were checked: the name is not asked for again.
        let stream = TcpStream::connect(addresses.as_slice()).await.map_err(not_sent)?;
        stream.set_nodelay(true).map_err(not_sent)?;
        if url.scheme() != "https" {
            return Connection::open(stream, self.protocol == Protocol::Http2).await.map_err(not_sent);
        }
        // A literal address of IPv6 has brackets in a URL, and none in a certificate.
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host).map_err(not_sent)?;
        let stream = self.tls.connect(name, stream).await.map_err(not_sent)?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP2);
        if self.protocol == Protocol::Http2 && !is_http2 {
            return Err(NoAnswer::NotSent("the other side does not speak HTTP/2".into()));
        }
        Connection::open(stream, is_http2).await.map_err(not_sent)
    }

    /// Finds the addresses of the host, all of which may be reached.
    async fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, NoAnswer> {
        let port = url.port_or_known_default().unwrap_or_default();
        let addresses = match url.host() {
            Some(Host::Domain(name)) => lookup_host((name, port)).await.map_err(not_sent)?.collect(),
            Some(Host::Ipv4(address)) => vec![(address, port).into()],
            Some(Host::Ipv6(address)) => vec![(address, port).into()],
            None => Vec::new(),
        };
        check(self.reach, &addresses)?;
        Ok(addresses)
    }
}

/// Lets addresses pass if every one of them may be reached: a name that leads inside as well leads inside.
fn check(reach: Reach, addresses: &[SocketAddr]) -> Result<(), NoAnswer> {
    if addresses.iter().all(|address| reach.covers(address.ip())) {
        return Ok(());
    }
    Err(NoAnswer::Forbidden("the endpoint is not on the public internet".into()))
}

fn not_sent(why: impl Display) -> NoAnswer {
    NoAnswer::NotSent(format!("no connection: {why}"))
}

#[cfg(test)]
mod tests {
    use super::{NoAnswer, Reach, check};

    #[test]
    fn one_address_inside_is_enough_to_refuse_a_name() {
        let outside = "1.1.1.1:443".parse().unwrap();
        let inside = "10.0.0.1:443".parse().unwrap();
        assert!(check(Reach::Public, &[outside, outside]).is_ok());
        for addresses in [[inside, outside], [outside, inside]] {
            assert!(matches!(check(Reach::Public, &addresses), Err(NoAnswer::Forbidden(_))));
        }
    }
}
