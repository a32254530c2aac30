use super::*;

fn log() -> Log {
    let row = |row: usize| {
        let (device, variant) = (["phone", "desk"][row % 2], ["a", "b"][row / 2 % 2]);
        let reward = u8::from(variant == "b" && device == "phone" && row % 8 == 2);
        format!("{device},{variant},0.5,{reward}")
    };
    let rows: Vec<String> = (0..4_000).map(row).collect();
    Log::read(&format!("device,variant,propensity,reward\n{}", rows.join("\n")), &columns()).unwrap()
}

fn columns() -> Columns {
    let name = str::to_owned;
    Columns {
        variant: name("variant"),
        propensity: name("propensity"),
        reward: name("reward"),
        context: vec![name("device")],
    }
}

fn weights_of(policy: &str) -> Result<Vec<Vec<f64>>, String> {
    let told = |CliError(detail)| detail;
    let policy = PolicyFile::read(policy).map_err(told)?.policy(&log(), &columns()).map_err(told)?;
    Ok((0..2).map(|idx| policy.weights(idx).unwrap().as_slice().to_vec()).collect())
}

#[test]
fn a_policy_is_read_in_the_order_of_the_log() {
    assert_eq!(weights_of(r#"{"weights": {"b": 3, "a": 1}}"#).unwrap(), [[0.25, 0.75], [0.25, 0.75]]);
    let by_device =
        r#"{"weights": {"a": 1}, "by_context": [{"context": {"device": "phone"}, "weights": {"b": 1}}]}"#;
    assert_eq!(weights_of(by_device).unwrap(), [[0.0, 1.0], [1.0, 0.0]]);
    assert_eq!(weights_of(r#"{"allocator": {"type": "fixed"}}"#).unwrap(), [[0.5, 0.5], [0.5, 0.5]]);
    assert_eq!(weights_of(r#"{"allocator": {"type": "thompson"}}"#).unwrap(), [[0.5, 0.5], [0.5, 0.5]]);
}

#[test]
fn a_policy_that_cannot_be_is_refused() {
    #[track_caller]
    fn check(policy: &str, expected: &str) {
        let detail = weights_of(policy).unwrap_err();
        assert!(detail.contains(expected), "{detail}");
    }
    check("{}", "a policy has `weights` or an `allocator`");
    check(r#"{"weights": {"a": 1, "c": 1}}"#, "the log never shows `c`");
    check(r#"{"weights": {"a": -1}}"#, "it must be a number of at least 0");
    check(r#"{"weights": {"a": 0}}"#, "sum to 0");
    check(r#"{"wieghts": {"a": 1}}"#, "unknown field `wieghts`");
    check(r#"{"weights": {"a": 1}, "allocator": {"type": "thompson"}}"#, "not both");
    check(r#"{"by_context": [{"context": {"city": "x"}, "weights": {"b": 1}}]}"#, "say --context city");
    for field in [r#""half_life_days": 7"#, r#""window_days": 7"#, r#""uniform_slice": 0.1"#] {
        check(&format!(r#"{{"allocator": {{"type": "thompson", {field}}}}}"#), "a log has no days");
    }
    let only_phones = r#"{"by_context": [{"context": {"device": "phone"}, "weights": {"b": 1}}]}"#;
    check(only_phones, "no weights for the context desk");
}

#[test]
fn rows_that_the_policy_would_have_shown_count() {
    let log = log();
    let always_b = PolicyFile::read(r#"{"weights": {"b": 1}}"#).unwrap().policy(&log, &columns()).unwrap();
    let found = rejection(&log, always_b, &mut Xoshiro256PlusPlus::seed_from_u64(1)).unwrap();
    assert_eq!((found.n_rows, found.value), (2_000, Some(0.25)));
    let (low, high) = found.interval.unwrap();
    assert!(0.2 < low && low < 0.25 && 0.25 < high && high < 0.3, "{low} {high}");
}
