//! Where calls go, checked before any is made.

use super::Reach;
use std::net::ToSocketAddrs;
use ureq::http::Uri;

/// The longest address, in bytes.
pub(crate) const LENGTH_MAX: usize = 2_000;

/// Why nothing is sent there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadAddress {
    /// It is none.
    #[error("an address such as https://shop.example/hooks, of at most {LENGTH_MAX} bytes, without a user")]
    Form,
    /// Its port is no port of the web.
    #[error("port {0} is none of 80 and 443, and the server does not allow others")]
    Port(u16),
    /// It leads inside.
    #[error("`{0}` is no address of the public internet, and the server does not allow others")]
    Inside(String),
}

/// Checks an address, and whether it leads where calls may reach: as far as that is known now. What it leads to
/// is checked again at each connection. A name that leads nowhere for now may lead somewhere later.
///
/// # Errors
///
/// [`BadAddress`].
pub(crate) async fn check(text: &str, reach: Reach) -> Result<(), BadAddress> {
    let (host, port) = parts(text)?;
    if !reach.covers_port(port) {
        return Err(BadAddress::Port(port));
    }
    let asked = (host.trim_matches(['[', ']']).to_owned(), port);
    let found = tokio::task::spawn_blocking(move || asked.to_socket_addrs()).await;
    let leads_inside =
        found.is_ok_and(|found| found.is_ok_and(|mut all| all.any(|one| !reach.covers(one.ip()))));
    if leads_inside { Err(BadAddress::Inside(host)) } else { Ok(()) }
}

/// The host and the port of an address.
fn parts(text: &str) -> Result<(String, u16), BadAddress> {
    let uri: Uri = text.parse().map_err(|_| BadAddress::Form)?;
    let default_port = match uri.scheme_str() {
        Some("https") => 443,
        Some("http") => 80,
        _ => return Err(BadAddress::Form),
    };
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
    let authority = authority.ok_or(BadAddress::Form)?;
    let host = authority.host();
    // What is behind the host may be no port.
    let port = if authority.as_str() == host { Some(default_port) } else { authority.port_u16() };
    match port {
        Some(port) if !host.is_empty() && text.len() <= LENGTH_MAX => Ok((host.to_owned(), port)),
        _ => Err(BadAddress::Form),
    }
}

#[cfg(test)]
mod tests {
    use super::{BadAddress, Reach, check, parts};

    #[test]
    fn an_address_is_one_of_the_web() {
        let of = |host: &str, port| Ok((host.to_owned(), port));
        assert_eq!(parts("https://shop.example/hooks?a=b"), of("shop.example", 443));
        assert_eq!(parts("http://shop.example:8080"), of("shop.example", 8080));
        assert_eq!(parts("http://[::1]:8080/"), of("[::1]", 8080));
        let long = format!("https://shop.example/{}", "x".repeat(2_000));
        for wrong in [
            "",
            "shop.example",
            "/hooks",
            "ftp://shop.example/",
            "file:///etc/passwd",
            "https://a:b@c/",
            "https://a@a:443/",
            "https://shop.example:99999/",
            "https://shop.example:/",
            &long,
        ] {
            assert_eq!(parts(wrong), Err(BadAddress::Form), "{wrong}");
        }
    }

    #[tokio::test]
    async fn what_leads_inside_is_refused_however_it_is_spelled() {
        for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "169.254.169.254"] {
            let address = format!("http://{host}/");
            let inside = Err(BadAddress::Inside(host.to_owned()));
            assert_eq!(check(&address, Reach::Public).await, inside, "{host}");
            assert_eq!(check(&address, Reach::Anywhere).await, Ok(()), "{host}");
        }
        assert_eq!(check("https://1.1.1.1:8443/", Reach::Public).await, Err(BadAddress::Port(8443)));
        assert_eq!(check("https://1.1.1.1/", Reach::Public).await, Ok(()));
    }
}
