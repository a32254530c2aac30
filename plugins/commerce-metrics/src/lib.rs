//! The bundled goal metrics.
