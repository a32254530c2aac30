//! More than can be taken in is refused at once, and nothing that was taken in is lost.

use crate::harness::events::{history, track};
use crate::harness::{Book, Engine, Receipt, Shop, StoreLock, named};
use serde_json::{Value, json};
use std::sync::mpsc;

/// What one request may carry.
const EVENTS_PER_REQUEST: usize = 2_500;
/// The queue holds 20,000 events; this many requests are more than that whatever is being written.
const N_REQUESTS: usize = 14;

pub(crate) fn promises(book: &mut Book) {
    book.both_alone(named!(a_full_queue_answers_429_and_loses_nothing_it_took));
}

fn batch(request_idx: usize) -> Vec<Value> {
    (0..EVENTS_PER_REQUEST)
        .map(|event_idx| track("ann", "Seen", &format!("m-{request_idx}-{event_idx}"), history(), &json!({})))
        .collect()
}

pub(crate) fn a_full_queue_answers_429_and_loses_nothing_it_took(engine: Engine) {
    let shop = Shop::open(engine);
    let lock = StoreLock::hold(shop.database.url());
    let (sender, answers) = mpsc::channel();
    for request_idx in 0..N_REQUESTS {
        let (client, sender) = (shop.admin.with_key(Some(&shop.podium.key("server"))), sender.clone());
        std::thread::spawn(move || {
            let body = json!({"batch": batch(request_idx)}).to_string();
            let answer = client.try_call("POST", "/api/v1/events", &[], Some(body.as_bytes()));
            let _ = sender.send((request_idx, answer));
        });
    }
    drop(sender);
    // While nothing can be written, the only answers are refusals.
    let (first_refused, answer) = answers.recv().unwrap();
    let answer = answer.unwrap();
    let problem = answer.problem(429);
    assert!(!problem.detail.is_empty());
    let retry_after = answer.header("retry-after").and_then(|text| text.parse::<u32>().ok());
    assert!(retry_after.is_some_and(|seconds| (1..=300).contains(&seconds)), "Retry-After: {retry_after:?}");
    // Deciding goes on meanwhile.
    let decided = shop.admin.post("/api/v1/decide", &json!({"unit": "ann", "flags": ["none"]}));
    assert_eq!(decided.status, 200, "{decided}");
    lock.release();
    let (mut taken, mut refused) = (Vec::new(), vec![first_refused]);
    for (request_idx, answer) in answers {
        let answer = answer.unwrap();
        match answer.status {
            200 => taken.push(request_idx),
            429 => refused.push(request_idx),
            _ => panic!("{answer}"),
        }
    }
    assert!(!taken.is_empty(), "some of the requests fit into the queue");
    for request_idx in taken {
        let duplicate = EVENTS_PER_REQUEST as u64;
        assert_eq!(
            shop.send(&batch(request_idx)),
            Receipt { duplicate, ..Receipt::default() },
            "acknowledged"
        );
    }
    for request_idx in refused {
        shop.log(&batch(request_idx));
    }
}
