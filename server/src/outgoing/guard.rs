//! Looks names up, and tells of no address that may not be reached.

use super::Reach;
use std::io;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Looks names up. Addresses that stand in an URL come here, too.
#[derive(Debug)]
pub(super) struct Guard {
    reach: Reach,
    inner: DefaultResolver,
}

impl Guard {
    pub(super) fn new(reach: Reach) -> Self {
        Self { reach, inner: DefaultResolver::default() }
    }
}

impl Resolver for Guard {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        let mut reached = self.empty();
        let may_be =
            found.iter().filter(|one| self.reach.covers(one.ip()) && self.reach.covers_port(one.port()));
        may_be.for_each(|address| reached.push(*address));
        if reached.is_empty() {
            let host = uri.host().unwrap_or_default();
            let text = format!(
                "`{host}` is no address of the public internet, and the server does not allow others"
            );
            return Err(ureq::Error::Io(io::Error::new(io::ErrorKind::PermissionDenied, text)));
        }
        Ok(reached)
    }
}
