// Orders per visitor: a whole metric in C, which needs nothing but the header of the contract.
#include "podium_plugin.h"

#include <string.h>

PODIUM_PLUGIN_NOTE;

static const podium_host *host; // set once, before anything else is called

static int32_t init(const podium_host *table, podium_error *error) {
    (void)error;
    host = table;
    return PODIUM_OK;
}

// There is nothing to set: the configuration is empty, or one pair of braces.
static int has_no_settings(podium_str json) {
    size_t n_braces = 0;
    for (size_t i = 0; i < json.len; i++) {
        if (n_braces < 2 && json.ptr[i] == "{}"[n_braces]) n_braces++;
        else if (json.ptr[i] == '\0' || !strchr(" \t\r\n", json.ptr[i])) return 0;
    }
    return json.len == 0 || n_braces == 2;
}

static int32_t create(podium_str config, void **self, podium_error *error) {
    static const podium_str text = PODIUM_STR("orders_per_visitor has no settings: send {}");
    *self = NULL; // no settings, no state
    if (has_no_settings(config)) return PODIUM_OK;
    error->len = text.len < error->cap ? (uint32_t)text.len : error->cap;
    if (error->len > 0) memcpy(error->text, text.ptr, error->len);
    return PODIUM_E_CONFIG;
}

static void destroy(void *self) { (void)self; }

// Event 0 is an order. One that is sent twice counts once, by its id; no property is needed besides.
static int32_t fields(void *self, uint64_t call, podium_error *error) {
    static const podium_str json = PODIUM_STR(
        "{\"columns\": [], \"events\": [{\"name\": \"Order Completed\", \"once_per\": \"order_id\", \"read\": {}}]}");
    (void)self, (void)error;
    return host->write(host->ctx, call, json);
}

// Each order adds one; an event that we did not ask for adds nothing.
static int32_t observe(void *self, const podium_batch *batch, double *out, podium_error *error) {
    (void)self, (void)error;
    for (size_t row = 0; row < batch->n; row++) out[row] = batch->event[row] == 0 ? 1.0 : 0.0;
    return PODIUM_OK;
}

// The value of a visitor: the sum, over one.
static int32_t value(void *self, const double *sums, size_t n, double *num, double *den, podium_error *error) {
    (void)self, (void)error;
    for (size_t unit = 0; unit < n; unit++) num[unit] = sums[unit], den[unit] = 1.0;
    return PODIUM_OK;
}

static const podium_metric metric = {
    .struct_size = sizeof metric, .revision = 1, .k = 1, .kind = PODIUM_MEAN, .unit = PODIUM_UNIT_COUNT,
    .direction = PODIUM_DIRECTION_INCREASE, .posterior = PODIUM_POSTERIOR_GAMMA_POISSON, .window_s = 14 * 86400,
    .fields = fields, .observe = observe, .value = value,
};
static const podium_component component = {
    .struct_size = sizeof component, .kind = PODIUM_KIND_METRIC, .id = PODIUM_STR("orders_per_visitor"),
    .title = PODIUM_STR("Orders per visitor"), .description = PODIUM_STR("How often a visitor orders."),
    .config_schema = PODIUM_STR("{\"type\": \"object\", \"additionalProperties\": false}"),
    .metric = &metric, .create = create, .destroy = destroy,
};
static const podium_component *const components[] = {&component};
static const podium_plugin plugin = {
    .magic = PODIUM_MAGIC, .abi_major = PODIUM_ABI_MAJOR, .abi_minor = PODIUM_ABI_MINOR,
    .struct_size = sizeof plugin, .n_components = 1, .id = PODIUM_STR("com.example.orders-per-visitor"),
    .version = PODIUM_STR("1.0.0"), .build = PODIUM_STR(__VERSION__), .components = components, .init = init,
};

const podium_plugin *podium_plugin_entry_v1(void) { return &plugin; }
