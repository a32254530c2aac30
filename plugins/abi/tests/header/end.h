// Fills a `podium_str` from a string literal: `.title = PODIUM_STR("Orders")`.
#define PODIUM_STR(literal) { (const uint8_t *)("" literal), sizeof("" literal) - 1 }

// Puts the version of this header into a note of the file, which the host reads before it runs any code. To be
// written once, outside of functions: `PODIUM_PLUGIN_NOTE;`
#define PODIUM_PLUGIN_NOTE \
    __attribute__((used, aligned(4), section("@SECTION@"))) static const struct { \
        uint32_t owner_size, description_size, type; \
        char owner[8]; \
        uint16_t abi_major, abi_minor; \
    } podium_plugin_note = { @OWNER_SIZE@, 4, @TYPE_VERSION@, "@OWNER@", PODIUM_ABI_MAJOR, PODIUM_ABI_MINOR }

// The one function that a plugin exports, also under `-fvisibility=hidden`: a `podium_entry_fn`.
//
// OWNERSHIP: the plugin. LIFETIME: the process. THREAD: any.
__attribute__((visibility("default"))) const podium_plugin *@ENTRY_SYMBOL@(void);

#ifdef __cplusplus
} // extern "C"
#endif

#endif // PODIUM_PLUGIN_H
