//! An instance that a plugin made, and its replacement after a panic.

use podium_plugin_abi::{self as abi, CreateFn, DestroyFn, ERROR_TEXT_CAP, ErrorText, Str, codes};
use std::ffi::c_void;
use std::mem::size_of;
use std::ptr;
use std::sync::{Arc, PoisonError, RwLock};

/// An instance that the plugin made; destroyed with its last user.
pub(crate) struct Handle {
    pub(crate) this: *mut c_void,
    destroy: DestroyFn,
}

// SAFETY: by the contract, an instance may be created, used and destroyed on any thread.
unsafe impl Send for Handle {}
// SAFETY: by the contract, an instance is called by several threads at a time.
unsafe impl Sync for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: it came from `create` of the same component, and nobody else has it any more.
        unsafe { (self.destroy)(self.this) };
    }
}

/// How to make instances of a component.
#[derive(Clone, Copy)]
pub(crate) struct Maker {
    pub(crate) create: CreateFn,
    pub(crate) destroy: DestroyFn,
}

impl Maker {
    pub(crate) fn make(self, config_json: &str) -> Result<Handle, Failure> {
        let mut this = ptr::null_mut();
        // SAFETY: the text and the places for the answers live through the call.
        call(|error| unsafe { (self.create)(Str::borrow(config_json), &raw mut this, error) })?;
        // An instance without state may well be null: the plugin gets back what it gave.
        Ok(Handle { this, destroy: self.destroy })
    }
}

/// The instance in use, and how to make another one.
pub(crate) struct Current {
    maker: Maker,
    /// May hold secrets: never printed.
    config_json: String,
    handle: RwLock<Arc<Handle>>,
}

impl Current {
    pub(crate) fn new(maker: Maker, config_json: String, handle: Handle) -> Self {
        Self { maker, config_json, handle: RwLock::new(Arc::new(handle)) }
    }

    pub(crate) fn get(&self) -> Arc<Handle> {
        Arc::clone(&self.handle.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a new instance in the place of one that panicked, unless somebody did already.
    pub(crate) fn replace(&self, poisoned: &Arc<Handle>) -> Result<(), Failure> {
        let mut handle = self.handle.write().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&handle, poisoned) {
            *handle = Arc::new(self.maker.make(&self.config_json)?);
        }
        Ok(())
    }
}

/// What the plugin answered when it was not OK.
pub(crate) struct Failure {
    pub(crate) code: i32,
    pub(crate) text: String,
}

/// Makes a call with a buffer for its error text.
pub(crate) fn call(function: impl FnOnce(*mut ErrorText) -> i32) -> Result<(), Failure> {
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
