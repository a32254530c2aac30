//! What became of each message, whatever the channel does while it has them.

use super::{channel, deliver, load, message, payload, soon, summary, within};
use podium_plugin_host::{ChannelCall, ChannelFault, DeliveryWatch, Outcome, OutcomeStatus};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

#[test]
fn every_message_has_its_own_outcome_across_batches() {
    let registry = load();
    let desk = channel(&registry, "fixture_desk");
    let (small, large) = (payload("x"), payload(&"x".repeat(64)));
    let mut messages = [r#""closed""#, r#""front""#, r#""busy""#, r#""nowhere""#, "7", r#""front""#]
        .map(|address| message(address, &small));
    messages[1].payload = &large;
    let delivered = desk.deliver(&messages, &soon());
    assert_eq!(delivered.fault, None);
    assert_eq!(
        summary(&delivered),
        [
            (true, OutcomeStatus::Deferred),
            (false, OutcomeStatus::TooLarge),
            (true, OutcomeStatus::RateLimited),
            (true, OutcomeStatus::TargetGone),
            (true, OutcomeStatus::Rejected),
            (true, OutcomeStatus::Accepted),
        ]
    );
    let [deferred, _, limited, _, rejected, _] = &delivered.deliveries[..] else { unreachable!() };
    assert_eq!(deferred.outcome.retry_after, Some(Duration::from_secs(30)));
    assert_eq!(limited.outcome.retry_after, None);
    assert_eq!(rejected.outcome.detail, "the address is no text");
}

#[test]
fn a_panic_leaves_each_message_with_what_is_known_of_it() {
    let registry = load();
    let panics = channel(&registry, "fixture_panics");
    for _ in 0..3 {
        let delivered = deliver(&*panics, &["a", "PANIC", "b", "c"]);
        assert_eq!(delivered.fault, Some(ChannelFault::Panicked { text: "the payload says so".into() }));
        assert_eq!(
            summary(&delivered),
            [
                (true, OutcomeStatus::Accepted),
                (true, OutcomeStatus::Unknown),
                (false, OutcomeStatus::Cancelled),
                (false, OutcomeStatus::Cancelled),
            ]
        );
        assert_eq!(summary(&deliver(&*panics, &["a"])), [(true, OutcomeStatus::Accepted)]);
    }
    let fault = panics.render("null", &soon()).unwrap_err();
    assert_eq!(fault, ChannelFault::Panicked { text: "nothing to render".into() });
    assert!(panics.render("{}", &soon()).is_ok());
}

#[test]
fn after_a_fault_the_following_batches_go_back_into_the_queue() {
    let registry = load();
    let panics = channel(&registry, "fixture_panics");
    let texts = ["PANIC"].into_iter().chain(["a"; 14]).collect::<Vec<_>>();
    let delivered = deliver(&*panics, &texts);
    assert_eq!(summary(&delivered)[0], (true, OutcomeStatus::Unknown));
    assert_eq!(summary(&delivered)[1..], [(false, OutcomeStatus::Cancelled); 14]);
}

#[test]
fn panics_in_one_thread_do_not_disturb_another() {
    let registry = load();
    let panics = channel(&registry, "fixture_panics");
    thread::scope(|scope| {
        scope.spawn(|| (0..100).for_each(|_| drop(deliver(&*panics, &["PANIC"]))));
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..200 {
                    // A neighbor may poison the instance twice in a row. Then nothing has begun.
                    let found = summary(&deliver(&*panics, &["a"]))[0];
                    let expected = [(true, OutcomeStatus::Accepted), (false, OutcomeStatus::Cancelled)];
                    assert!(expected.contains(&found), "{found:?}");
                }
            });
        }
    });
    assert_eq!(summary(&deliver(&*panics, &["a"])), [(true, OutcomeStatus::Accepted)]);
}

#[test]
fn silence_is_unknown() {
    let registry = load();
    let delivered = deliver(&*channel(&registry, "fixture_silent"), &["a", "b", "c"]);
    assert_eq!(delivered.fault, Some(ChannelFault::NoOutcome { n_messages: 3 }));
    let unknown = OutcomeStatus::Unknown;
    assert_eq!(summary(&delivered), [(true, unknown), (false, unknown), (true, unknown)]);
}

#[test]
fn the_first_outcome_counts() {
    let registry = load();
    let twice = channel(&registry, "fixture_twice");
    for n_calls in 1..=2 {
        let delivered = deliver(&*twice, &["a"]);
        assert_eq!(delivered.fault, None);
        assert_eq!(summary(&delivered), [(true, OutcomeStatus::Accepted)]);
        assert_eq!(delivered.deliveries[0].outcome.provider_id, format!("call {n_calls}"));
    }
}

#[test]
fn a_pulled_channel_delivers_nothing() {
    let registry = load();
    let delivered = deliver(&*channel(&registry, "fixture_flood"), &["a"]);
    assert_eq!(delivered.fault, Some(ChannelFault::Unsupported { what: "deliver" }));
    assert_eq!(summary(&delivered), [(false, OutcomeStatus::Cancelled)]);
}

#[test]
fn nothing_begins_after_the_deadline() {
    let registry = load();
    let desk = channel(&registry, "fixture_desk");
    let payload = payload("x");
    let (late, front) = (message(r#""late""#, &payload), message(r#""front""#, &payload));
    let delivered = desk.deliver(&[late, front], &within(Duration::from_millis(500)));
    assert_eq!(summary(&delivered), [(true, OutcomeStatus::Unknown), (false, OutcomeStatus::Cancelled)]);
    assert_eq!(delivered.deliveries[0].outcome.detail, "0 ms left");
}

#[test]
fn calls_beyond_the_limit_wait_for_their_turn() {
    let registry = load();
    let desk = channel(&registry, "fixture_desk");
    let payload = payload("x");
    let outcomes = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let delivered = desk.deliver(&[message(r#""asleep""#, &payload)], &soon());
                outcomes.lock().unwrap().extend(summary(&delivered));
            });
        }
    });
    assert_eq!(*outcomes.lock().unwrap(), [(true, OutcomeStatus::Unknown); 6]);

    let (entered, seen) = std::sync::mpsc::channel();
    let slow =
        ChannelCall { watch: Some(Arc::new(Entered(Mutex::new(entered)))), ..within(Duration::from_secs(1)) };
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| desk.deliver(&[message(r#""late""#, &payload)], &slow));
            seen.recv().unwrap();
        }
        // Both calls are taken, and the time is over.
        let delivered = desk.deliver(&[message(r#""front""#, &payload)], &within(Duration::ZERO));
        assert_eq!(delivered.fault, Some(ChannelFault::Busy { n_calls: 2 }));
        assert_eq!(summary(&delivered), [(false, OutcomeStatus::Cancelled)]);
    });
}

/// Tells when a message has begun.
struct Entered(Mutex<std::sync::mpsc::Sender<()>>);

impl DeliveryWatch for Entered {
    fn begun(&self, _message_idx: usize) -> bool {
        self.0.lock().unwrap().send(()).is_ok()
    }

    fn outcome(&self, _message_idx: usize, _outcome: &Outcome) {}
}

/// Cannot write anything down.
struct Deaf;

impl DeliveryWatch for Deaf {
    fn begun(&self, _message_idx: usize) -> bool {
        false
    }

    fn outcome(&self, _message_idx: usize, _outcome: &Outcome) {}
}

#[test]
fn what_could_not_be_written_down_does_not_leave() {
    let registry = load();
    let call = ChannelCall { watch: Some(Arc::new(Deaf)), ..soon() };
    let payload = payload("x");
    let delivered = channel(&registry, "fixture_desk").deliver(&[message(r#""front""#, &payload); 4], &call);
    assert_eq!(delivered.fault, None);
    assert_eq!(summary(&delivered), [(false, OutcomeStatus::Cancelled); 4]);
}

/// Takes until after the deadline to write something down.
struct Slow(SystemTime);

impl DeliveryWatch for Slow {
    fn begun(&self, _message_idx: usize) -> bool {
        while let Ok(left) = self.0.duration_since(SystemTime::now()) {
            thread::sleep(left);
        }
        true
    }

    fn outcome(&self, _message_idx: usize, _outcome: &Outcome) {}
}

#[test]
fn what_was_written_down_too_late_does_not_leave() {
    let registry = load();
    let call = within(Duration::from_millis(300));
    let deadline = SystemTime::UNIX_EPOCH + Duration::from_millis(call.deadline_ms as u64);
    let call = ChannelCall { watch: Some(Arc::new(Slow(deadline))), ..call };
    let payload = payload("x");
    let delivered = channel(&registry, "fixture_desk").deliver(&[message(r#""front""#, &payload)], &call);
    assert_eq!(summary(&delivered), [(false, OutcomeStatus::Cancelled)]);
}

#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl DeliveryWatch for Diary {
    fn begun(&self, message_idx: usize) -> bool {
        self.0.lock().unwrap().push(format!("{message_idx} begun"));
        true
    }

    fn outcome(&self, message_idx: usize, outcome: &Outcome) {
        self.0.lock().unwrap().push(format!("{message_idx} {:?}", outcome.status));
    }
}

#[test]
fn reports_are_told_at_once_and_once() {
    let registry = load();
    let diary = Arc::new(Diary::default());
    let call = ChannelCall { watch: Some(diary.clone()), ..soon() };
    let payload = payload("x");
    channel(&registry, "fixture_desk").deliver(&[message(r#""front""#, &payload); 4], &call);
    channel(&registry, "fixture_twice").deliver(&[message(r#""front""#, &payload)], &call);
    let expected = [0, 1, 2, 3, 0].map(|idx| [format!("{idx} begun"), format!("{idx} Accepted")]);
    assert_eq!(*diary.0.lock().unwrap(), expected.concat());
}
