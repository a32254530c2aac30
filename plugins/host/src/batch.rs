//! Events on their way to a metric, by column.

use podium_plugin_abi::{self as abi, codes};
use std::ffi::c_void;
use std::mem::size_of;
use std::ptr;

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// Whole numbers.
    Int,
    /// Numbers.
    Float,
    /// True or false.
    Bool,
    /// Minor units of a currency.
    Money,
    /// Text.
    Text,
    /// JSON documents.
    Json,
}

impl ColumnType {
    /// Reads the name that a metric's fields use.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "int" => Self::Int,
            "float" => Self::Float,
            "bool" => Self::Bool,
            "money" => Self::Money,
            "text" => Self::Text,
            "json" => Self::Json,
            _ => return None,
        })
    }

    pub(crate) fn from_code(code: u32) -> Option<Self> {
        const ALL: [ColumnType; 6] = [
            ColumnType::Int,
            ColumnType::Float,
            ColumnType::Bool,
            ColumnType::Money,
            ColumnType::Text,
            ColumnType::Json,
        ];
        ALL.into_iter().find(|column_type| column_type.code() == code)
    }

    pub(crate) fn code(self) -> u32 {
        match self {
            Self::Int => codes::COLUMN_INT,
            Self::Float => codes::COLUMN_FLOAT,
            Self::Bool => codes::COLUMN_BOOL,
            Self::Money => codes::COLUMN_MONEY,
            Self::Text => codes::COLUMN_TEXT,
            Self::Json => codes::COLUMN_JSON,
        }
    }
}

/// The value of one column in one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Nothing: the event does not have it, or it could not be read.
    Null,
    /// For an `int` column.
    Int(i64),
    /// For a `float` column.
    Float(f64),
    /// For a `bool` column.
    Bool(bool),
    /// For a `money` column, in minor units.
    Money(i64),
    /// For a `text` column.
    Text(&'a str),
    /// For a `json` column: one document.
    Json(&'a str),
}

/// A row that does not fit its batch. Nothing of it was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// The row has another number of values than the batch has columns.
    #[error("a row of {found} values in a batch of {expected} columns")]
    WrongWidth {
        /// Columns of the batch.
        expected: usize,
        /// Values of the row.
        found: usize,
    },
    /// A value has another type than its column.
    #[error("the value for column {column} is not of its type")]
    WrongType {
        /// The index of the column.
        column: usize,
    },
    /// The texts of a column would take more than 4 GiB.
    #[error("column {column} is full; start a new batch")]
    Full {
        /// The index of the column.
        column: usize,
    },
}

/// Events on their way to a metric, by column. [`Batch::clear`] keeps the memory for the next ones.
#[derive(Clone, Debug)]
pub struct Batch {
    pub(crate) events: Vec<u16>,
    pub(crate) times_ms: Vec<i64>,
    pub(crate) columns: Vec<Column>,
}

#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) of_type: ColumnType,
    /// What the contract says of the type; another number only where a test asks for an unknown one.
    code: u32,
    /// The pointer is null: every row is null.
    is_missing: bool,
    pub(crate) present: Vec<u8>,
    pub(crate) data: Data,
}

#[derive(Clone, Debug)]
pub(crate) enum Data {
    Whole(Vec<i64>),
    Float(Vec<f64>),
    Bool(Vec<u8>),
    Text { bytes: Vec<u8>, offsets: Vec<u32> },
}

impl Batch {
    /// Makes an empty batch with these columns, in the order of the metric's fields.
    pub fn new(columns: &[ColumnType]) -> Self {
        let columns = columns.iter().map(|&column_type| Column::new(column_type)).collect();
        Self { events: Vec::new(), times_ms: Vec::new(), columns }
    }

    /// Adds a row.
    ///
    /// - `event`: index into the events of the metric's fields.
    /// - `time_ms`: the event's time in milliseconds since 1970.
    /// - `values`: one for each column.
    ///
    /// # Errors
    ///
    /// [`PushError`] if a value does not fit its column; the batch is as before.
    pub fn push_row(&mut self, event: u16, time_ms: i64, values: &[Value<'_>]) -> Result<(), PushError> {
        if values.len() != self.columns.len() {
            return Err(PushError::WrongWidth { expected: self.columns.len(), found: values.len() });
        }
        for (idx, (column, &value)) in self.columns.iter_mut().zip(values).enumerate() {
            if let Err(error) = column.push(idx, value) {
                let n_rows = self.events.len();
                self.columns.iter_mut().for_each(|column| column.truncate(n_rows));
                return Err(error);
            }
        }
        self.events.push(event);
        self.times_ms.push(time_ms);
        Ok(())
    }

    /// Removes every row and keeps columns and memory.
    pub fn clear(&mut self) {
        self.events.clear();
        self.times_ms.clear();
        self.columns.iter_mut().for_each(|column| column.truncate(0));
    }

    /// Counts the rows.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Makes the column a null pointer, for the plugin to be calm about.
    pub(crate) fn forget_column(&mut self, column: usize) {
        self.columns[column].is_missing = true;
    }

    /// Gives the column a type of a later version, for the plugin to be calm about.
    pub(crate) fn estrange_column(&mut self, column: usize) {
        self.columns[column].code = u32::MAX;
    }

    /// Leaves out the last columns, for the plugin to be calm about.
    pub(crate) fn narrow(&mut self, n_columns: usize) {
        self.columns.truncate(n_columns);
    }

    /// Lends the rows as the contract lays them out; without rows, the pointers are null.
    pub(crate) fn with_abi<R>(&self, read: impl FnOnce(&abi::Batch) -> R) -> R {
        let columns: Vec<_> = self.columns.iter().map(|column| column.as_abi(self.is_empty())).collect();
        let pointers: Vec<*const abi::Column> = columns
            .iter()
            .zip(&self.columns)
            .map(|(abi, column)| if column.is_missing { ptr::null() } else { ptr::from_ref(abi) })
            .collect();
        read(&abi::Batch {
            struct_size: size_of::<abi::Batch>() as u32,
            n_columns: pointers.len() as u32,
            n: self.len(),
            event: if self.is_empty() { ptr::null() } else { self.events.as_ptr() },
            time_ms: if self.is_empty() { ptr::null() } else { self.times_ms.as_ptr() },
            columns: if pointers.is_empty() { ptr::null() } else { pointers.as_ptr() },
        })
    }
}

impl Column {
    pub(crate) fn new(column_type: ColumnType) -> Self {
        let data = match column_type {
            ColumnType::Int | ColumnType::Money => Data::Whole(Vec::new()),
            ColumnType::Float => Data::Float(Vec::new()),
            ColumnType::Bool => Data::Bool(Vec::new()),
            ColumnType::Text | ColumnType::Json => Data::Text { bytes: Vec::new(), offsets: vec![0] },
        };
        Self { of_type: column_type, code: column_type.code(), is_missing: false, present: Vec::new(), data }
    }

    fn push(&mut self, idx: usize, value: Value<'_>) -> Result<(), PushError> {
        match (self.of_type, &mut self.data, value) {
            (ColumnType::Int, Data::Whole(numbers), Value::Int(number))
            | (ColumnType::Money, Data::Whole(numbers), Value::Money(number)) => numbers.push(number),
            (ColumnType::Float, Data::Float(numbers), Value::Float(number)) => numbers.push(number),
            (ColumnType::Bool, Data::Bool(bytes), Value::Bool(is_true)) => bytes.push(u8::from(is_true)),
            (ColumnType::Text, Data::Text { bytes, offsets }, Value::Text(text))
            | (ColumnType::Json, Data::Text { bytes, offsets }, Value::Json(text)) => {
                let end = u32::try_from(bytes.len() + text.len());
                offsets.push(end.map_err(|_| PushError::Full { column: idx })?);
                bytes.extend_from_slice(text.as_bytes());
            }
            (_, data, Value::Null) => {
                data.push_zero();
                self.present.push(0);
                return Ok(());
            }
            _ => return Err(PushError::WrongType { column: idx }),
        }
        self.present.push(1);
        Ok(())
    }

    fn truncate(&mut self, n_rows: usize) {
        self.present.truncate(n_rows);
        match &mut self.data {
            Data::Whole(numbers) => numbers.truncate(n_rows),
            Data::Float(numbers) => numbers.truncate(n_rows),
            Data::Bool(bytes) => bytes.truncate(n_rows),
            Data::Text { bytes, offsets } => {
                offsets.truncate(n_rows + 1);
                bytes.truncate(offsets.last().map_or(0, |&end| end as usize));
            }
        }
    }

    fn as_abi(&self, is_empty: bool) -> abi::Column {
        let (data, offsets): (*const c_void, *const u32) = match &self.data {
            Data::Whole(numbers) => (numbers.as_ptr().cast(), ptr::null()),
            Data::Float(numbers) => (numbers.as_ptr().cast(), ptr::null()),
            Data::Bool(bytes) => (bytes.as_ptr().cast(), ptr::null()),
            Data::Text { bytes, offsets } => (bytes.as_ptr().cast(), offsets.as_ptr()),
        };
        let unless_empty = |pointer| if is_empty { ptr::null() } else { pointer };
        abi::Column {
            struct_size: size_of::<abi::Column>() as u32,
            type_: self.code,
            data: unless_empty(data),
            offsets,
            present: if is_empty { ptr::null() } else { self.present.as_ptr() },
        }
    }
}

impl Data {
    fn push_zero(&mut self) {
        match self {
            Self::Whole(numbers) => numbers.push(0),
            Self::Float(numbers) => numbers.push(0.0),
            Self::Bool(bytes) => bytes.push(0),
            Self::Text { bytes, offsets } => offsets.push(bytes.len() as u32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Batch, ColumnType, PushError, Value};

    const COLUMNS: [ColumnType; 3] = [ColumnType::Money, ColumnType::Text, ColumnType::Bool];

    #[test]
    fn rows_are_laid_out_by_column() {
        let mut batch = Batch::new(&COLUMNS);
        batch.push_row(0, 10, &[Value::Money(990), Value::Text("ab"), Value::Null]).unwrap();
        batch.push_row(1, 20, &[Value::Null, Value::Text("c"), Value::Bool(true)]).unwrap();
        batch.with_abi(|abi| {
            assert_eq!((abi.n, abi.n_columns), (2, 3));
            // SAFETY: the batch says that there are three columns of two rows.
            unsafe {
                let [money, text, flag] = [0, 1, 2].map(|idx| **abi.columns.add(idx));
                assert_eq!(std::slice::from_raw_parts(money.data.cast::<i64>(), 2), [990, 0]);
                assert_eq!(std::slice::from_raw_parts(money.present, 2), [1, 0]);
                assert_eq!(std::slice::from_raw_parts(text.data.cast::<u8>(), 3), b"abc");
                assert_eq!(std::slice::from_raw_parts(text.offsets, 3), [0, 2, 3]);
                assert_eq!(std::slice::from_raw_parts(flag.data.cast::<u8>(), 2), [0, 1]);
                assert_eq!(std::slice::from_raw_parts(abi.event, 2), [0, 1]);
                assert_eq!(std::slice::from_raw_parts(abi.time_ms, 2), [10, 20]);
            }
        });
    }

    #[test]
    fn a_row_that_does_not_fit_leaves_no_trace() {
        let mut batch = Batch::new(&COLUMNS);
        batch.push_row(0, 10, &[Value::Money(1), Value::Text("ab"), Value::Null]).unwrap();
        let wrong = batch.push_row(0, 10, &[Value::Money(2), Value::Text("x"), Value::Int(3)]);
        assert_eq!(wrong, Err(PushError::WrongType { column: 2 }));
        let narrow = batch.push_row(0, 10, &[Value::Money(2)]);
        assert_eq!(narrow, Err(PushError::WrongWidth { expected: 3, found: 1 }));
        assert_eq!(batch.len(), 1);
        assert!(batch.columns.iter().all(|column| column.present.len() == 1));
    }

    #[test]
    fn without_rows_the_pointers_are_null() {
        let mut batch = Batch::new(&COLUMNS);
        batch.push_row(0, 10, &[Value::Money(1), Value::Text("ab"), Value::Null]).unwrap();
        batch.clear();
        assert!(batch.is_empty());
        batch.with_abi(|abi| assert!(abi.event.is_null() && abi.time_ms.is_null() && abi.n == 0));
    }
}
