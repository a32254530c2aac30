//! The numbers of the contract. None is ever reused.

/// The call did what was asked.
pub const OK: i32 = 0;
/// The caller broke the contract: a null pointer, an unknown call.
pub const E_INVALID: i32 = -1;
/// The configuration is not one the component accepts; the text says why.
pub const E_CONFIG: i32 = -2;
/// The ability is not provided.
pub const E_UNSUPPORTED: i32 = -3;
/// The code panicked; the instance must not be used any more.
pub const E_PANIC: i32 = -4;
/// The instance panicked in an earlier call.
pub const E_POISONED: i32 = -5;
/// A limit was reached: size of an answer, memory.
pub const E_LIMIT: i32 = -6;
/// Anything else. An unknown code is read as this one.
pub const E_INTERNAL: i32 = -7;

/// A component that turns events into numbers. A component of unknown kind is skipped and listed.
pub const KIND_METRIC: u32 = 1;
/// A component that delivers messages.
pub const KIND_CHANNEL: u32 = 2;

/// A metric whose value is 0 or 1 over 1. A metric of unknown kind is refused.
pub const METRIC_PROPORTION: u32 = 1;
/// A metric whose value is any whole number over 1.
pub const METRIC_MEAN: u32 = 2;
/// A metric whose value is a whole number over a whole number ≥ 0; 0 over 0 is not in the population.
pub const METRIC_RATIO: u32 = 3;

/// Plain numbers. An unknown unit is read as this one.
pub const UNIT_PLAIN: u32 = 0;
/// Minor units of a currency.
pub const UNIT_CURRENCY_MINOR: u32 = 1;
/// Things counted.
pub const UNIT_COUNT: u32 = 2;
/// A share between 0 and 1.
pub const UNIT_PROPORTION: u32 = 3;
/// Milliseconds.
pub const UNIT_MILLISECONDS: u32 = 4;

/// More is better. An unknown direction is read as this one.
pub const DIRECTION_INCREASE: u32 = 0;
/// Less is better.
pub const DIRECTION_DECREASE: u32 = 1;

/// Normal, for ratios by the delta method. An unknown posterior is read as this one.
pub const POSTERIOR_NORMAL: u32 = 0;
/// Beta, for values that are 0 or 1.
pub const POSTERIOR_BETA: u32 = 1;
/// A hurdle at zero and a lognormal above, for amounts with many zeros.
pub const POSTERIOR_LOGNORMAL_HURDLE: u32 = 2;
/// Gamma–Poisson, for counts.
pub const POSTERIOR_GAMMA_POISSON: u32 = 3;

/// A column of `int64_t`. A column of unknown type is read as all null.
pub const COLUMN_INT: u32 = 1;
/// A column of `double`.
pub const COLUMN_FLOAT: u32 = 2;
/// A column of `uint8_t`, 0 or 1.
pub const COLUMN_BOOL: u32 = 3;
/// A column of `int64_t` in minor units.
pub const COLUMN_MONEY: u32 = 4;
/// A column of UTF-8 text, by offsets.
pub const COLUMN_TEXT: u32 = 5;
/// A column of JSON documents, by offsets.
pub const COLUMN_JSON: u32 = 6;

/// Log level: someone should act.
pub const LOG_ERROR: u32 = 1;
/// Log level: something is off.
pub const LOG_WARN: u32 = 2;
/// Log level: what an operator wants to know.
pub const LOG_INFO: u32 = 3;
/// Log level: what a developer wants to know.
pub const LOG_DEBUG: u32 = 4;
/// Log level: everything. An unknown level is read as this one.
pub const LOG_TRACE: u32 = 5;

/// A message for marketing. An unknown purpose is read as this one.
pub const PURPOSE_MARKETING: u32 = 0;
/// A message that the recipient waits for.
pub const PURPOSE_TRANSACTIONAL: u32 = 1;

/// Nobody knows whether the message left. An unknown outcome is read as this one.
pub const OUTCOME_UNKNOWN: u32 = 0;
/// The provider took the message.
pub const OUTCOME_ACCEPTED: u32 = 1;
/// Not now; again later.
pub const OUTCOME_DEFERRED: u32 = 2;
/// Too many; the whole channel slows down.
pub const OUTCOME_RATE_LIMITED: u32 = 3;
/// The provider refused the message for good.
pub const OUTCOME_REJECTED: u32 = 4;
/// The address does not exist any more.
pub const OUTCOME_TARGET_GONE: u32 = 5;
/// The message is larger than the provider takes.
pub const OUTCOME_TOO_LARGE: u32 = 6;
/// The provider refused our credentials.
pub const OUTCOME_AUTH_FAILED: u32 = 7;
/// The call was cancelled before the message left.
pub const OUTCOME_CANCELLED: u32 = 8;

/// A provider that cannot tell a repeated message. An unknown class is read as this one.
pub const PROVIDER_BLIND: u32 = 0;
/// A provider that knows an idempotency key.
pub const PROVIDER_KEYED: u32 = 1;
/// A provider that replaces an earlier message with the same key.
pub const PROVIDER_COALESCING: u32 = 2;
/// Nothing is sent: the client asks.
pub const PROVIDER_PULL: u32 = 3;
