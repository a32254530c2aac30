//! A metric that runs in our own process.

use crate::answer::{self, Answer};
use crate::batch::Batch;
use crate::callbacks::Callbacks;
use crate::descriptor::Functions;
use crate::fields::Shape;
use crate::handle::{Current, Failure, Handle, Maker, call};
use crate::info::{MetricInfo, MetricKind, Posterior};
use crate::instance::{CreateError, MetricFault, MetricInstance};
use podium_plugin_abi::{MAGNITUDE_MAX, codes};
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One batch in so many is observed twice: equal events must give equal numbers.
const OBSERVED_TWICE_EVERY: u64 = 1024;

/// A metric of a loaded plugin, ready to be configured.
#[derive(Clone)]
pub(crate) struct Loaded {
    pub(crate) functions: Functions,
    pub(crate) callbacks: &'static Callbacks,
    pub(crate) k: usize,
    pub(crate) kind: MetricKind,
    pub(crate) posterior: Posterior,
}

/// A configured metric in our process.
pub(crate) struct InProcess {
    loaded: Loaded,
    fields_json: String,
    current: Current,
    n_batches: AtomicU64,
}

impl Loaded {
    pub(crate) fn new(info: &MetricInfo, functions: Functions, callbacks: &'static Callbacks) -> Self {
        Self { functions, callbacks, k: info.k, kind: info.kind, posterior: info.posterior }
    }

    /// Makes a configured instance.
    pub(crate) fn configure(&self, config_json: &str) -> Result<InProcess, CreateError> {
        let maker = Maker { create: self.functions.create, destroy: self.functions.destroy };
        let handle = maker.make(config_json).map_err(|failure| match failure.code {
            codes::E_CONFIG => CreateError::Config { text: failure.text },
            codes::E_PANIC => CreateError::Panicked { text: failure.text },
            code => CreateError::Failed { code, text: failure.text },
        })?;
        let fields_json = self.fields(&handle)?;
        Shape::parse(&fields_json).map_err(|text| CreateError::BadFields { text })?;
        Ok(InProcess {
            loaded: self.clone(),
            fields_json,
            current: Current::new(maker, config_json.to_owned(), handle),
            n_batches: AtomicU64::new(0),
        })
    }

    fn fields(&self, handle: &Handle) -> Result<String, CreateError> {
        let answer = self.callbacks.open_answer();
        // SAFETY: the instance is alive.
        let outcome = call(|error| unsafe { (self.functions.fields)(handle.this, answer, error) });
        let written = self.callbacks.close_answer(answer);
        outcome.map_err(|Failure { code, text }| match code {
            codes::E_PANIC => CreateError::Panicked { text },
            code => CreateError::Failed { code, text },
        })?;
        String::from_utf8(written).map_err(|_| CreateError::BadFields { text: "not UTF-8".into() })
    }
}

impl InProcess {
    /// Calls the current instance. One that panicked is replaced: at once if it was in this call, and if it
    /// was in another's, this call is made again on the new one.
    fn with_instance<T>(
        &self,
        attempt: impl Fn(*mut c_void) -> Result<Result<T, MetricFault>, Failure>,
    ) -> Result<T, MetricFault> {
        let handle = self.current.get();
        let failure = match attempt(handle.this) {
            Ok(answer) => return answer,
            Err(failure) => failure,
        };
        match failure.code {
            codes::E_PANIC => {
                self.replace(&handle)?;
                Err(MetricFault::Panicked { text: failure.text })
            }
            codes::E_POISONED => {
                self.replace(&handle)?;
                attempt(self.current.get().this).unwrap_or_else(|Failure { code, text }| match code {
                    codes::E_PANIC | codes::E_POISONED => Err(MetricFault::Panicked { text }),
                    code => Err(MetricFault::Refused { code, text }),
                })
            }
            code => Err(MetricFault::Refused { code, text: failure.text }),
        }
    }

    fn replace(&self, poisoned: &Arc<Handle>) -> Result<(), MetricFault> {
        self.current.replace(poisoned).map_err(|failure| MetricFault::Lost { text: failure.text })
    }

    fn observe_once(&self, batch: &Batch) -> Result<Vec<i64>, MetricFault> {
        self.with_instance(|this| {
            let mut out = Answer::new(batch.len() * self.loaded.k);
            batch.with_abi(|batch| {
                // SAFETY: the instance is alive, the batch holds still, the buffer has room for n·k doubles.
                call(|error| unsafe { (self.loaded.functions.observe)(this, batch, out.as_mut_ptr(), error) })
            })?;
            Ok(out.written().and_then(|written| answer::contributions(written, self.loaded.k)))
        })
    }

    /// Turns sums into doubles, unless there is something wrong with them.
    fn sums(&self, sums: &[i64]) -> Result<Vec<f64>, MetricFault> {
        let k = self.loaded.k;
        if !sums.len().is_multiple_of(k) {
            return Err(MetricFault::BadSums { idx: sums.len(), found: 0, k });
        }
        let double = |(idx, &sum): (usize, &i64)| {
            let is_exact = (-MAGNITUDE_MAX..=MAGNITUDE_MAX).contains(&sum);
            if is_exact { Ok(sum as f64) } else { Err(MetricFault::BadSums { idx, found: sum, k }) }
        };
        sums.iter().enumerate().map(double).collect()
    }
}

impl MetricInstance for InProcess {
    fn k(&self) -> usize {
        self.loaded.k
    }

    fn fields_json(&self) -> &str {
        &self.fields_json
    }

    fn observe(&self, batch: &Batch) -> Result<Vec<i64>, MetricFault> {
        let first = self.observe_once(batch)?;
        if self.n_batches.fetch_add(1, Ordering::Relaxed).is_multiple_of(OBSERVED_TWICE_EVERY) {
            let second = self.observe_once(batch)?;
            if let Some(idx) = first.iter().zip(&second).position(|(first, second)| first != second) {
                return Err(MetricFault::Impure { row: idx / self.loaded.k });
            }
        }
        Ok(first)
    }

    fn value(&self, sums: &[i64]) -> Result<Vec<(f64, f64)>, MetricFault> {
        let sums = self.sums(sums)?;
        let n = sums.len() / self.loaded.k;
        let Loaded { functions, kind, posterior, .. } = self.loaded;
        self.with_instance(|this| {
            let (mut numerators, mut denominators) = (Answer::new(n), Answer::new(n));
            let input = if n == 0 { ptr::null() } else { sums.as_ptr() };
            let (num, den) = (numerators.as_mut_ptr(), denominators.as_mut_ptr());
            // SAFETY: the instance is alive, there are n·k sums, and either buffer has room for n doubles.
            call(|error| unsafe { (functions.value)(this, input, n, num, den, error) })?;
            let written = numerators.written().and_then(|num| Ok((num, denominators.written()?)));
            Ok(written.and_then(|(num, den)| answer::values(num, den, kind, posterior)))
        })
    }
}
