//! Laws 1 to 6: what a metric answers to events and sums.

use super::Subject;
use super::rows::{self, Row, SplitMix};
use crate::batch::Batch;
use std::thread;

const N_INSTANCES: usize = 3;
const N_THREADS: usize = 4;
const SIZES: [usize; 8] = [0, 1, 2, 3, 7, 64, 255, 600];

impl Subject<'_> {
    pub(super) fn pure(&self) -> Result<(), String> {
        let expected = self.fingerprint().map_err(|fault| fault.to_string())?;
        let again = || match self.fingerprint() {
            Ok(found) if found == expected => Ok(()),
            Ok(_) => Err("the same instance gives other numbers the second time".to_owned()),
            Err(fault) => Err(fault.to_string()),
        };
        again()?;
        for _ in 0..N_INSTANCES {
            let other = Subject::new(self.registry, &self.info.id, &self.config_json);
            let other = other.map_err(|error| format!("it could be created once, but not again: {error}"))?;
            if other.instance.fields_json() != self.instance.fields_json() {
                return Err("another instance with the same settings reads something else".into());
            }
            match other.fingerprint() {
                Ok(found) if found == expected => (),
                Ok(_) => return Err("another instance with the same settings gives other numbers".into()),
                Err(fault) => return Err(fault.to_string()),
            }
        }
        thread::scope(|scope| {
            let threads: Vec<_> = (0..N_THREADS).map(|_| scope.spawn(again)).collect();
            let outcomes =
                threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked".to_owned()));
            outcomes.collect::<Result<Result<Vec<()>, _>, _>>()
        })
        .flatten()
        .map(drop)
        .map_err(|text| format!("with {N_THREADS} threads at a time: {text}"))
    }

    pub(super) fn finite(&self) -> Result<(), String> {
        let contributions = self.observe(&self.batch(&self.rows))?;
        // Sums that shoppers can really have: those of the first 1, 2, 3, … rows that stay within 2^53.
        let k = self.info.k;
        let mut sums = vec![0_i64; k];
        for row in contributions.chunks_exact(k) {
            let added: Option<Vec<i64>> =
                sums.iter().zip(row).map(|(sum, more)| sum.checked_add(*more)).collect();
            let Some(added) = added.filter(|added| added.iter().all(|sum| sum.unsigned_abs() <= 1 << 53))
            else {
                continue;
            };
            sums = added;
            self.instance.value(&sums).map_err(|fault| format!("sums {sums:?}: {fault}"))?;
        }
        Ok(())
    }

    pub(super) fn additive(&self) -> Result<(), String> {
        let k = self.info.k;
        let whole = self.observe(&self.batch(&self.rows))?;
        for (idx, (row, expected)) in self.rows.iter().zip(whole.chunks_exact(k)).enumerate() {
            if self.observe(&self.batch([row]))? != expected {
                return Err(format!("row {idx} gives other numbers when it is alone"));
            }
        }
        let mut random = SplitMix::new(3);
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        for name in ["backwards", "shuffled"] {
            if name == "backwards" {
                order.reverse();
            } else {
                (1..order.len()).for_each(|idx| order.swap(idx, random.below(idx + 1)));
            }
            let found = self.observe(&self.batch(order.iter().map(|&idx| &self.rows[idx])))?;
            let expected = order.iter().flat_map(|&idx| &whole[idx * k..(idx + 1) * k]);
            if !found.iter().eq(expected) {
                return Err(format!("the rows give other numbers {name}"));
            }
        }
        let at = 1 + random.below(self.rows.len() - 1);
        let (first, second): (&[Row], &[Row]) = self.rows.split_at(at);
        let parts = [self.observe(&self.batch(first))?, self.observe(&self.batch(second))?].concat();
        if parts == whole { Ok(()) } else { Err(format!("the rows give other numbers when split at {at}")) }
    }

    pub(super) fn total(&self) -> Result<(), String> {
        let k = self.info.k;
        let sums = rows::odd_sums(k);
        let together = self.instance.value(&sums).map_err(|fault| {
            let of = fault
                .row()
                .map_or_else(String::new, |row| format!("sums {:?}: ", &sums[row * k..(row + 1) * k]));
            format!("{of}{fault}")
        })?;
        for (sums, expected) in sums.chunks_exact(k).zip(&together) {
            let alone = self.instance.value(sums).map_err(|fault| fault.to_string())?;
            if alone != [*expected] {
                return Err(format!("sums {sums:?} are {alone:?} alone, but {expected:?} among others"));
            }
        }
        Ok(())
    }

    pub(super) fn in_bounds(&self) -> Result<(), String> {
        let k = self.info.k;
        for n in SIZES {
            // The host fails the call if anything but the asked numbers was written.
            self.observe(&self.batch(&self.rows[..n.min(self.rows.len())]))?;
            self.instance.value(&vec![1; n * k]).map_err(|fault| format!("{n} units: {fault}"))?;
        }
        Ok(())
    }

    pub(super) fn calm(&self) -> Result<(), String> {
        let answered = |what: &str, batch: &Batch| {
            self.instance.observe(batch).map_err(|fault| format!("{what}: {fault}"))
        };
        answered("a batch without rows", &self.batch([]))?;
        self.instance.value(&[]).map_err(|fault| format!("no units: {fault}"))?;
        let event = rows::unknown_event(&self.shape);
        let unknown: Vec<Row> = self.rows.iter().map(|row| Row { event, ..row.clone() }).collect();
        if answered("events it did not ask for", &self.batch(&unknown))?.iter().any(|&number| number != 0) {
            return Err("events it did not ask for contribute".into());
        }
        for column in 0..self.shape.columns.len() {
            let mut batch = self.batch(&self.rows);
            batch.forget_column(column);
            answered(&format!("column {column} is a null pointer"), &batch)?;
            let mut batch = self.batch(&self.rows);
            batch.estrange_column(column);
            answered(&format!("column {column} is of an unknown type"), &batch)?;
            let mut batch = self.batch(&self.rows);
            batch.narrow(column);
            answered(&format!("there are only {column} columns"), &batch)?;
        }
        Ok(())
    }

    fn observe(&self, batch: &Batch) -> Result<Vec<i64>, String> {
        self.instance.observe(batch).map_err(|fault| format!("{} rows: {fault}", batch.len()))
    }
}
