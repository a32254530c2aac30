// Uses what the header has beyond types and numbers, in the words that C11 and C++17 share.
#include "podium_plugin.h"
#include "podium_plugin.h"

static const podium_str id = PODIUM_STR("com.example.nothing");

static int32_t init(const podium_host *host, podium_error *error) {
    (void)error;
    return host->struct_size < sizeof(podium_host) ? PODIUM_E_INVALID : PODIUM_OK;
}

PODIUM_PLUGIN_NOTE;

const podium_plugin *podium_plugin_entry_v1(void) {
    static podium_plugin plugin;
    plugin.magic = PODIUM_MAGIC;
    plugin.abi_major = PODIUM_ABI_MAJOR;
    plugin.abi_minor = PODIUM_ABI_MINOR;
    plugin.struct_size = sizeof(podium_plugin);
    plugin.id = id;
    plugin.init = init;
    return &plugin;
}
