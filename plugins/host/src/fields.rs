//! What a metric says it reads, checked for its form. Whether paths exist is for those who extract.

use crate::batch::ColumnType;
use serde_json::Value;

/// The most columns a metric may ask for.
const COLUMNS_MAX: usize = 64;
/// The most events a metric may ask for.
const EVENTS_MAX: usize = 1024;

/// The shape of a metric's batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) columns: Vec<ColumnType>,
    pub(crate) n_events: usize,
}

impl Shape {
    /// Reads the JSON that a metric wrote; the error says what is wrong.
    pub(crate) fn parse(fields_json: &str) -> Result<Self, String> {
        let fields: Value = serde_json::from_str(fields_json).map_err(|error| error.to_string())?;
        let columns = list(&fields, "columns", COLUMNS_MAX)?;
        let events = list(&fields, "events", EVENTS_MAX)?;
        let names: Vec<&str> = columns.iter().map(name).collect::<Result<_, _>>()?;
        if let Some(twice) = names.iter().enumerate().find(|(idx, name)| names[..*idx].contains(name)) {
            return Err(format!("two columns are called {:?}", twice.1));
        }
        events.iter().try_for_each(|event| check_event(event, &names))?;
        let columns = columns.iter().map(column_type).collect::<Result<_, _>>()?;
        Ok(Self { columns, n_events: events.len() })
    }
}

fn list<'a>(fields: &'a Value, key: &str, max: usize) -> Result<&'a [Value], String> {
    let list = match &fields[key] {
        Value::Null if fields.is_object() => return Ok(&[]),
        list => list.as_array().ok_or_else(|| format!("{key:?} is not a list"))?,
    };
    if list.len() <= max { Ok(list) } else { Err(format!("{key:?} has more than {max} entries")) }
}

fn name(entry: &Value) -> Result<&str, String> {
    entry["name"].as_str().filter(|name| !name.is_empty()).ok_or_else(|| format!("{entry} has no name"))
}

fn column_type(column: &Value) -> Result<ColumnType, String> {
    let of_name = column["type"].as_str().and_then(ColumnType::from_name);
    of_name.ok_or_else(|| format!("{column} has no type of int, float, bool, money, text, json"))
}

fn check_event(event: &Value, columns: &[&str]) -> Result<(), String> {
    let event_name = name(event)?;
    let read = match &event["read"] {
        Value::Null => None,
        read => Some(read.as_object().ok_or_else(|| format!("\"read\" of {event_name:?} is not an object"))?),
    };
    for (column, source) in read.into_iter().flatten() {
        if !columns.contains(&column.as_str()) {
            return Err(format!("{event_name:?} reads into {column:?}, which is not a column"));
        }
        let of = &source["share_of"];
        if !of.is_null() && !of.as_str().is_some_and(|of| columns.contains(&of)) {
            return Err(format!("{event_name:?} reads a share of {of}, which is not a column"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Shape;
    use crate::batch::ColumnType;

    #[track_caller]
    fn check(fields_json: &str, expected: Result<(&[ColumnType], usize), &str>) {
        let found = Shape::parse(fields_json);
        let found = found.as_ref().map(|shape| (shape.columns.as_slice(), shape.n_events));
        assert_eq!(found.map_err(String::as_str), expected);
    }

    #[test]
    fn shapes_are_read() {
        check(r#"{"columns": [], "events": []}"#, Ok((&[], 0)));
        check(r#"{"events": [{"name": "a"}]}"#, Ok((&[], 1)));
        check(
            r#"{"columns": [{"name": "amount", "type": "money"}, {"name": "url", "type": "text"}],
                "events": [{"name": "a", "read": {"amount": {"share_of": "amount"}}}, {"name": "b", "read": {}}]}"#,
            Ok((&[ColumnType::Money, ColumnType::Text], 2)),
        );
    }

    #[test]
    fn nonsense_is_named() {
        check("[]", Err("\"columns\" is not a list"));
        check(r#"{"columns": [{"type": "int"}], "events": []}"#, Err(r#"{"type":"int"} has no name"#));
        check(
            r#"{"columns": [{"name": "a", "type": "int"}, {"name": "a", "type": "int"}], "events": []}"#,
            Err("two columns are called \"a\""),
        );
        check(
            r#"{"columns": [{"name": "a", "type": "map"}], "events": []}"#,
            Err(r#"{"name":"a","type":"map"} has no type of int, float, bool, money, text, json"#),
        );
        check(r#"{"events": [{"name": "e", "read": []}]}"#, Err("\"read\" of \"e\" is not an object"));
        check(
            r#"{"columns": [], "events": [{"name": "e", "read": {"x": "y"}}]}"#,
            Err("\"e\" reads into \"x\", which is not a column"),
        );
    }
}
