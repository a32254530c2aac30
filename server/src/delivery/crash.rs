//! Places where a test ends the process, to see that nothing is lost or done twice.

/// Ends the process here if `PODIUM_CRASH_AT` is `name`, or `name:n` for the n-th time. Does nothing in a release.
#[inline]
pub(crate) fn crash_point(name: &str) {
    #[cfg(debug_assertions)]
    tests_only::pass(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

#[cfg(debug_assertions)]
mod tests_only {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    static WHERE: LazyLock<Option<(String, usize)>> = LazyLock::new(|| {
        let asked = std::env::var("PODIUM_CRASH_AT").ok()?;
        let (name, n) = asked.split_once(':').unwrap_or((&asked, "1"));
        Some((name.to_owned(), n.parse().ok()?))
    });
    static PASSED: AtomicUsize = AtomicUsize::new(0);

    pub(super) fn pass(name: &str) {
        if let Some((place, n)) = &*WHERE
            && place == name
            && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *n
        {
            std::process::abort();
        }
    }
}
