//! The macros that make a library a plugin.

/// Makes the library a plugin: exports the entry symbol and puts the version into a note of the file.
///
/// `export_plugin! { id: "com.example.aov", metrics: [Aov] }`; the front page of the crate has a whole plugin.
/// A library may have `metrics: […]`, `channels: […]`, or both in this order.
///
/// The id is a name that nobody else uses, by habit a reversed domain. The version is the crate's. To be used
/// once in a crate of type `cdylib` that is built with unwinding panics: under `panic = "abort"` a panic would
/// end the server, so that does not compile.
#[macro_export]
macro_rules! export_plugin {
    (id: $id:expr $(, metrics: [$($metric:ty),+ $(,)?])? $(, channels: [$($channel:ty),+ $(,)?])? $(,)?) => {
        #[cfg(panic = "abort")]
        ::core::compile_error!(
            "a plugin must be built with `panic = \"unwind\"`: under `abort`, one panic ends the server"
        );

        /// Returns the descriptor of this plugin.
        #[unsafe(no_mangle)]
        pub extern "C" fn podium_plugin_entry_v1() -> *const $crate::expansion::Plugin {
            $crate::define_plugin! {
                id: $id $(, metrics: [$($metric),+])? $(, channels: [$($channel),+])?
            }
        }

        const _: () = {
            #[used]
            #[unsafe(link_section = ".note.podium")]
            static NOTE: $crate::expansion::Note = $crate::expansion::Note::CURRENT;
        };
    };
}

/// Evaluates to the descriptor of a plugin without exporting it, for a plugin that is linked into something.
#[macro_export]
macro_rules! define_plugin {
    (id: $id:expr $(, metrics: [$($metric:ty),+ $(,)?])? $(, channels: [$($channel:ty),+ $(,)?])? $(,)?) => {{
        static PARTS: &[$crate::expansion::Part] = &[
            $($($crate::expansion::metric::<$metric>,)+)?
            $($($crate::expansion::channel::<$channel>,)+)?
        ];
        const { ::core::assert!(!PARTS.is_empty(), "a plugin has metrics, channels or both") };
        static DESCRIPTOR: $crate::expansion::Descriptor =
            $crate::expansion::Descriptor::new($id, ::core::env!("CARGO_PKG_VERSION"), PARTS);
        DESCRIPTOR.get()
    }};
}
