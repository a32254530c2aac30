//! Where the lines go that plugins log.

use podium_plugin_abi::codes;
use std::fmt;
use std::sync::Arc;

/// How much a log line matters, from most to least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Someone should act.
    Error,
    /// Something is off.
    Warn,
    /// What an operator wants to know.
    Info,
    /// What a developer wants to know.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    pub(crate) fn code(self) -> u32 {
        match self {
            Self::Error => codes::LOG_ERROR,
            Self::Warn => codes::LOG_WARN,
            Self::Info => codes::LOG_INFO,
            Self::Debug => codes::LOG_DEBUG,
            Self::Trace => codes::LOG_TRACE,
        }
    }

    pub(crate) fn from_code(code: u32) -> Self {
        match code {
            codes::LOG_ERROR => Self::Error,
            codes::LOG_WARN => Self::Warn,
            codes::LOG_INFO => Self::Info,
            codes::LOG_DEBUG => Self::Debug,
            _ => Self::Trace,
        }
    }
}

/// One line that a plugin logged. The texts are the plugin's: distrust them.
#[derive(Clone, Copy, Debug)]
pub struct LogLine<'a> {
    /// The id of the plugin.
    pub plugin: &'a str,
    /// How much it matters.
    pub level: Level,
    /// The part of the plugin that speaks; may be empty.
    pub target: &'a str,
    /// What it says.
    pub message: &'a str,
    /// Fields as a JSON object; may be empty.
    pub fields_json: &'a str,
}

/// Takes the lines that plugins log, on any thread.
#[derive(Clone)]
pub struct HostLog {
    level_max: Level,
    sink: Arc<dyn Fn(&LogLine<'_>) + Send + Sync>,
}

impl HostLog {
    /// Passes on lines up to `level_max`.
    pub fn new(level_max: Level, sink: impl Fn(&LogLine<'_>) + Send + Sync + 'static) -> Self {
        Self { level_max, sink: Arc::new(sink) }
    }

    /// Drops every line.
    pub fn discard() -> Self {
        Self::new(Level::Error, |_| ())
    }

    pub(crate) fn is_enabled(&self, level: Level) -> bool {
        level <= self.level_max
    }

    pub(crate) fn line(&self, line: &LogLine<'_>) {
        (self.sink)(line);
    }
}

impl fmt::Debug for HostLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostLog").field("level_max", &self.level_max).finish_non_exhaustive()
    }
}
