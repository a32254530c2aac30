//! Spans of time as people write them.

/// Reads `90s`, `30m`, `12h`, `3d` or `2w`; a number alone is days.
pub(super) fn seconds(text: &str) -> Result<i64, String> {
    let (number, unit_s) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1.0),
        Some((at, 'm')) => (&text[..at], 60.0),
        Some((at, 'h')) => (&text[..at], 3_600.0),
        Some((at, 'd')) => (&text[..at], 86_400.0),
        Some((at, 'w')) => (&text[..at], 604_800.0),
        _ => (text, 86_400.0),
    };
    let number: f64 = number.parse().map_err(|_| "a span is a number with s, m, h, d or w: 12h, 3d")?;
    let seconds = number * unit_s;
    if (0.0..=1e12).contains(&seconds) {
        Ok(seconds.round() as i64)
    } else {
        Err("a span is at least 0".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn spans_are_read() {
        for (text, expected) in [
            ("90s", 90),
            ("30m", 1_800),
            ("12h", 43_200),
            ("3d", 259_200),
            ("1.5", 129_600),
            ("2w", 1_209_600),
            ("0", 0),
        ] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for wrong in ["", "d", "soon", "-1d", "1y", "NaN", "inf"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
