//! What follows from what came of a try.

use podium_core::time::Timestamp;

/// How long to wait after each try that failed, in seconds: ten tries in a day.
const WAITS_S: [i64; 9] = [5, 300, 1_500, 5_400, 10_800, 18_000, 14_400, 21_600, 14_400];
/// How much longer it may be, so that what failed together is not tried together.
const JITTER: f64 = 0.1;
/// The longest wait that an endpoint may ask for, in seconds.
const ASKED_S_MAX: i64 = 86_400;

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The endpoint took it.
    Taken { status: u16 },
    /// The endpoint wants to be asked never again.
    Gone { status: u16 },
    /// Anything else.
    Failed {
        /// The status, if there was an answer.
        status: Option<u16>,
        /// What is wrong.
        error: String,
        /// How long the endpoint asks to wait, in seconds.
        asked_s: Option<i64>,
    },
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing: it is done.
    Done,
    /// It is tried again.
    Again { due_at: Timestamp },
    /// The webhook is not asked any more.
    Disable { why: String },
}

impl Outcome {
    /// What follows of it.
    ///
    /// - `attempts`: how often it was tried, this time included.
    /// - `jitter`: 0 to 1, drawn at random.
    pub(super) fn next(&self, attempts: u32, now: Timestamp, jitter: f64) -> Next {
        let (error, asked_s) = match self {
            Self::Taken { .. } => return Next::Done,
            Self::Gone { status } => return Next::Disable { why: format!("it answered {status}") },
            Self::Failed { error, asked_s, .. } => (error, asked_s.unwrap_or(0).clamp(0, ASKED_S_MAX)),
        };
        let Some(wait_s) = WAITS_S.get(attempts.saturating_sub(1) as usize) else {
            return Next::Disable {
                why: format!("it took nothing in {attempts} tries; the last one: {error}"),
            };
        };
        let wait_us = *wait_s as f64 * (1.0 + JITTER * jitter) * 1e6;
        let due_at = Timestamp::from_micros(now.as_micros().saturating_add(wait_us as i64));
        Next::Again { due_at: due_at.max(now.plus_seconds(asked_s)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(asked_s: Option<i64>) -> Outcome {
        Outcome::Failed { status: Some(503), error: "it answered 503".to_owned(), asked_s }
    }

    #[test]
    fn ten_tries_take_about_a_day() {
        let (mut now, mut attempts) = (Timestamp::default(), 0);
        let why = loop {
            attempts += 1;
            match failed(None).next(attempts, now, 0.0) {
                Next::Again { due_at } => now = due_at,
                Next::Disable { why } => break why,
                Next::Done => unreachable!("it failed"),
            }
        };
        assert_eq!((attempts, now), (10, Timestamp::default().plus_seconds(86_405)));
        assert_eq!(why, "it took nothing in 10 tries; the last one: it answered 503");
    }

    #[test]
    fn an_endpoint_may_ask_for_more_time_and_not_for_less() {
        let now = Timestamp::default();
        for (asked_s, jitter, wait_s) in [
            (None, 0.0, 5.0),
            (None, 1.0, 5.5),
            (Some(1), 0.0, 5.0),
            (Some(60), 1.0, 60.0),
            (Some(-9), 0.0, 5.0),
        ] {
            let due_at = Timestamp::from_micros((wait_s * 1e6) as i64);
            assert_eq!(failed(asked_s).next(1, now, jitter), Next::Again { due_at }, "{asked_s:?}");
        }
        let longest = Next::Again { due_at: now.plus_seconds(86_400) };
        assert_eq!(failed(Some(i64::MAX)).next(1, now, 0.0), longest);
    }

    #[test]
    fn what_is_taken_is_done_and_what_is_gone_is_gone() {
        let now = Timestamp::default();
        assert_eq!(Outcome::Taken { status: 204 }.next(1, now, 0.0), Next::Done);
        let gone = Next::Disable { why: "it answered 410".to_owned() };
        assert_eq!(Outcome::Gone { status: 410 }.next(1, now, 0.0), gone);
    }
}
