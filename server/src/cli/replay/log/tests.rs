use super::*;

fn columns(context: &[&str]) -> Columns {
    Columns {
        variant: "variant".to_owned(),
        propensity: "propensity".to_owned(),
        reward: "reward".to_owned(),
        context: context.iter().map(|&name| name.to_owned()).collect(),
    }
}

fn read(text: &str, context: &[&str]) -> Result<Log, String> {
    Log::read(text, &columns(context)).map_err(|CliError(detail)| detail)
}

#[test]
fn csv_and_json_lines_say_the_same() {
    let csv = "device,variant,propensity,reward\nphone,a,0.5,0\ndesk,b,0.5,12.50\nphone,b,0.5,3\n";
    let json = r#"{"variant": "a", "propensity": 0.5, "reward": 0, "device": "phone"}

{"variant": "b", "propensity": 0.5, "reward": 12.50, "device": "desk"}
{"reward": 3, "device": "phone", "variant": "b", "propensity": 0.5, "more": [1]}"#;
    let [csv, json] = [csv, json].map(|text| read(text, &["device"]).unwrap());
    assert_eq!(csv.rows, json.rows);
    assert_eq!(csv.contexts, [["phone"], ["desk"]]);
    assert_eq!((csv.variants.len(), csv.variants.find("b"), csv.variants.find("c")), (2, Some(1), None));
    let amounts: Vec<_> = csv.rows.iter().map(|row| row.value.numerator()).collect();
    assert_eq!((amounts, csv.scale.to_bits()), (vec![0, 125, 30], 10_f64.to_bits()));
    assert!(csv.is_even() && !csv.is_binary);
    assert!((csv.mean_reward() - 15.5 / 3.0).abs() < 1e-12);
}

#[test]
fn a_log_is_even_up_to_rounding() {
    let log = |first, second| {
        let text = format!("variant,propensity,reward\na,{first},0\nb,{second},1\nc,{first},1");
        read(&text, &[]).unwrap()
    };
    assert!(log(0.333_333, 0.333_33).is_even() && log(0.333, 0.333).is_binary);
    assert!(!log(0.3, 0.4).is_even());
}

#[test]
fn bad_rows_are_named_by_line_and_field() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let detail = read(text, &["device"]).unwrap_err();
        assert!(detail.contains(expected), "{detail}");
    }
    let csv = |row: &str| format!("device,variant,propensity,reward\nphone,a,0.5,1\n{row}\n");
    check(&csv("phone,a,half,1"), "line 3, `propensity`: `half` is no number");
    check(&csv("phone,a,0,1"), "line 3, `propensity`: 0 is no probability above 0");
    check(&csv("phone,a,1.5,1"), "line 3, `propensity`");
    check(&csv("phone,a,NaN,1"), "line 3, `propensity`");
    check(&csv("phone,a,0.5,"), "line 3, `reward`: `` is no number");
    check(&csv("phone,a,0.5,0.1234567"), "line 3, `reward`: 0.1234567 is no amount with at most 6 decimals");
    check(&csv("phone,a,0.5,inf"), "line 3, `reward`");
    check(&csv("phone,a,0.5,1e17"), "line 3, `reward`");
    check(&csv("phone,,0.5,1"), "line 3, `variant`: a variant has a name");
    check(&csv("phone,a,0.5"), "line: 3");
    check("variant,propensity,reward\na,0.5,1", "line 1, `device`: there is no such column");
    check("device,variant,propensity,reward\n", "the log has no rows");
    check("", "line 1, `variant`");
    let many: Vec<String> = (0..200).map(|n| format!("phone,v{n},0.5,1")).collect();
    check(&csv(&many.join("\n")), "more than 128 variants");
    let json = |row: &str| {
        format!("{{\"device\": 1, \"variant\": \"a\", \"propensity\": 0.5, \"reward\": 1}}\n{row}")
    };
    check(&json(r#"{"device": 1, "variant": "a", "propensity": 0.5}"#), "line 2, `reward`: it is not there");
    check(&json(r#"{"device": 1, "variant": "a", "propensity": "x", "reward": 1}"#), "line 2, `propensity`");
    check(
        &json(r#"{"device": 1, "variant": [], "propensity": 0.5, "reward": 1}"#),
        "line 2, `variant`: [] is no text",
    );
    check(&json("nonsense"), "line 2: ");
}
