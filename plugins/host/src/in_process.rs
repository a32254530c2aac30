//! A metric that runs in our own process.

use crate::answer::{self, Answer};
use crate::batch::Batch;
use crate::callbacks::Callbacks;
use crate::descriptor::Functions;
use crate::fields::Shape;
use crate::info::{MetricInfo, MetricKind, Posterior};
use crate::instance::{CreateError, MetricFault, MetricInstance};
use podium_plugin_abi::{self as abi, ERROR_TEXT_CAP, ErrorText, MAGNITUDE_MAX, Str, codes};
use std::ffi::c_void;
use std::mem::size_of;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

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
    config_json: String,
    fields_json: String,
    current: RwLock<Arc<Handle>>,
    n_batches: AtomicU64,
}

/// An instance that the plugin made; destroyed with its last user.
struct Handle {
    this: *mut c_void,
    functions: Functions,
}

// SAFETY: by the contract, an instance may be created, used and destroyed on any thread.
unsafe impl Send for Handle {}
// SAFETY: by the contract, a metric is called by several threads at a time.
unsafe impl Sync for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: it came from `create` of the same component, and nobody else has it any more.
        unsafe { (self.functions.destroy)(self.this) };
    }
}

/// What the plugin answered when it was not OK.
struct Failure {
    code: i32,
    text: String,
}

impl Loaded {
    pub(crate) fn new(info: &MetricInfo, functions: Functions, callbacks: &'static Callbacks) -> Self {
        Self { functions, callbacks, k: info.k, kind: info.kind, posterior: info.posterior }
    }

    /// Makes a configured instance.
    pub(crate) fn configure(&self, config_json: &str) -> Result<InProcess, CreateError> {
        let handle = self.create(config_json).map_err(|failure| match failure.code {
            codes::E_CONFIG => CreateError::Config { text: failure.text },
            codes::E_PANIC => CreateError::Panicked { text: failure.text },
            code => CreateError::Failed { code, text: failure.text },
        })?;
        let fields_json = self.fields(&handle)?;
        Shape::parse(&fields_json).map_err(|text| CreateError::BadFields { text })?;
        Ok(InProcess {
            loaded: self.clone(),
            config_json: config_json.to_owned(),
            fields_json,
            current: RwLock::new(Arc::new(handle)),
            n_batches: AtomicU64::new(0),
        })
    }

    fn create(&self, config_json: &str) -> Result<Handle, Failure> {
        let mut this = ptr::null_mut();
        // SAFETY: the text and the places for the answers live through the call.
        call(|error| unsafe { (self.functions.create)(Str::borrow(config_json), &raw mut this, error) })?;
        // An instance without state may well be null: the plugin gets back what it gave.
        Ok(Handle { this, functions: self.functions })
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
        let handle = self.current();
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
                attempt(self.current().this).unwrap_or_else(|Failure { code, text }| match code {
                    codes::E_PANIC | codes::E_POISONED => Err(MetricFault::Panicked { text }),
                    code => Err(MetricFault::Refused { code, text }),
                })
            }
            code => Err(MetricFault::Refused { code, text: failure.text }),
        }
    }

    fn current(&self) -> Arc<Handle> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, poisoned: &Arc<Handle>) -> Result<(), MetricFault> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current, poisoned) {
            let created = self.loaded.create(&self.config_json);
            *current = Arc::new(created.map_err(|failure| MetricFault::Lost { text: failure.text })?);
        }
        Ok(())
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

/// Makes a call with a buffer for its error text.
fn call(function: impl FnOnce(*mut ErrorText) -> i32) -> Result<(), Failure> {
    let mut bytes = [0_u8; ERROR_TEXT_CAP];
    let mut error = ErrorText {
        struct_size: size_of::<ErrorText>() as u32,
        cap: ERROR_TEXT_CAP as u32,
        len: 0,
        reserved: 0,
        text: bytes.as_mut_ptr(),
    };
    let code = function(&raw mut error);
    if code == codes::OK {
        return Ok(());
    }
    let len = (error.len as usize).min(ERROR_TEXT_CAP);
    let text = String::from_utf8_lossy(&bytes[..len]).into_owned();
    let is_known = (codes::E_INTERNAL..codes::OK).contains(&code);
    Err(Failure { code: if is_known { code } else { codes::E_INTERNAL }, text })
}

/// Prepares a plugin that was never prepared in this process.
///
/// # Safety
///
/// `init` is the function of a library that stays open.
pub(crate) unsafe fn init(init: abi::InitFn, table: &'static abi::Host) -> Result<(), String> {
    // SAFETY: the table is leaked.
    call(|error| unsafe { init(table, error) })
        .map_err(|Failure { code, text }| if text.is_empty() { format!("code {code}") } else { text })
}
