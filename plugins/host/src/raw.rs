//! Columns as they stand in memory, for a pipe to another process of the same program.

use crate::batch::{Batch, Column, ColumnType, Data};
use std::io;

/// A batch as bytes.
pub(crate) struct Raw<'a> {
    description: Vec<u32>,
    /// Row after row the event and the time, then for each column what is present and the data.
    pub(crate) parts: Vec<&'a [u8]>,
}

impl Batch {
    /// Lends the batch as bytes.
    pub(crate) fn raw(&self) -> Raw<'_> {
        let mut description = vec![self.len() as u32, self.columns.len() as u32];
        let mut parts = vec![bytes_of(&self.events), bytes_of(&self.times_ms)];
        for column in &self.columns {
            parts.push(&column.present);
            let n_text_bytes = match &column.data {
                Data::Whole(numbers) => {
                    parts.push(bytes_of(numbers));
                    0
                }
                Data::Float(numbers) => {
                    parts.push(bytes_of(numbers));
                    0
                }
                Data::Bool(bytes) => {
                    parts.push(bytes);
                    0
                }
                Data::Text { bytes, offsets } => {
                    parts.extend([bytes_of(offsets), bytes]);
                    bytes.len()
                }
            };
            description.extend([column.of_type.code(), n_text_bytes as u32]);
        }
        Raw { description, parts }
    }
}

impl Raw<'_> {
    /// Rows, columns, then for each column its type and the bytes of its texts.
    pub(crate) fn describe(&self) -> &[u32] {
        &self.description
    }

    /// Reads a batch from the bytes of its parts.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if bytes are missing, `InvalidData` if a type is unknown or an offset points elsewhere.
    pub(crate) fn read(from: &mut &[u8], n_rows: usize, columns: &[(u32, usize)]) -> io::Result<Batch> {
        let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let mut batch = Batch::new(&[]);
        batch.events = numbers(from, n_rows)?;
        batch.times_ms = numbers(from, n_rows)?;
        for (code, n_text_bytes) in columns {
            let of_type = ColumnType::from_code(*code).ok_or_else(|| wrong("a column of no known type"))?;
            let mut column = Column::new(of_type);
            column.present = numbers(from, n_rows)?;
            column.data = match of_type {
                ColumnType::Int | ColumnType::Money => Data::Whole(numbers(from, n_rows)?),
                ColumnType::Float => Data::Float(numbers(from, n_rows)?),
                ColumnType::Bool => Data::Bool(numbers(from, n_rows)?),
                ColumnType::Text | ColumnType::Json => {
                    let offsets: Vec<u32> = numbers(from, n_rows + 1)?;
                    let ends = offsets.last().is_some_and(|end| *end as usize == *n_text_bytes);
                    if !ends || !offsets.is_sorted() {
                        return Err(wrong("texts that end elsewhere"));
                    }
                    Data::Text { bytes: numbers(from, *n_text_bytes)?, offsets }
                }
            };
            batch.columns.push(column);
        }
        Ok(batch)
    }
}

/// A number of which every pattern of bits is one.
///
/// # Safety
///
/// The type has no padding and no invalid bits.
pub(crate) unsafe trait Plain: Copy + Default {}

// SAFETY: integers and floats have neither padding nor invalid bits.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl Plain for u16 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for i64 {}
// SAFETY: as above.
unsafe impl Plain for f64 {}

/// Lends numbers as the bytes they are.
pub(crate) fn bytes_of<T: Plain>(numbers: &[T]) -> &[u8] {
    // SAFETY: the memory is the slice's own, and plain numbers have no padding.
    unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}

/// Takes `n` numbers off the front.
///
/// # Errors
///
/// `UnexpectedEof` if there are fewer.
pub(crate) fn numbers<T: Plain>(from: &mut &[u8], n: usize) -> io::Result<Vec<T>> {
    let n_bytes = n.checked_mul(size_of::<T>());
    let split = n_bytes.and_then(|n_bytes| from.split_at_checked(n_bytes));
    let (bytes, rest) = split.ok_or(io::ErrorKind::UnexpectedEof)?;
    *from = rest;
    let mut numbers = Vec::<T>::with_capacity(n);
    // SAFETY: the target has room for `n` numbers, and every pattern of bits is a plain number.
    unsafe {
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), numbers.as_mut_ptr().cast::<u8>(), bytes.len());
        numbers.set_len(n);
    }
    Ok(numbers)
}
