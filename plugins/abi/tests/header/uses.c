// Uses what the header has beyond types and numbers, in the words that C11 and C++17 share.
#include "podium_plugin.h"
#include "podium_plugin.h"

static const podium_str title = PODIUM_STR("Nothing");

static int32_t init(const podium_host *host, podium_error *error) {
    (void)error;
    return host->struct_size < sizeof(podium_host) ? PODIUM_E_INVALID : PODIUM_OK;
}

static const podium_plugin plugin = {
    PODIUM_MAGIC, PODIUM_ABI_MAJOR, PODIUM_ABI_MINOR, sizeof(podium_plugin), 0,
    PODIUM_STR("com.example.nothing"), PODIUM_STR("1.0.0"), PODIUM_STR(""), 0, init, 0, 0,
};

PODIUM_PLUGIN_NOTE;

const podium_plugin *podium_plugin_entry_v1(void) { return title.len == 0 ? 0 : &plugin; }
