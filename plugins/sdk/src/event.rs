//! One event, as a metric sees it.

use podium_plugin_abi::{self as abi, MAGNITUDE_MAX, codes};
use std::ffi::c_void;
use std::marker::PhantomData;
use std::{ptr, slice, str};

/// One event, with the columns that [`Fields`](crate::Fields) asked for, by number.
///
/// A column that the event does not have, or that has another type, is `None`.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    row: usize,
    read_idx: usize,
    time_ms: i64,
    columns: &'a Columns<'a>,
}

impl<'a> Event<'a> {
    #[inline]
    pub(crate) fn new(row: usize, read_idx: usize, time_ms: i64, columns: &'a Columns<'a>) -> Self {
        Self { row, read_idx, time_ms, columns }
    }

    /// Tells which [`Read`](crate::Read) selected the event: 0 for the first.
    #[inline]
    pub fn read_idx(&self) -> usize {
        self.read_idx
    }

    /// Tells when it happened, in milliseconds since 1970.
    #[inline]
    pub fn time_ms(&self) -> i64 {
        self.time_ms
    }

    /// Reads an `int` column.
    #[inline]
    pub fn int(&self, column: usize) -> Option<i64> {
        self.fixed(column, codes::COLUMN_INT)
    }

    /// Reads a `float` column; never NaN or infinite.
    #[inline]
    pub fn float(&self, column: usize) -> Option<f64> {
        self.fixed(column, codes::COLUMN_FLOAT).filter(|number: &f64| number.is_finite())
    }

    /// Reads a `bool` column.
    #[inline]
    pub fn bool(&self, column: usize) -> Option<bool> {
        self.fixed(column, codes::COLUMN_BOOL).map(|byte: u8| byte != 0)
    }

    /// Reads a `money` column in minor units, ready to be a contribution: whole, at most 2^53 in magnitude.
    ///
    /// `None` too if the amount is larger, which no order is.
    #[inline]
    pub fn money(&self, column: usize) -> Option<f64> {
        self.fixed(column, codes::COLUMN_MONEY).and_then(contribution)
    }

    /// Reads an `int` column, ready to be a contribution: whole, at most 2^53 in magnitude.
    ///
    /// `None` too if the number is larger.
    #[inline]
    pub fn count(&self, column: usize) -> Option<f64> {
        self.fixed(column, codes::COLUMN_INT).and_then(contribution)
    }

    /// Reads a `text` column.
    #[inline]
    pub fn text(&self, column: usize) -> Option<&'a str> {
        self.columns.get(column, codes::COLUMN_TEXT)?.text(self.row)
    }

    /// Reads a `json` column.
    #[inline]
    pub fn json(&self, column: usize) -> Option<&'a str> {
        self.columns.get(column, codes::COLUMN_JSON)?.text(self.row)
    }

    #[inline]
    fn fixed<T: Copy>(&self, column: usize, column_type: u32) -> Option<T> {
        let view = self.columns.get(column, column_type)?;
        // SAFETY: the type says what the data are, and the row is one of the batch.
        view.is_present(self.row).then(|| unsafe { *view.data.cast::<T>().add(self.row) })
    }
}

#[inline]
fn contribution(number: i64) -> Option<f64> {
    (-MAGNITUDE_MAX..=MAGNITUDE_MAX).contains(&number).then_some(number as f64)
}

/// The columns of a batch, each read once.
pub(crate) struct Columns<'a>(Vec<View<'a>>);

/// One column: no type, no data, or both.
#[derive(Clone, Copy)]
struct View<'a> {
    column_type: u32,
    data: *const c_void,
    offsets: *const u32,
    present: *const u8,
    batch: PhantomData<&'a [u8]>,
}

impl Columns<'_> {
    /// Reads the columns of a batch; null, short and unknown ones are null in every row.
    ///
    /// # Safety
    ///
    /// `batch` keeps the contract, and its arrays hold still for as long as the result lives.
    pub(crate) unsafe fn read(batch: &abi::Batch) -> Self {
        if batch.columns.is_null() {
            return Self(Vec::new());
        }
        // SAFETY: the batch says that there are `n_columns` pointers.
        let pointers = unsafe { slice::from_raw_parts(batch.columns, batch.n_columns as usize) };
        // SAFETY: each is null or points to a column.
        Self(pointers.iter().map(|&pointer| View::new(unsafe { abi::read(pointer) }.ok())).collect())
    }

    #[inline]
    fn get(&self, column: usize, column_type: u32) -> Option<&View<'_>> {
        self.0.get(column).filter(|view| view.column_type == column_type)
    }
}

impl<'a> View<'a> {
    const NULL: Self = Self {
        column_type: 0,
        data: ptr::null(),
        offsets: ptr::null(),
        present: ptr::null(),
        batch: PhantomData,
    };

    fn new(column: Option<abi::Column>) -> Self {
        let Some(column) = column else { return Self::NULL };
        let has_offsets = matches!(column.type_, codes::COLUMN_TEXT | codes::COLUMN_JSON);
        if column.data.is_null() || (has_offsets && column.offsets.is_null()) {
            return Self::NULL;
        }
        Self {
            column_type: column.type_,
            data: column.data,
            offsets: column.offsets,
            present: column.present,
            batch: PhantomData,
        }
    }

    #[inline]
    fn is_present(&self, row: usize) -> bool {
        // SAFETY: the column has a byte for each row of the batch.
        self.present.is_null() || unsafe { *self.present.add(row) } != 0
    }

    fn text(&self, row: usize) -> Option<&'a str> {
        if !self.is_present(row) {
            return None;
        }
        // SAFETY: there is one offset more than rows.
        let (start, end) = unsafe { (*self.offsets.add(row), *self.offsets.add(row + 1)) };
        let len = end.checked_sub(start)? as usize;
        // SAFETY: the offsets point into the data, which hold still while the batch is borrowed.
        let bytes = unsafe { slice::from_raw_parts(self.data.cast::<u8>().add(start as usize), len) };
        str::from_utf8(bytes).ok()
    }
}
